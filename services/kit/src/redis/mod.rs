//! Redis or Valkey, where an operator has one: who the server is, and one connection to it that heals by itself.
//!
//! What is kept there is its users' business: the journal of running generations, and what limits have counted. All of it
//! may be lost with the server, and nothing else is: no truth is kept in it.
//!
//! A user of the server needs no more than this (tried on Redis 7.0):
//!
//! ```text
//! ACL SETUSER atelier on >… resetkeys ~atelier:* resetchannels &atelier:* -@all +ping +select +evalsha +script|load
//!     +subscribe +unsubscribe +publish +hmget +hset +hget +xlen +xadd +xtrim +xrange +del +pexpire +get +set +time
//! ```

mod client;
mod server;

// The two words of the driver that its users speak; everything else of it stays in this room.
pub use ::redis::{FromRedisValue, Script, ScriptInvocation};
pub use client::{Heard, Redis, RedisAway, Subscriber};
pub use server::RedisServer;

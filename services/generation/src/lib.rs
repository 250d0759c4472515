#![doc = include_str!("../README.md")]

mod courier;
mod emitter;
mod engine;
mod error;
mod events;
mod fold;
mod owner;
mod ports;
mod sweep;
mod turns;

pub mod journal;
pub mod peers;
pub mod purse;
pub mod store;

pub use emitter::{Emitter, Stopped};
pub use engine::{Generations, Parts};
pub use error::{Error, Refusal};
pub use events::{EventStream, respond};
pub use ports::{
    Courier, End, Failure, Finish, GenerationRecord, Inserted, Job, Journal, Lease, NewGeneration,
    Outbox, Provider, Purse, Record, Replay,
};

//! What every service of Atelier stands on; it knows no service and no message of the contract.
//!
//! | room | what it is |
//! |---|---|
//! | [`policy`] | plain values of the contract's method options |
//! | [`inbound`] | the one ordered list of layers that every call passes |
//! | [`call`] | what is known of a call: id, caller, deadline, trace |
//! | [`identity`] | verifying access tokens and service tokens |
//! | [`limit`] | how often something may be done, and who is counted |
//! | [`secret`] | the mesh secret and the keys derived from it |
//! | [`link`] | a peer, in this process or elsewhere, in one replica or in several, behind one type |
//! | [`network`] | where a client calls from, told from role to role |
//! | [`outbound`] | what every client of somebody else's API needs |
//! | [`serve`] | listeners with safe settings, and their bounded end |
//! | [`cores`] | a runtime for each core, for connections that are only passed on |
//! | [`tls`] | certificates of both sides, read again when they change |
//! | [`fault`] | the one table from error kinds to gRPC codes |
//! | [`check`] | field rules, reported as `BadRequest` |
//! | [`idempotency`] | the metadata by which a caller allows that his call is made again |
//! | [`page`] | signed keyset page tokens |
//! | [`config`] | settings, read from a map |
//! | [`followed`] | a file that is read again when it changes |
//! | [`sql`] | rows, in a SQLite file or a PostgreSQL schema: one text of SQL for both |
//! | [`mongo`] | MongoDB, where an operator has one: tables on which each write is one document |
//! | [`redis`] | what replicas share while it lasts, where an operator has it |
//! | [`together`] | work that costs the same for one as for many |
//! | [`objects`] | the object store, embedded or any S3 |
//! | [`telemetry`] | logs, traces and metrics |
//! | [`service`] | what the mesh hands a service, and what it gets back |
//! | [`money`] | amounts of money as people write them |
//! | [`moment`] | times, as microseconds in tables and timestamps on the wire |
//! | `testing` (a feature) | a service on an in-memory link, with the full stack, for tests |

pub mod call;
pub mod check;
pub mod config;
pub mod cores;
pub mod fault;
pub mod followed;
pub mod idempotency;
pub mod identity;
pub mod inbound;
pub mod limit;
pub mod link;
pub mod moment;
pub mod money;
pub mod mongo;
pub mod network;
pub mod next;
pub mod objects;
pub mod outbound;
pub mod page;
pub mod policy;
pub mod redis;
pub mod secret;
pub mod serve;
pub mod service;
pub mod sql;
pub mod stopgap;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
pub mod together;

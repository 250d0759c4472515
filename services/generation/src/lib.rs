#![doc = include_str!("../README.md")]

mod catalogue;
mod courier;
mod embedded;
mod emitter;
mod engine;
mod error;
mod events;
mod fold;
mod leaving;
mod owner;
mod ports;
mod provider_error;
mod rpcs;
mod sweep;
mod turns;

pub mod journal;
pub mod peers;
pub mod purse;
pub mod store;

pub use catalogue::{Catalogue, Listed};
pub use emitter::{Emitter, Stopped};
pub use engine::{Generations, Parts};
pub use error::Error;
pub use events::EventStream;
pub use ports::{
    Courier, End, Failure, Finish, GenerationRecord, Inserted, Job, Journal, Lease, NewGeneration,
    Outbox, Provider, Purse, Record, Replay,
};
pub use provider_error::ProviderError;
pub use rpcs::{Answers, respond};
pub use store::Refusal;

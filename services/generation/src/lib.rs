#![doc = include_str!("../README.md")]

mod again;
mod courier;
mod embedded;
mod emitter;
mod end;
mod engine;
mod error;
mod events;
mod fold;
mod known;
mod leaving;
mod looks;
mod measure;
mod owner;
mod paid;
mod ports;
mod proof;
mod provider_error;
mod queue;
pub mod reasons;
mod rpcs;
mod settling;
mod sweep;

pub mod journal;
pub mod peers;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use embedded::{holds, journal as journal_of};
pub use emitter::{Emitter, Stopped};
pub use engine::{Generations, Parts};
pub use error::Error;
pub use events::EventStream;
pub use measure::Output;
pub use paid::{Answers, QUOTA_LIMIT, QUOTA_REMAINING, QUOTA_RESET, RESERVED_MICROS, respond};
pub use ports::{
    Courier, End, Failure, Finish, GenerationRecord, Inserted, Job, Journal, Lease, Listing,
    NewGeneration, Open, Outbox, Provider, Purse, Quote, Record, Repeat, Replay, Settlement,
    Settlements,
};
pub use provider_error::ProviderError;
pub use queue::{AtOnce, OWNER_SHARE, OWNER_WAITING, Owners, Priority, SETTINGS, Turns};
pub use store::Refusal;

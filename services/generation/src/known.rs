//! What is known of a generation, in domain words; nothing here is done.

use atelier_kit::moment::Micros;
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::{FinishReason, Snapshot, State, Usage};
use bytes::Bytes;

use crate::ports::{Failure, Job};
use crate::queue::Priority;

/// A generation that is about to be.
#[derive(Clone, Debug)]
pub struct NewGeneration {
    /// Its id, made by the service.
    pub id: String,
    /// The account it belongs to.
    pub owner: String,
    /// The caller's key for repeating the call safely.
    pub request_id: Option<String>,
    /// Which method started it, as in `send-message`; a part of what a repeated call is compared by.
    pub kind: &'static str,
    /// The request as the caller sent it, encoded: what a repeated call is compared by.
    pub body: Vec<u8>,
    /// Everything that the provider needs, in the service's own encoding.
    pub task: Bytes,
    /// The provider that will work on it.
    pub provider: String,
    /// The model that was chosen.
    pub model: String,
    /// What it belongs to in the service: shown in lists, and empty where there is nothing.
    pub subject: String,
    /// How its owner counts in the queue.
    pub priority: Priority,
}

impl NewGeneration {
    /// What a repeated call is known by.
    pub fn again(&self) -> Repeat<'_> {
        Repeat {
            owner: &self.owner,
            request_id: self.request_id.as_deref().unwrap_or_default(),
            kind: self.kind,
            body: &self.body,
        }
    }
}

/// What a repeated call is known by.
#[derive(Clone, Copy, Debug)]
pub struct Repeat<'a> {
    /// The account.
    pub owner: &'a str,
    /// The caller's key for repeating the call safely; may be empty.
    pub request_id: &'a str,
    /// Which method was called.
    pub kind: &'a str,
    /// The request as the caller sent it, encoded.
    pub body: &'a [u8],
}

/// The right to write to a generation. A taker's epoch is higher, and the writes of the one before are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The generation.
    pub id: String,
    /// The fencing token.
    pub epoch: i64,
}

/// The durable record of a generation.
#[derive(Clone, Debug)]
pub struct GenerationRecord {
    /// Its id.
    pub id: String,
    /// The account it belongs to.
    pub owner: String,
    /// Which method started it.
    pub kind: String,
    /// What it belongs to in the service; may be empty.
    pub subject: String,
    /// How its owner counts in the queue.
    pub priority: Priority,
    /// Everything that the provider needs, in the service's own encoding.
    pub task: Bytes,
    /// Where it stands. QUEUED says for certain that nothing was sent to a provider.
    pub state: State,
    /// The epoch of its owner.
    pub epoch: i64,
    /// Grows for as long as its owner lives.
    pub heartbeat: i64,
    /// Whether somebody asked for its end.
    pub cancel_requested: bool,
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The state at the last checkpoint, or at its end.
    pub snapshot: Snapshot,
    /// The sequence that the snapshot stands for; after the end, that of the last event.
    pub sequence: i64,
    /// Why it completed.
    pub finish_reason: FinishReason,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// When it was made.
    pub create_time: Micros,
    /// When it ended.
    pub end_time: Option<Micros>,
}

impl GenerationRecord {
    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        matches!(
            self.state,
            State::Completed | State::Failed | State::Cancelled
        )
    }

    /// Whether a provider may have heard of it: then it is never given to one again.
    pub fn may_be_sent(&self) -> bool {
        self.state != State::Queued
    }

    /// Who makes it, or made it, as a snapshot has it: provider and model. It may be another than was chosen.
    pub fn made_by<'a>(&'a self, snapshot: &'a Snapshot) -> (&'a str, &'a str) {
        if snapshot.provider.is_empty() {
            (&self.provider, &self.model)
        } else {
            (&snapshot.provider, &snapshot.model)
        }
    }

    /// What its provider is given.
    pub fn job(&self) -> Job {
        Job {
            id: self.id.clone(),
            owner: self.owner.clone(),
            kind: self.kind.clone(),
            task: self.task.clone(),
            model: self.model.clone(),
            create_time: self.create_time,
        }
    }

    /// The lease of its present owner.
    pub fn lease(&self) -> Lease {
        Lease {
            id: self.id.clone(),
            epoch: self.epoch,
        }
    }
}

/// What came of inserting a generation.
#[derive(Debug)]
pub enum Inserted {
    /// It is new, and the caller owns it.
    New(Box<GenerationRecord>),
    /// The same request was made before.
    Existing(Box<GenerationRecord>),
}

/// How a generation ends.
#[derive(Clone, Debug)]
pub struct End {
    /// COMPLETED, FAILED or CANCELLED.
    pub state: State,
    /// The whole state at the end.
    pub snapshot: Snapshot,
    /// The sequence of the last event.
    pub sequence: i64,
    /// Why it completed.
    pub finish_reason: FinishReason,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What the provider tells the service's own rows, in the service's own encoding; empty unless it completed.
    pub details: Bytes,
    /// What is told to analytics.
    pub usage_event: UsageEvent,
    /// What the purse is told.
    pub settlement: Settlement,
}

/// What a generation that has ended means to the purse: written with its end, and brought until it is acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The generation.
    pub id: String,
    /// What is charged; `None` gives the whole reservation back.
    pub charge: Option<Usage>,
}

/// One that has not ended, as the watch over dead owners sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The lease of its owner.
    pub lease: Lease,
    /// Grows for as long as its owner lives.
    pub heartbeat: i64,
    /// Its owner gave it back.
    pub released: bool,
}

/// A generation as a list shows it.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Its id.
    pub id: String,
    /// What it belongs to; may be empty.
    pub subject: String,
    /// Where it stands.
    pub state: State,
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The sequence that the record stands for.
    pub sequence: i64,
    /// What it used, once that is known.
    pub usage: Option<Usage>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// When it was made.
    pub create_time: Micros,
    /// When it ended.
    pub end_time: Option<Micros>,
}

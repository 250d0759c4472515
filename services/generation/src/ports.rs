//! The ports of a generation, in domain words; nothing here names a database, a wire or a medium.

use async_trait::async_trait;
use atelier_kit::fault::Fault;
use atelier_kit::moment::Micros;
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::{
    Artifact, FinishReason, GenerationEvent, Snapshot, State, Usage,
};
use bytes::Bytes;

use crate::emitter::{Emitter, Stopped};
use crate::error::Error;

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
    /// Everything that the provider needs, in the service's own encoding.
    pub task: Bytes,
    /// Where it stands.
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
}

/// The durable truth. Every write is one transaction with the service's own rows.
#[async_trait]
pub trait Record: Send + Sync + 'static {
    /// Inserts a generation, owned by the caller under epoch 1, or finds the one of the same `request_id`.
    async fn insert(&self, new: &NewGeneration) -> Result<Inserted, Error>;
    /// Reads one.
    async fn find(&self, id: &str) -> Result<Option<GenerationRecord>, Error>;
    /// Writes the state so far and beats the heart. Returns whether a cancel was asked for.
    async fn checkpoint(
        &self,
        lease: &Lease,
        state: State,
        snapshot: &Snapshot,
        sequence: i64,
    ) -> Result<bool, Error>;
    /// Ends it, together with the service's own rows and its usage event.
    async fn finish(&self, lease: &Lease, end: &End) -> Result<(), Error>;
    /// Asks for its end. Returns where it stood; `None` when it does not exist.
    async fn request_cancel(&self, id: &str) -> Result<Option<State>, Error>;
    /// All that have not ended: lease and heartbeat.
    async fn open(&self) -> Result<Vec<(Lease, i64)>, Error>;
    /// Takes over from an owner whose epoch and heartbeat are still these. `None` when somebody was faster.
    async fn claim(&self, seen: &Lease, heartbeat: i64) -> Result<Option<GenerationRecord>, Error>;
    /// Forgets one that has ended. Returns whether there was one.
    async fn forget(&self, id: &str) -> Result<bool, Error>;
    /// An owner leaves: from now on [`Record::insert`] refuses this one with [`Error::Departed`], for good.
    async fn depart(&self, owner: &str) -> Result<(), Error>;
    /// Those of an owner after an id, in the order of their ids.
    async fn of(
        &self,
        owner: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<GenerationRecord>, Error>;
    /// Those of an owner that have not ended.
    async fn open_of(&self, owner: &str, limit: u32) -> Result<Vec<String>, Error>;
}

/// Usage events that wait to be counted; they are written by [`Record::finish`].
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// The oldest that wait.
    async fn pending(&self, limit: u32) -> Result<Vec<UsageEvent>, Error>;
    /// How many of an owner wait.
    async fn waiting(&self, owner: &str) -> Result<u64, Error>;
    /// They were counted, and wait no longer.
    async fn acknowledge(&self, ids: &[String]) -> Result<(), Error>;
}

/// Brings usage events to where they are counted.
#[async_trait]
pub trait Courier: Send + Sync + 'static {
    /// Returns when all of them are counted, or known already. A fault of the kind `Invalid` says that at least one of
    /// them can never be counted, and that none of these was.
    async fn deliver(&self, events: Vec<UsageEvent>) -> Result<(), Fault>;
}

/// What a journal knows of a generation after a sequence.
#[derive(Debug)]
pub struct Replay {
    /// The events after it, oldest first; the first may be a snapshot in place of what was dropped.
    pub events: Vec<GenerationEvent>,
    /// Whether the last event of the generation is among them, or before them.
    pub ended: bool,
}

/// A bounded replay buffer.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Begins a generation, or continues it under a higher epoch.
    async fn open(&self, lease: &Lease) -> Result<(), Error>;
    /// Appends an event. Refused when another epoch has the generation.
    async fn append(&self, lease: &Lease, event: GenerationEvent) -> Result<(), Error>;
    /// What came after a sequence; `None` when the journal does not know the generation.
    async fn read(&self, id: &str, after: i64) -> Result<Option<Replay>, Error>;
    /// Returns when there may be something after a sequence, or when the generation has ended or was dropped.
    async fn wait(&self, id: &str, after: i64);
    /// Drops what is not needed any more.
    async fn sweep(&self);
    /// Drops one generation; whoever waits for it returns.
    async fn forget(&self, id: &str);
    /// Drops a generation that its owner leaves without an end, unless another epoch has it by now.
    async fn abandon(&self, lease: &Lease);
}

/// The work that a provider is given.
#[derive(Clone, Debug)]
pub struct Job {
    /// The generation.
    pub id: String,
    /// The account it belongs to.
    pub owner: String,
    /// Which method started it.
    pub kind: String,
    /// Everything that is needed, in the service's own encoding.
    pub task: Bytes,
    /// The model that was chosen.
    pub model: String,
    /// When it was asked for.
    pub create_time: Micros,
}

/// What a provider ends with.
#[derive(Clone, Debug, Default)]
pub struct Finish {
    /// What was used; final.
    pub usage: Usage,
    /// Why it came to its end.
    pub reason: FinishReason,
    /// The stored result, where there is one; told after the rows say so.
    pub artifact: Option<Artifact>,
    /// What the service's own rows keep, in the service's own encoding.
    pub details: Bytes,
}

/// Why a generation failed: told to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A constant in UPPER_SNAKE_CASE.
    pub reason: String,
    /// A sentence for a person; never an internal detail.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl Failure {
    /// A failure that may pass.
    pub fn passing(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
            retryable: true,
        }
    }

    /// A failure that would come again.
    pub fn lasting(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
            retryable: false,
        }
    }

    /// A failure of ours: logged here with its source, told without it.
    pub fn internal(source: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %atelier_kit::fault::chain(source), "a generation failed inside");
        Self::passing("INTERNAL", "an internal error ended the generation")
    }
}

impl From<Stopped> for Failure {
    fn from(_: Stopped) -> Self {
        Self::passing("INTERRUPTED", "the generation was interrupted")
    }
}

/// The work itself. Its future is dropped when the generation is cancelled: everything it began must end with it.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Works, and tells of it through `out`.
    async fn run(&self, job: &Job, out: &Emitter) -> Result<Finish, Failure>;
    /// Makes a stored artifact presentable again: a fresh URL in place of one that has expired.
    async fn present(&self, artifact: Artifact) -> Artifact {
        artifact
    }
}

/// Pays for generations, under the service's own identity.
#[async_trait]
pub trait Purse: Send + Sync + 'static {
    /// Reserves the worst case. An error refuses the generation, which then fails with its reason.
    async fn reserve(&self, job: &Job) -> Result<(), Failure>;
    /// Charges what was used. Idempotent by the generation.
    async fn settle(&self, id: &str, usage: &Usage) -> Result<(), Error>;
    /// Gives the reservation back. Idempotent by the generation.
    async fn release(&self, id: &str) -> Result<(), Error>;
}

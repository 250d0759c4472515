//! The ports of a generation, in domain words; nothing here names a database, a wire or a medium.

use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::fault::Fault;
use atelier_kit::moment::{self, Micros};
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::{
    Allowance, Artifact, Failed, FinishReason, GenerationEvent, Snapshot, State, Usage,
};
use atelier_proto::model::v1::Price;
use atelier_proto::users::v1::Medium;
use bytes::Bytes;

use crate::emitter::{Emitter, Stopped};
use crate::error::Error;
use crate::reasons::STORE_BUSY;

pub use crate::known::{
    End, GenerationRecord, Inserted, Lease, Listing, NewGeneration, Open, Repeat, Settlement,
};

/// The durable truth. Every write is one transaction with the service's own rows.
#[async_trait]
pub trait Record: Send + Sync + 'static {
    /// Inserts a generation, owned by the caller under epoch 1, or finds the one of the same `request_id`. `state` is
    /// QUEUED, or RUNNING when it has its turn already and may be sent without a further word.
    async fn insert(&self, new: &NewGeneration, state: State) -> Result<Inserted, Error>;
    /// The generation that the same request made before, where there is one.
    async fn repeated(&self, again: Repeat<'_>) -> Result<Option<GenerationRecord>, Error>;
    /// Reads one.
    async fn find(&self, id: &str) -> Result<Option<GenerationRecord>, Error>;
    /// Writes the state so far and beats the heart; a state that was RUNNING stays so. Returns whether a cancel was asked
    /// for.
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
    /// Beats the hearts of many that wait for their turn. Returns the ids of those whose lease is lost.
    async fn beat(&self, leases: &[Lease]) -> Result<Vec<String>, Error>;
    /// Gives back what waits and of which nothing was sent: whoever sees it may claim it at once.
    async fn release(&self, leases: &[Lease]) -> Result<(), Error>;
    /// Those that have not ended and whose end was asked for.
    async fn cancelled(&self) -> Result<Vec<String>, Error>;
    /// All that have not ended, the oldest first.
    async fn open(&self) -> Result<Vec<Open>, Error>;
    /// Takes over from owners whose epoch and heartbeat are still these, in this order; those for which somebody was
    /// faster are left out.
    async fn claim(&self, seen: &[Open]) -> Result<Vec<GenerationRecord>, Error>;
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
    /// Those of an owner before an id, the newest first.
    async fn list(
        &self,
        owner: &str,
        before: Option<&str>,
        open_only: bool,
        limit: i64,
    ) -> Result<Vec<Listing>, Error>;
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

/// What the purse has not acknowledged yet; written by [`Record::finish`].
#[async_trait]
pub trait Settlements: Send + Sync + 'static {
    /// Those after an id, in the order of their ids.
    async fn unsettled(&self, after: &str, limit: u32) -> Result<Vec<Settlement>, Error>;
    /// The one of this generation, where it waits.
    async fn owed(&self, id: &str) -> Result<Option<Settlement>, Error>;
    /// The purse has these.
    async fn settled(&self, ids: &[String]) -> Result<(), Error>;
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
    /// Whether the last event of the generation is among them, or before them. Where it is not, there may be more of them
    /// already than could be read at once.
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
    /// Where it is kept, as the inventory tells it.
    fn told(&self) -> String;
    /// Whether it is there.
    async fn ping(&self) -> Result<(), Error>;
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
    /// When it may at the earliest, where that is known.
    pub retry_time: Option<Micros>,
}

impl Failure {
    /// A failure that may pass.
    pub fn passing(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
            retryable: true,
            retry_time: None,
        }
    }

    /// A failure that would come again.
    pub fn lasting(reason: &str, message: impl Into<String>) -> Self {
        Self {
            retryable: false,
            ..Self::passing(reason, message)
        }
    }

    /// The same, and not before so long from now.
    #[must_use]
    pub fn not_before(self, wait: Duration) -> Self {
        Self {
            retry_time: Some(moment::now().saturating_add(moment::span(wait))),
            ..self
        }
    }

    /// A failure of ours: logged here with its source, told without it. A database or an object store that is away for a moment is
    /// none, and passes.
    pub fn internal(source: &(dyn std::error::Error + 'static)) -> Self {
        if atelier_kit::fault::is_away(source) {
            tracing::warn!(error = %atelier_kit::fault::chain(source), "a generation needs an engine that is away");
            return Self::passing(
                STORE_BUSY,
                "what the generation needs is kept where nobody answers; try again",
            );
        }
        tracing::error!(error = %atelier_kit::fault::chain(source), "a generation failed inside");
        Self::passing("INTERNAL", "an internal error ended the generation")
    }
}

/// As its owner is told.
impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self {
            reason: failure.reason,
            message: failure.message,
            retryable: failure.retryable,
            retry_time: failure.retry_time.map(moment::timestamp),
        }
    }
}

impl From<Stopped> for Failure {
    fn from(_: Stopped) -> Self {
        Self::passing("INTERRUPTED", "the generation was interrupted")
    }
}

/// The most that a generation can cost, before anything of it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    /// What it is paid as.
    pub medium: Medium,
    /// The model whose prices hold, whoever makes it in the end.
    pub model: String,
    /// The most it can use. What nothing is charged for may be left out.
    pub worst: Usage,
    /// The prices as they were when it was asked for: it keeps them, however long it waits. What is not there costs nothing.
    pub prices: Vec<Price>,
}

/// The work itself. Its future is dropped when the generation is cancelled: everything it began must end with it.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The most that this can cost; asked when it has its turn, before it is paid for and sent. A failure ends it.
    async fn quote(&self, job: &Job) -> Result<Quote, Failure>;
    /// Works, and tells of it through `out`.
    async fn run(&self, job: &Job, out: &Emitter) -> Result<Finish, Failure>;
    /// What is charged for a generation that was cancelled before its provider gave a figure, by what was delivered of it.
    /// Nothing delivered is nothing charged, and so is a provider that delivers all at its end.
    async fn estimate(&self, job: &Job, delivered: &Snapshot) -> Usage {
        let _ = (job, delivered);
        Usage::default()
    }
    /// Makes a stored artifact presentable again: a fresh URL in place of one that has expired.
    async fn present(&self, artifact: Artifact) -> Artifact {
        artifact
    }
}

/// Pays for generations, under the service's own identity. All of it is idempotent by the generation: an owner that took
/// over reserves again, and an end is told until it is acknowledged, by several processes where they share a record.
#[async_trait]
pub trait Purse: Send + Sync + 'static {
    /// Reserves the worst case, before anything is sent. An error refuses the generation, which then fails with its reason.
    /// A reservation that comes after the end of its generation was told must be refused: its owner was too slow.
    async fn reserve(&self, job: &Job, quote: &Quote) -> Result<Allowance, Failure>;
    /// Charges what was used, and gives the rest of the reservation back.
    async fn settle(&self, id: &str, usage: &Usage) -> Result<(), Error>;
    /// Gives the reservation back; there may have been none.
    async fn release(&self, id: &str) -> Result<(), Error>;
}

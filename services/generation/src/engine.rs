//! Starting, watching and cancelling generations; the running itself is in `owner`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atelier_kit::fault::{Fault, Kind};
use atelier_proto::generation::v1::State;
use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::Error;
use crate::events::{EventStream, follow};
use crate::owner;
use crate::ports::{
    Courier, GenerationRecord, Inserted, Journal, NewGeneration, Outbox, Provider, Purse, Record,
};
use crate::turns::Turns;

/// What an engine is made of.
pub struct Parts {
    /// The role that is told to analytics as the source.
    pub role: &'static str,
    /// The durable truth.
    pub record: Arc<dyn Record>,
    /// The replay buffer.
    pub journal: Arc<dyn Journal>,
    /// The work.
    pub provider: Arc<dyn Provider>,
    /// The money.
    pub purse: Arc<dyn Purse>,
    /// Usage events that wait.
    pub outbox: Arc<dyn Outbox>,
    /// Where they are counted.
    pub courier: Arc<dyn Courier>,
    /// How many generations work at once; more wait for their turn in the order they came.
    pub at_once: usize,
    /// How long an owner's heartbeat may stand still before it is taken for dead.
    pub lease: Duration,
    /// Cancelled when background work must end.
    pub stop: CancellationToken,
    /// Background work is spawned here.
    pub tasks: TaskTracker,
}

/// The generations of one service. Clones are the same.
#[derive(Clone)]
pub struct Generations {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    turns: Turns,
    running: Mutex<HashMap<String, Handle>>,
    works: TaskTracker,
    ended: Arc<Notify>,
    interrupt: CancellationToken,
}

/// How a running generation is reached from outside.
#[derive(Clone)]
pub(crate) struct Handle {
    /// Its owner asked for its end.
    pub(crate) cancel: CancellationToken,
    /// The process ends.
    pub(crate) interrupt: CancellationToken,
}

/// Being known as running here, until it is dropped: also when the work panics.
struct Registration {
    engine: Generations,
    id: String,
    handle: Handle,
    /// Whether this one made the entry: a repeated call may come with an id that runs already.
    own: bool,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if self.own {
            self.engine.running().remove(&self.id);
        }
    }
}

impl Generations {
    /// Begins: also the courier's rounds and the watch over dead owners, both until `stop`.
    pub fn new(parts: Parts) -> Self {
        let engine = Self {
            inner: Arc::new(Inner {
                turns: Turns::new(parts.at_once),
                running: Mutex::default(),
                works: TaskTracker::new(),
                ended: Arc::new(Notify::new()),
                interrupt: CancellationToken::new(),
                parts,
            }),
        };
        let parts = &engine.inner.parts;
        parts.tasks.spawn(crate::courier::rounds(
            parts.outbox.clone(),
            parts.courier.clone(),
            engine.inner.ended.clone(),
            parts.stop.clone(),
        ));
        parts.tasks.spawn(crate::sweep::watch(
            engine.clone(),
            parts.lease,
            parts.stop.clone(),
        ));
        engine
    }

    /// Starts a generation, or joins the one of the same `request_id`, and follows it from its beginning.
    pub async fn start(&self, new: NewGeneration) -> Result<EventStream, Error> {
        let engine = self.clone();
        // A task of its own: a caller that goes away in the middle leaves no generation that nobody works on.
        let begun = self
            .inner
            .works
            .spawn(async move { engine.begin(&new).await });
        let record = begun.await.map_err(Error::store)??;
        Ok(follow(self.clone(), record, 0))
    }

    async fn begin(&self, new: &NewGeneration) -> Result<GenerationRecord, Error> {
        if self.inner.interrupt.is_cancelled() {
            let stopping = Fault::new(Kind::Unavailable, "STOPPING", "the service is stopping");
            return Err(Error::Refused(stopping));
        }
        // Known before it is there, so that a cancel which finds the record finds the work too.
        let registration = self.register(&new.id);
        match self.record().insert(new).await? {
            Inserted::New(record) => {
                self.journal().open(&record.lease()).await?;
                self.spawn(*record.clone(), registration);
                Ok(*record)
            }
            Inserted::Existing(record) => Ok(*record),
        }
    }

    /// Follows a generation of this owner after a sequence.
    pub async fn watch(&self, owner: &str, id: &str, after: i64) -> Result<EventStream, Error> {
        let record = self.find(owner, id).await?;
        Ok(follow(self.clone(), record, after))
    }

    /// Asks for the end of a generation of this owner. Returns where it stood.
    pub async fn cancel(&self, owner: &str, id: &str) -> Result<State, Error> {
        self.find(owner, id).await?;
        let state = self
            .record()
            .request_cancel(id)
            .await?
            .ok_or(Error::NotFound)?;
        if let Some(handle) = self.running().get(id) {
            handle.cancel.cancel();
        }
        Ok(state)
    }

    /// Cancels a generation and waits until it has ended, for at most `limit`; then forgets it. Its service deletes
    /// its own rows after that. One that does not exist is forgotten already.
    pub async fn forget(&self, owner: &str, id: &str, limit: Duration) -> Result<(), Error> {
        match self.cancel(owner, id).await {
            Ok(_) => {}
            Err(Error::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        }
        let begun = std::time::Instant::now();
        while let Some(record) = self.record().find(id).await? {
            if record.has_ended() {
                self.record().forget(id).await?;
                break;
            }
            if begun.elapsed() > limit {
                return Err(Error::LeaseLost);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.journal().forget(id).await;
        Ok(())
    }

    /// Reads a generation of this owner.
    pub async fn find(&self, owner: &str, id: &str) -> Result<GenerationRecord, Error> {
        self.record()
            .find(id)
            .await?
            .filter(|record| record.owner == owner)
            .ok_or(Error::NotFound)
    }

    /// Ends everything that runs here as interrupted, durably, and returns when it has; nothing starts any more.
    pub async fn interrupt(&self) {
        self.inner.interrupt.cancel();
        self.inner.works.close();
        self.inner.works.wait().await;
    }

    /// How many generations this process works on, those that wait for their turn included.
    pub fn under_way(&self) -> usize {
        self.running().len()
    }

    fn register(&self, id: &str) -> Registration {
        let fresh = Handle {
            cancel: CancellationToken::new(),
            interrupt: self.inner.interrupt.child_token(),
        };
        let (handle, own) = match self.running().entry(id.to_owned()) {
            Entry::Vacant(entry) => (entry.insert(fresh).clone(), true),
            Entry::Occupied(entry) => (entry.get().clone(), false),
        };
        Registration {
            engine: self.clone(),
            id: id.to_owned(),
            handle,
            own,
        }
    }

    fn spawn(&self, record: GenerationRecord, registration: Registration) {
        // Here and not in the task, so that turns come in the order of the starts.
        let ticket = self.inner.turns.take();
        let engine = self.clone();
        self.inner.works.spawn(async move {
            let lease = record.lease();
            let run = owner::run(&engine, &record, ticket, &registration.handle);
            let told = AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|panic| {
                tracing::error!(generation = %lease.id, panic = owner::words(panic.as_ref()), "an owner panicked");
                false
            });
            if !told {
                // Its watchers look at the record from now on.
                engine.journal().abandon(&lease).await;
            }
            drop(registration);
            engine.tell_courier();
        });
    }

    /// There may be a usage event to bring.
    pub(crate) fn tell_courier(&self) {
        self.inner.ended.notify_one();
    }

    pub(crate) fn is_running(&self, id: &str) -> bool {
        self.running().contains_key(id)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, Handle>> {
        self.inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn role(&self) -> &'static str {
        self.inner.parts.role
    }

    pub(crate) fn record(&self) -> &Arc<dyn Record> {
        &self.inner.parts.record
    }

    pub(crate) fn outbox(&self) -> &Arc<dyn Outbox> {
        &self.inner.parts.outbox
    }

    pub(crate) fn journal(&self) -> &Arc<dyn Journal> {
        &self.inner.parts.journal
    }

    pub(crate) fn provider(&self) -> &Arc<dyn Provider> {
        &self.inner.parts.provider
    }

    pub(crate) fn purse(&self) -> &Arc<dyn Purse> {
        &self.inner.parts.purse
    }

    pub(crate) fn lease(&self) -> Duration {
        self.inner.parts.lease
    }
}

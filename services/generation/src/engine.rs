//! Starting, watching and cancelling generations; the running itself is in `owner`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atelier_kit::fault::{Fault, Kind};
use atelier_proto::generation::v1::{Standing, State};
use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::end::used_something;
use crate::error::Error;
use crate::events::{EventStream, follow};
use crate::looks::{Waiting, WeakGenerations};
use crate::measure::Output;
use crate::owner;
use crate::ports::{
    Courier, GenerationRecord, Inserted, Journal, Lease, NewGeneration, Outbox, Provider, Purse,
    Record, Repeat, Settlements,
};
use crate::queue::{Full, Place, Queue, Ticket, Turns};

/// What an engine is made of.
pub struct Parts {
    /// The role that is told to analytics as the source.
    pub role: &'static str,
    /// What is put out, as it is told to those who watch the mesh.
    pub output: Output,
    /// The durable truth.
    pub record: Arc<dyn Record>,
    /// The replay buffer.
    pub journal: Arc<dyn Journal>,
    /// The work.
    pub provider: Arc<dyn Provider>,
    /// The money.
    pub purse: Arc<dyn Purse>,
    /// What the purse has not acknowledged.
    pub settlements: Arc<dyn Settlements>,
    /// Usage events that wait.
    pub outbox: Arc<dyn Outbox>,
    /// Where they are counted.
    pub courier: Arc<dyn Courier>,
    /// How many generations work at once, and how the others wait for their turn.
    pub turns: Turns,
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
    pub(crate) inner: Arc<Inner>,
}

/// What all clones share.
pub(crate) struct Inner {
    parts: Parts,
    queue: Queue,
    running: Mutex<HashMap<String, Handle>>,
    waiting: Waiting,
    /// What was given back at the end of the process, and is not written yet.
    handed_over: Mutex<Vec<Lease>>,
    works: TaskTracker,
    /// Looks at the record for all that is under way; they end by themselves.
    looks: TaskTracker,
    /// Something runs here.
    busy: Arc<Notify>,
    /// There may be something to count.
    ended: Arc<Notify>,
    /// There may be something to settle.
    owed: Arc<Notify>,
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
    /// Begins: also the rounds of courier and purse, and the watch over dead owners, all until `stop`.
    pub fn new(parts: Parts) -> Self {
        let engine = Self {
            inner: Arc::new(Inner {
                queue: Queue::new(parts.turns.clone()),
                running: Mutex::default(),
                waiting: Waiting::default(),
                handed_over: Mutex::default(),
                works: TaskTracker::new(),
                looks: TaskTracker::new(),
                busy: Arc::default(),
                ended: Arc::default(),
                owed: Arc::default(),
                interrupt: CancellationToken::new(),
                parts,
            }),
        };
        crate::looks::begin(&engine, &engine.inner.looks, &engine.inner.busy);
        let parts = &engine.inner.parts;
        parts.tasks.spawn(crate::settling::rounds(
            parts.settlements.clone(),
            parts.purse.clone(),
            engine.inner.owed.clone(),
            parts.stop.clone(),
        ));
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
        let begun = async move { engine.begin(&new).await };
        let begun = self.inner.works.spawn(begun.in_current_span());
        let record = begun.await.map_err(Error::store)??;
        Ok(follow(self.clone(), record, 0))
    }

    /// Follows the generation that the same request made before, from its beginning; `None` when there is none.
    pub async fn join(&self, again: Repeat<'_>) -> Result<Option<EventStream>, Error> {
        match self.record().repeated(again).await {
            Ok(record) => Ok(record.map(|record| follow(self.clone(), record, 0))),
            Err(Error::RequestIdReused) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn begin(&self, new: &NewGeneration) -> Result<GenerationRecord, Error> {
        if self.inner.interrupt.is_cancelled() {
            let stopping = Fault::new(Kind::Unavailable, "STOPPING", "the service is stopping");
            return Err(Error::Refused(stopping));
        }
        // Known before it is there, so that a cancel which finds the record finds the work too.
        let registration = self.register(&new.id);
        let ticket = match registration.own {
            true => self
                .inner
                .queue
                .take(&new.provider, &new.owner, &new.id, new.priority),
            false => Err(Full),
        };
        let Ok(ticket) = ticket else {
            // One that was accepted before is joined all the same.
            let known = self.record().repeated(new.again()).await?;
            return known.ok_or(Error::QueueFull);
        };
        // One that has its turn at once says so as it is written, and needs no second word before it is sent.
        let state = match ticket.place() {
            Place::Turn => State::Running,
            Place::Waiting(_) => State::Queued,
        };
        // Before it is there: while the journal is away nothing is accepted of which nothing could be told.
        let first = Lease {
            id: new.id.clone(),
            epoch: 1,
        };
        self.journal().open(&first).await?;
        let inserted = self.record().insert(new, state).await;
        if !matches!(inserted, Ok(Inserted::New(_))) {
            self.journal().abandon(&first).await;
        }
        match inserted? {
            Inserted::New(record) => {
                self.spawn(*record.clone(), ticket, registration);
                Ok(*record)
            }
            Inserted::Existing(record) => Ok(*record),
        }
    }

    /// Runs what was claimed from an owner that is gone, and of which nothing was sent.
    pub(crate) async fn adopt(&self, record: GenerationRecord) -> Result<(), Error> {
        let registration = self.register(&record.id);
        if !registration.own {
            // The work of an epoch before is still being put away here; the next look comes back to it.
            return Ok(());
        }
        self.journal().open(&record.lease()).await?;
        let ticket =
            self.inner
                .queue
                .readmit(&record.provider, &record.owner, &record.id, record.priority);
        self.spawn(record, ticket, registration);
        Ok(())
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

    /// How a generation stands with what it is charged; no state is set for one that nobody knows here.
    pub(crate) async fn standing(&self, id: &str) -> Result<Standing, Error> {
        let record = self.record().find(id).await?;
        let Some(record) = record else {
            // Its record may be gone while the purse still waits to hear of its end.
            let owed = self.inner.parts.settlements.owed(id).await?;
            return Ok(owed.map_or_else(Standing::default, |owed| Standing {
                state: match owed.charge {
                    Some(_) => State::Completed,
                    None => State::Failed,
                }
                .into(),
                charge: owed.charge,
            }));
        };
        let pays = record.has_ended() && record.state != State::Failed;
        Ok(Standing {
            state: record.state.into(),
            charge: record
                .snapshot
                .usage
                .filter(|usage| pays && used_something(*usage)),
        })
    }

    /// Ends everything that runs here as interrupted, and gives back what waits for its turn, durably; returns when that is
    /// done. Nothing starts any more.
    pub async fn interrupt(&self) {
        self.inner.interrupt.cancel();
        self.inner.works.close();
        self.inner.works.wait().await;
        let leases = std::mem::take(&mut *locked(&self.inner.handed_over));
        for leases in leases.chunks(500) {
            if let Err(error) = self.record().release(leases).await {
                // Then they are taken over when their owner has been silent for long enough.
                tracing::warn!(error = %atelier_kit::fault::chain(&error), "waiting generations were not given back");
            }
        }
        if !leases.is_empty() {
            tracing::info!(
                generations = leases.len(),
                "waiting generations were given back"
            );
        }
    }

    /// Whether this process ends.
    pub(crate) fn is_stopping(&self) -> bool {
        self.inner.interrupt.is_cancelled()
    }

    /// This one is given back at the end of [`Generations::interrupt`].
    pub(crate) fn hand_over(&self, lease: Lease) {
        locked(&self.inner.handed_over).push(lease);
    }

    /// Where their events are journalled, as the inventory tells it.
    pub fn journal_told(&self) -> String {
        self.journal().told()
    }

    /// Whether the journal is there.
    pub async fn ask_journal(&self) -> Result<(), String> {
        let asked = self.journal().ping().await;
        asked.map_err(|error| atelier_kit::fault::chain(&error).to_string())
    }

    /// How many generations this process works on, those that wait for their turn included.
    pub fn under_way(&self) -> usize {
        self.running().len()
    }

    fn register(&self, id: &str) -> Registration {
        self.inner.busy.notify_one();
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

    fn spawn(&self, record: GenerationRecord, ticket: Ticket, registration: Registration) {
        let engine = self.clone();
        let work = async move {
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
            engine.tell_couriers();
        };
        self.inner.works.spawn(work.in_current_span());
    }

    /// There may be a usage event to bring, and something to settle.
    pub(crate) fn tell_couriers(&self) {
        self.inner.ended.notify_one();
        self.inner.owed.notify_one();
    }

    pub(crate) fn weak(&self) -> WeakGenerations {
        WeakGenerations::of(&self.inner)
    }

    /// Cancels those of these that run here.
    pub(crate) fn cancel_here(&self, ids: &[String]) {
        let running = self.running();
        for handle in ids.iter().filter_map(|id| running.get(id)) {
            handle.cancel.cancel();
        }
    }

    pub(crate) fn waiting(&self) -> &Waiting {
        &self.inner.waiting
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.inner.queue
    }

    pub(crate) fn is_running(&self, id: &str) -> bool {
        self.running().contains_key(id)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Handle>> {
        locked(&self.inner.running)
    }

    pub(crate) fn output(&self) -> Output {
        self.inner.parts.output
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

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The stage of these tests: rows, purse and courier that can be looked into and made to fail, and one engine a process.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_generation::journal::Bounds;
use atelier_generation::store::Projection;
use atelier_generation::{
    Courier, End, EventStream, GenerationRecord, Generations, Journal, NewGeneration, Open, Output,
    Owners, Parts, Priority, Purse, Refusal, Turns,
};
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::moment;
use atelier_kit::sql::{self, Writer};
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::{GenerationEvent, State};
use bytes::Bytes;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use crate::book::Book;
use crate::fragile::{Faults, Fragile};
use crate::ground::{Ground, Kept};
use crate::puppet::Puppets;
pub use crate::reading::{assert_whole, collect, fold, is_last, next, text, timeless};

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The rows of the service that these generations belong to.
#[derive(Default)]
pub struct Rows {
    /// How many ends are refused by the database before one goes through.
    pub failing: AtomicU32,
    /// Panics at the next end.
    pub panicking: AtomicBool,
}

#[async_trait]
impl Projection for Rows {
    async fn created(&self, writer: &mut Writer, new: &NewGeneration) -> Result<(), Refusal> {
        sql::query("INSERT INTO pieces (id, owner, state, text, ends) VALUES ($1, $2, 1, '', 0)")
            .bind(&new.id)
            .bind(&new.owner)
            .execute(writer)
            .await?;
        // After the row, so that leaving nothing behind is the transaction's merit.
        if new.task.as_ref() == b"forbidden" {
            return Err(Fault::new(Kind::Precondition, "FORBIDDEN", "not this one").into());
        }
        Ok(())
    }

    async fn ended(
        &self,
        writer: &mut Writer,
        record: &GenerationRecord,
        end: &End,
    ) -> Result<(), sqlx::Error> {
        sql::query("UPDATE pieces SET state = $1, text = $2, ends = ends + 1 WHERE id = $3")
            .bind(i32::from(end.state))
            .bind(&end.snapshot.text)
            .bind(&record.id)
            .execute(writer)
            .await?;
        if self.panicking.swap(false, Ordering::SeqCst) {
            panic!("the rows fell over");
        }
        if self.failing.load(Ordering::SeqCst) > 0 {
            self.failing.fetch_sub(1, Ordering::SeqCst);
            return Err(sqlx::Error::Decode("the rows refuse".into()));
        }
        Ok(())
    }
}

/// A row of the service.
#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Piece {
    pub id: String,
    pub owner: String,
    pub state: i32,
    pub text: String,
    pub ends: i64,
}

/// A courier that counts, and that can be kept from it.
#[derive(Default)]
pub struct Van {
    pub counted: Mutex<Vec<UsageEvent>>,
    pub down: AtomicBool,
    pub tries: AtomicU32,
    pub invalid: Mutex<HashSet<String>>,
}

impl Van {
    /// How often each event was counted.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for event in self.counted.lock().unwrap().iter() {
            *counts.entry(event.id.clone()).or_default() += 1;
        }
        counts
    }
}

#[async_trait]
impl Courier for Van {
    async fn deliver(&self, events: Vec<UsageEvent>) -> Result<(), Fault> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(Fault::new(Kind::Unavailable, "DOWN", "the road is closed"));
        }
        let invalid = self.invalid.lock().unwrap();
        if events.iter().any(|event| invalid.contains(&event.id)) {
            return Err(Fault::new(
                Kind::Invalid,
                "INVALID_REQUEST",
                "one of them is not an event",
            ));
        }
        self.counted.lock().unwrap().extend(events);
        Ok(())
    }
}

/// How a process is set up.
pub struct Plan {
    pub lease: Duration,
    pub at_once: usize,
    /// How many percent of one owner.
    pub share: usize,
    /// How many of one owner may wait.
    pub waiting: usize,
    pub bounds: Bounds,
    /// A journal that is shared with another process, as Redis would be.
    pub journal: Option<Arc<dyn Journal>>,
    /// Who pays, in place of the book of this process.
    pub purse: Option<Arc<dyn Purse>>,
    /// Whether it brings usage events and takes over from the dead.
    pub background: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(6),
            at_once: 16,
            share: 100,
            waiting: 1000,
            bounds: Bounds::default(),
            journal: None,
            purse: None,
            background: true,
        }
    }
}

/// Waits until no usage event waits any more: longer than the longest pause between two tries of a courier.
pub async fn emptied(record: &Arc<dyn Kept>) {
    let begun = Instant::now();
    while !record.pending(1).await.unwrap().is_empty() {
        assert!(
            begun.elapsed() < PATIENCE * 2,
            "the outbox is never emptied"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One process: an engine with everything around it.
pub struct Process {
    pub database: Ground,
    pub record: Arc<dyn Kept>,
    /// What stands between the engine and its record.
    pub faults: Arc<Faults>,
    pub journal: Arc<dyn Journal>,
    pub puppets: Puppets,
    pub rows: Arc<Rows>,
    pub van: Arc<Van>,
    pub book: Arc<Book>,
    pub engine: Generations,
    _stop: DropGuard,
}

/// The file that processes share.
pub fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("pieces.db")
}

/// Opens the file, or what stands for it, with what the generations need and what the service does.
pub async fn database(path: &Path) -> Ground {
    Ground::open(path).await
}

impl Process {
    /// Starts one on this file.
    pub async fn start(path: &Path, plan: Plan) -> Self {
        Self::on(database(path).await, path, plan)
    }

    /// Starts one on this database, which has the tables; the path is what its processes share their journal by.
    pub fn on(database: Ground, path: &Path, plan: Plan) -> Self {
        let rows = Arc::new(Rows::default());
        let record = database.record(rows.clone());
        let journal = plan
            .journal
            .unwrap_or_else(|| crate::journal::of(path, plan.bounds));
        let faults = Arc::new(Faults::default());
        let fragile = Arc::new(Fragile {
            record: record.clone(),
            faults: faults.clone(),
        });
        let puppets = Puppets::default();
        let (van, book) = (Arc::new(Van::default()), Arc::new(Book::default()));
        let stop = CancellationToken::new();
        if !plan.background {
            stop.cancel();
        }
        let engine = Generations::new(Parts {
            role: "pieces",
            output: Output::Text,
            record: fragile.clone(),
            journal: journal.clone(),
            provider: Arc::new(puppets.clone()),
            purse: plan.purse.unwrap_or_else(|| book.clone()),
            settlements: fragile.clone(),
            outbox: fragile,
            courier: van.clone(),
            turns: Turns::each(plan.at_once).with(Owners {
                share: plan.share,
                waiting: plan.waiting,
            }),
            lease: plan.lease,
            stop: stop.clone(),
            tasks: TaskTracker::new(),
        });
        Self {
            database,
            record,
            faults,
            journal,
            puppets,
            rows,
            van,
            book,
            engine,
            _stop: stop.drop_guard(),
        }
    }

    /// Starts a generation of ana's and returns its id and its events.
    pub async fn begin(&self) -> (String, EventStream) {
        let new = piece("ana", None, "a body");
        let id = new.id.clone();
        (id, self.engine.start(new).await.unwrap())
    }

    /// Starts one of somebody's and returns its id and its events.
    pub async fn begin_of(&self, owner: &str, priority: i64) -> (String, EventStream) {
        let mut new = piece(owner, None, "a body");
        new.priority = Priority::of_weight(priority);
        let id = new.id.clone();
        (id, self.engine.start(new).await.unwrap())
    }

    /// Leaves one behind that an owner inserted and died, before anything of it was sent or after.
    pub async fn left_behind(&self, new: &NewGeneration, sent: bool) -> GenerationRecord {
        let state = if sent { State::Running } else { State::Queued };
        self.record.insert(new, state).await.unwrap();
        self.record.find(&new.id).await.unwrap().unwrap()
    }

    /// Takes over from the owner of this record.
    pub async fn claim(&self, record: &GenerationRecord) -> Option<GenerationRecord> {
        let seen = Open {
            lease: record.lease(),
            heartbeat: record.heartbeat,
            released: false,
        };
        self.record.claim(&[seen]).await.unwrap().pop()
    }

    /// Waits until the purse has heard of all that ended.
    pub async fn settled(&self) {
        atelier_kit::testing::eventually("all is settled", || async {
            self.record.unsettled("", 1).await.unwrap().is_empty()
        })
        .await;
    }

    /// All rows of the service.
    pub async fn pieces(&self) -> Vec<Piece> {
        self.database.pieces().await
    }

    /// The row of a generation.
    pub async fn piece(&self, id: &str) -> Piece {
        self.pieces()
            .await
            .into_iter()
            .find(|piece| piece.id == id)
            .unwrap()
    }

    /// The record of a generation of ana's.
    pub async fn find(&self, id: &str) -> GenerationRecord {
        self.engine.find("ana", id).await.unwrap()
    }

    /// Whether all there is has ended.
    pub async fn database_is_quiet(&self) -> bool {
        self.record.open().await.is_ok_and(|open| open.is_empty())
    }

    /// The record of a generation as it is in the database, whoever can see it.
    pub async fn record_of(&self, id: &str) -> GenerationRecord {
        self.record.find(id).await.unwrap().unwrap()
    }

    /// Waits until a generation of ana's has ended, and returns its record.
    pub async fn ended(&self, id: &str) -> GenerationRecord {
        let begun = Instant::now();
        loop {
            let record = self.find(id).await;
            if record.has_ended() {
                return record;
            }
            assert!(begun.elapsed() < PATIENCE, "{id} never ended");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Watches a generation of ana's to its end.
    pub async fn watch(&self, id: &str, after: i64) -> Vec<GenerationEvent> {
        collect(self.engine.watch("ana", id, after).await.unwrap()).await
    }

    /// Waits until nothing runs here: the work is put away a moment after its end was told.
    pub async fn idle(&self) {
        atelier_kit::testing::eventually("nothing runs", || async { self.engine.under_way() == 0 })
            .await;
    }

    /// Drops what the journal knows of a generation.
    pub async fn lose_journal(&self, id: &str) {
        self.journal.forget(id).await;
    }
}

/// A new generation.
pub fn piece(owner: &str, request_id: Option<&str>, body: &str) -> NewGeneration {
    NewGeneration {
        id: moment::new_id(),
        owner: owner.to_owned(),
        request_id: request_id.map(str::to_owned),
        kind: "make-piece",
        body: body.as_bytes().to_vec(),
        task: Bytes::copy_from_slice(body.as_bytes()),
        provider: "puppets".to_owned(),
        model: "wood".to_owned(),
        subject: format!("a shelf of {owner}"),
        priority: Priority::default(),
    }
}

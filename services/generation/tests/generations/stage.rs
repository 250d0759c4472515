//! The stage of these tests: rows, purse and courier that can be looked into and made to fail, and one engine a process.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_generation::journal::{Bounds, MemoryJournal};
use atelier_generation::store::{Projection, SqliteRecord, migrations};
use atelier_generation::{
    Courier, End, EventStream, GenerationRecord, Generations, Journal, NewGeneration, Open,
    Outbox as _, Output, Owners, Parts, Priority, Purse, Record as _, Refusal, Settlements as _,
    Turns,
};
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::moment;
use atelier_kit::sqlite::{Database, Writer};
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::{GenerationEvent, State};
use bytes::Bytes;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use crate::book::Book;
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
        sqlx::query("INSERT INTO pieces (id, owner, state, text, ends) VALUES ($1, $2, 1, '', 0)")
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
        sqlx::query("UPDATE pieces SET state = $1, text = $2, ends = ends + 1 WHERE id = $3")
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
            return Err(sqlx::Error::Protocol("the rows refuse".into()));
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
    pub journal: Option<Arc<MemoryJournal>>,
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
pub async fn emptied(record: &SqliteRecord) {
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
    pub database: Database,
    pub record: Arc<SqliteRecord>,
    pub journal: Arc<MemoryJournal>,
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

/// Opens the file with the tables of the generations and those of the service.
pub async fn database(path: &Path) -> Database {
    let database = Database::open(path, &[&migrations()]).await.unwrap();
    let mut tx = database.begin().await.unwrap();
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS pieces \
         (id TEXT PRIMARY KEY, owner TEXT NOT NULL, state INTEGER NOT NULL, text TEXT NOT NULL, ends INTEGER NOT NULL)",
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    database
}

impl Process {
    /// Starts one on this file.
    pub async fn start(path: &Path, plan: Plan) -> Self {
        let database = database(path).await;
        let rows = Arc::new(Rows::default());
        let record = Arc::new(SqliteRecord::new(database.clone(), rows.clone()));
        let journal = plan
            .journal
            .unwrap_or_else(|| Arc::new(MemoryJournal::new(plan.bounds)));
        let puppets = Puppets::default();
        let (van, book) = (Arc::new(Van::default()), Arc::new(Book::default()));
        let stop = CancellationToken::new();
        if !plan.background {
            stop.cancel();
        }
        let engine = Generations::new(Parts {
            role: "pieces",
            output: Output::Text,
            record: record.clone(),
            journal: journal.clone(),
            provider: Arc::new(puppets.clone()),
            purse: plan.purse.unwrap_or_else(|| book.clone()),
            settlements: record.clone(),
            outbox: record.clone(),
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
        sqlx::query_as("SELECT id, owner, state, text, ends FROM pieces ORDER BY id")
            .fetch_all(self.database.read())
            .await
            .unwrap()
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

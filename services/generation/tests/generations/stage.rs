//! The stage of these tests: rows, purse and courier that can be looked into and made to fail, and one engine a process.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use atelier_generation::journal::{Bounds, MemoryJournal};
use atelier_generation::store::{Projection, SqliteRecord, migrations};
use atelier_generation::{
    Courier, End, Error, EventStream, Failure, GenerationRecord, Generations, Job, Journal,
    NewGeneration, Parts, Purse, Refusal,
};
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::moment;
use atelier_kit::sqlite::{Database, Writer};
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, Snapshot, State, Usage};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::puppet::Puppets;

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

/// A purse that keeps a book.
#[derive(Default)]
pub struct Book {
    pub lines: Mutex<Vec<String>>,
    pub empty: AtomicBool,
}

impl Book {
    pub fn of(&self, id: &str) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .filter_map(|line| line.strip_suffix(&format!(" {id}")))
            .map(str::to_owned)
            .collect()
    }
}

#[async_trait]
impl Purse for Book {
    async fn reserve(&self, job: &Job) -> Result<(), Failure> {
        if self.empty.load(Ordering::SeqCst) {
            return Err(Failure::lasting("CREDITS_EXHAUSTED", "no credits are left"));
        }
        self.lines
            .lock()
            .unwrap()
            .push(format!("reserve {}", job.id));
        Ok(())
    }

    async fn settle(&self, id: &str, usage: &Usage) -> Result<(), Error> {
        self.lines
            .lock()
            .unwrap()
            .push(format!("settle {} {id}", usage.output_tokens));
        Ok(())
    }

    async fn release(&self, id: &str) -> Result<(), Error> {
        self.lines.lock().unwrap().push(format!("release {id}"));
        Ok(())
    }
}

/// How a process is set up.
pub struct Plan {
    pub lease: Duration,
    pub at_once: usize,
    pub bounds: Bounds,
    /// A journal that is shared with another process, as Redis would be.
    pub journal: Option<Arc<MemoryJournal>>,
    /// Whether it brings usage events and takes over from the dead.
    pub background: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(6),
            at_once: 16,
            bounds: Bounds::default(),
            journal: None,
            background: true,
        }
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
            record: record.clone(),
            journal: journal.clone(),
            provider: Arc::new(puppets.clone()),
            purse: book.clone(),
            outbox: record.clone(),
            courier: van.clone(),
            at_once: plan.at_once,
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
        let begun = std::time::Instant::now();
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
    }
}

/// All events to the end of a stream.
pub async fn collect(stream: EventStream) -> Vec<GenerationEvent> {
    let all = stream.map(|event| event.unwrap()).collect::<Vec<_>>();
    tokio::time::timeout(PATIENCE, all)
        .await
        .expect("the stream ends")
}

/// The next events, so many.
pub async fn next(stream: &mut EventStream, count: usize) -> Vec<GenerationEvent> {
    let some = stream
        .take(count)
        .map(|event| event.unwrap())
        .collect::<Vec<_>>();
    tokio::time::timeout(PATIENCE, some)
        .await
        .expect("the events come")
}

/// What a reader knows after these events. Written anew and not taken from the crate, which it is held against.
pub fn fold<'a>(
    mut known: Snapshot,
    events: impl IntoIterator<Item = &'a GenerationEvent>,
) -> Snapshot {
    for event in events {
        match event.event.clone().expect("every event tells something") {
            Event::Queued(_) => known.state = State::Queued.into(),
            Event::Started(started) => {
                known.state = State::Running.into();
                known.provider = started.provider;
                known.model = started.model;
            }
            Event::Snapshot(whole) => known = whole,
            Event::TextDelta(delta) => known.text += &delta.text,
            Event::AudioChunk(chunk) => {
                assert_eq!(
                    chunk.offset, known.audio_bytes,
                    "audio has neither gap nor overlap"
                );
                known.audio_bytes += chunk.data.len() as i64;
            }
            Event::Progress(progress) => known.fraction = progress.fraction,
            Event::Artifact(artifact) => known.artifacts.push(artifact),
            Event::Usage(usage) => known.usage = Some(usage),
            Event::ImagePreview(_) | Event::Warning(_) => {}
            Event::Failed(_) => known.state = State::Failed.into(),
            Event::Cancelled(_) => known.state = State::Cancelled.into(),
            Event::Completed(_) => {
                known.state = State::Completed.into();
                known.fraction = 1.0;
            }
        }
    }
    known
}

/// All text of these events.
pub fn text(events: &[GenerationEvent]) -> String {
    fold(Snapshot::default(), events).text
}

/// Whether an event ends its generation.
pub fn is_last(event: &GenerationEvent) -> bool {
    matches!(
        event.event,
        Some(Event::Completed(_) | Event::Failed(_) | Event::Cancelled(_))
    )
}

/// Sequences grow strictly, and the last event, and no other, ends the generation.
pub fn assert_whole(events: &[GenerationEvent]) {
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence),
        "{events:?}"
    );
    let ends: Vec<usize> = (0..events.len())
        .filter(|at| is_last(&events[*at]))
        .collect();
    assert_eq!(ends, [events.len() - 1], "{events:?}");
}

/// The events without the time at which each was told.
pub fn timeless(events: &[GenerationEvent]) -> Vec<GenerationEvent> {
    events
        .iter()
        .cloned()
        .map(|event| GenerationEvent {
            time: None,
            ..event
        })
        .collect()
}

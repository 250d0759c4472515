//! A journal that takes its time, or nothing at all: nothing but what is told waits for it, and what it takes in the end is
//! known to the record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_generation::journal::{Bounds, MemoryJournal};
use atelier_generation::{Error, Journal, Lease, Replay};
use atelier_kit::testing::eventually;
use atelier_kit::testing::log::Log;
use atelier_proto::generation::v1::{GenerationEvent, State};
use tokio::sync::watch;

use crate::stage::{Plan, Process, assert_whole, collect, file, next, text};

/// Takes nothing while it is held, and refuses all when it is away.
struct Slow {
    inner: MemoryJournal,
    is_held: watch::Sender<bool>,
    is_away: AtomicBool,
}

impl Slow {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryJournal::new(Bounds::default()),
            is_held: watch::Sender::new(false),
            is_away: AtomicBool::new(false),
        })
    }

    fn hold(&self, is_held: bool) {
        self.is_held.send_replace(is_held);
    }
}

#[async_trait]
impl Journal for Slow {
    async fn open(&self, lease: &Lease) -> Result<(), Error> {
        self.inner.open(lease).await
    }

    async fn append(&self, lease: &Lease, event: GenerationEvent) -> Result<(), Error> {
        let mut is_held = self.is_held.subscribe();
        let _ = is_held.wait_for(|is_held| !is_held).await;
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Error::unavailable(std::io::Error::other("nobody is there")));
        }
        self.inner.append(lease, event).await
    }

    async fn read(&self, id: &str, after: i64) -> Result<Option<Replay>, Error> {
        self.inner.read(id, after).await
    }

    async fn wait(&self, id: &str, after: i64) {
        self.inner.wait(id, after).await;
    }

    async fn sweep(&self) {
        self.inner.sweep().await;
    }

    async fn forget(&self, id: &str) {
        self.inner.forget(id).await;
    }

    async fn abandon(&self, lease: &Lease) {
        self.inner.abandon(lease).await;
    }

    fn told(&self) -> String {
        "slow".to_owned()
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }
}

async fn process(folder: &tempfile::TempDir, lease: Duration) -> (Process, Arc<Slow>) {
    let journal = Slow::new();
    let plan = Plan {
        lease,
        journal: Some(journal.clone()),
        ..Plan::default()
    };
    (Process::start(&file(folder), plan).await, journal)
}

#[tokio::test]
async fn a_heart_goes_on_beating_while_an_event_is_on_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let lease = Duration::from_secs(2);
    let (owner, journal) = process(&folder, lease).await;
    let taker = Plan {
        lease,
        ..Plan::default()
    };
    let _taker = Process::start(&file(&folder), taker).await;
    let (id, mut stream) = owner.begin().await;
    next(&mut stream, 2).await;
    journal.hold(true);
    owner.puppets.say(&id, "on its way");
    tokio::time::sleep(lease * 3).await;
    journal.hold(false);
    owner.puppets.finish(&id);
    assert_eq!(text(&collect(stream).await), "on its way");
    let record = owner.find(&id).await;
    assert_eq!((record.epoch, record.state), (1, State::Completed));
}

#[tokio::test]
async fn what_was_on_its_way_when_it_was_cancelled_is_told_and_known_or_neither() {
    for is_taken in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (owner, journal) = process(&folder, Duration::from_secs(6)).await;
        let (id, mut stream) = owner.begin().await;
        let mut events = next(&mut stream, 2).await;
        journal.hold(true);
        owner.puppets.say(&id, "a word");
        eventually("the word is on its way", || async {
            journal.is_held.receiver_count() > 0
        })
        .await;
        let asked = Instant::now();
        owner.engine.cancel("ana", &id).await.unwrap();
        if is_taken {
            tokio::time::sleep(Duration::from_millis(300)).await;
            journal.hold(false);
        }
        let record = owner.ended(&id).await;
        assert!(
            asked.elapsed() < Duration::from_secs(5),
            "{:?}",
            asked.elapsed()
        );
        journal.hold(false);
        events.extend(collect(stream).await);
        assert_whole(&events);
        let expected = if is_taken { "a word" } else { "" };
        assert_eq!(
            (record.state, record.snapshot.text.as_str(), &*text(&events)),
            (State::Cancelled, expected, expected)
        );
        assert_eq!(record.sequence, events.last().unwrap().sequence);
    }
}

#[tokio::test]
async fn an_end_that_cannot_be_journalled_is_written_and_found_and_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let (owner, journal) = process(&folder, Duration::from_secs(6)).await;
    let (id, mut stream) = owner.begin().await;
    owner.puppets.say(&id, "a word");
    let mut events = next(&mut stream, 3).await;
    let log = Log::new();
    journal.is_away.store(true, Ordering::SeqCst);
    owner.puppets.finish(&id);
    events.extend(collect(stream).await);
    assert_whole(&events);
    let record = owner.ended(&id).await;
    assert_eq!((record.epoch, record.state), (1, State::Completed));
    let log = log.text();
    assert!(log.contains("was not journalled"), "{log}");
    assert!(!log.contains("could not be ended"), "{log}");
}

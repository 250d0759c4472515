//! Crashes: processes that are killed at random points; afterwards everything has ended once and is counted once.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_generation::journal::MemoryJournal;
use atelier_generation::purse::OpenPurse;
use atelier_generation::store::SqliteRecord;
use atelier_generation::{
    Courier, Emitter, Failure, Finish, GenerationRecord, Generations, Job, Parts, Provider,
    Record as _,
};
use atelier_kit::fault::Fault;
use atelier_kit::testing::eventually;
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::{FinishReason, State, Usage};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::stage::{Plan, Process, Rows, collect, database, emptied, file, piece, text};

/// Tells this test binary to be the process that is killed, and in which folder.
const VICTIM: &str = "ATELIER_TEST_VICTIM";
const LEASE: Duration = Duration::from_millis(400);
/// Two looks are a quarter of a lease apart, and the machine may be busy.
const SLACK: Duration = Duration::from_secs(3);
const RUNS: u64 = 30;

/// Counts in a file, as analytics would: what is in it was counted, whoever dies now.
struct Ledger(PathBuf);

#[async_trait]
impl Courier for Ledger {
    async fn deliver(&self, events: Vec<UsageEvent>) -> Result<(), Fault> {
        let mut lines = String::new();
        for event in events {
            lines += &format!("{} {}\n", event.id, event.outcome().as_str_name());
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.0)
            .unwrap();
        file.write_all(lines.as_bytes()).unwrap();
        Ok(())
    }
}

/// Writes a few words, some faster and some slower, and comes to an end.
struct Scribe;

#[async_trait]
impl Provider for Scribe {
    async fn run(&self, job: &Job, out: &Emitter) -> Result<Finish, Failure> {
        let pace = u64::from(job.id.bytes().last().unwrap_or(0) % 8);
        for at in 0..20 {
            out.text(&format!("{at} ")).await?;
            tokio::time::sleep(Duration::from_millis(pace)).await;
        }
        let usage = Usage {
            output_tokens: 20,
            ..Usage::default()
        };
        Ok(Finish {
            usage,
            reason: FinishReason::Stop,
            ..Finish::default()
        })
    }
}

async fn engine(
    folder: &Path,
) -> (
    Generations,
    Arc<SqliteRecord>,
    atelier_kit::sqlite::Database,
) {
    let database = database(&folder.join("pieces.db")).await;
    let record = Arc::new(SqliteRecord::new(
        database.clone(),
        Arc::new(Rows::default()),
    ));
    let engine = Generations::new(Parts {
        role: "pieces",
        record: record.clone(),
        journal: Arc::new(MemoryJournal::default()),
        provider: Arc::new(Scribe),
        purse: Arc::new(OpenPurse),
        outbox: record.clone(),
        courier: Arc::new(Ledger(folder.join("ledger"))),
        at_once: 4,
        lease: LEASE,
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    (engine, record, database)
}

/// Not a test: the life of a process that is killed, when this binary was started to be one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Some(folder) = std::env::var_os(VICTIM) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let (engine, _, _) = engine(&folder).await;
    std::fs::write(folder.join("alive"), b"").unwrap();
    loop {
        drop(engine.start(piece("ana", None, "a body")).await);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// A small generator, so that a run can be repeated by its seed.
fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

fn victim_in(folder: &Path) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::victim", "--nocapture"])
        .env(VICTIM, folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

async fn open(record: &SqliteRecord) -> usize {
    record.open().await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_killed_at_random_points_leave_everything_ended_once_and_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let (survivor, record, database) = engine(folder.path()).await;
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let mut interrupted = 0;
    for run in 0..RUNS {
        let _ = std::fs::remove_file(folder.path().join("alive"));
        let mut child = victim_in(folder.path());
        eventually("the victim lives", || async {
            folder.path().join("alive").exists()
        })
        .await;
        let life = Duration::from_micros(random(&mut seed) % 250_000);
        tokio::time::sleep(life).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let killed = Instant::now();
        let left = open(&record).await;
        interrupted += left;
        while open(&record).await > 0 {
            assert!(
                killed.elapsed() < LEASE + SLACK,
                "run {run}: {left} were left open by a life of {life:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert!(
        interrupted > 0,
        "no kill ever met a running generation: the test shows nothing"
    );
    emptied(&record).await;
    let counted = ledger(folder.path());
    let rows: Vec<(String, i32, String, i64)> =
        sqlx::query_as("SELECT id, state, text, ends FROM pieces")
            .fetch_all(database.read())
            .await
            .unwrap();
    assert!(rows.len() > RUNS as usize);
    let mut outcomes = BTreeMap::new();
    for (id, state, words, ends) in &rows {
        let record: GenerationRecord = survivor.find("ana", id).await.unwrap();
        assert!(record.has_ended());
        assert_eq!(
            (*state, words, *ends),
            (i32::from(record.state), &record.snapshot.text, 1)
        );
        let expected = match record.state {
            State::Completed => "OUTCOME_COMPLETED",
            _ => "OUTCOME_FAILED",
        };
        assert_eq!(counted.get(id).map(String::as_str), Some(expected));
        if record.state == State::Failed {
            assert_eq!(record.failure.as_ref().unwrap().reason, "INTERRUPTED");
        }
        let events = collect(survivor.watch("ana", id, 0).await.unwrap()).await;
        assert_eq!(text(&events), *words);
        *outcomes.entry(record.state).or_insert(0) += 1;
    }
    assert_eq!(
        counted.len(),
        rows.len(),
        "nothing is counted that is not there"
    );
    assert!(
        outcomes.len() == 2,
        "both kinds of ends were met: {outcomes:?}"
    );
}

/// What was counted. A delivery may come twice, when its acknowledgement was lost; it then says the same.
fn ledger(folder: &Path) -> BTreeMap<String, String> {
    let mut counted = BTreeMap::new();
    for line in std::fs::read_to_string(folder.join("ledger"))
        .unwrap()
        .lines()
    {
        let (id, outcome) = line.split_once(' ').unwrap();
        let before = counted.insert(id.to_owned(), outcome.to_owned());
        assert!(
            before.is_none_or(|before| before == outcome),
            "{id} was counted as two things"
        );
    }
    counted
}

#[tokio::test]
async fn what_was_inserted_and_never_run_ends_within_a_lease_whichever_process_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let plan = || Plan {
        lease: LEASE,
        ..Plan::default()
    };
    let one = Process::start(&file(&folder), plan()).await;
    let two = Process::start(&file(&folder), plan()).await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        let new = piece("ana", None, "a body");
        one.record.insert(&new).await.unwrap();
        ids.push(new.id);
    }
    for id in &ids {
        let record = one.ended(id).await;
        assert_eq!((record.state, record.epoch), (State::Failed, 2));
        assert_eq!(one.piece(id).await.ends, 1);
    }
    eventually("all are counted", || async {
        let (a, b) = (one.van.counts(), two.van.counts());
        ids.iter()
            .all(|id| a.contains_key(id) || b.contains_key(id))
    })
    .await;
}

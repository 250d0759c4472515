//! Crashes: processes that are killed at random points; afterwards everything has ended once, is counted once, is paid
//! once, and was given to a provider at most once.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_generation::journal::Bounds;
use atelier_generation::{
    Courier, Emitter, Error, Failure, Finish, GenerationRecord, Generations, Job, Output, Parts,
    Provider, Purse, Quote, Turns,
};
use atelier_kit::fault::Fault;
use atelier_kit::testing::{campaign, eventually, servers};
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::{Allowance, FinishReason, Snapshot, State, Usage};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::book::allowance;
use crate::ground::{Ground, Kept, slower};
use crate::puppet::quote;
use crate::stage::{Rows, collect, database, emptied, piece, text};

/// Tells this test binary to be the process that is killed, and in which folder.
const VICTIM: &str = "ATELIER_TEST_VICTIM";
pub const LEASE: Duration = Duration::from_millis(400);
/// Two looks are a quarter of a lease apart, what waited is run, and the machine may be busy.
const SLACK: Duration = Duration::from_secs(8);
const RUNS: u64 = 30;
const WORDS: usize = 20;

/// A file that lines are added to: what is in it was heard, whoever dies now.
#[derive(Clone)]
pub struct Ledger(PathBuf);

impl Ledger {
    pub fn new(folder: &Path, name: &str) -> Self {
        Self(folder.join(name))
    }

    pub fn add(&self, lines: &str) {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).open(&self.0).unwrap();
        file.write_all(lines.as_bytes()).unwrap();
    }

    /// The lines as id and what was said of it.
    pub fn lines(&self) -> Vec<(String, String)> {
        std::fs::read_to_string(&self.0)
            .unwrap_or_default()
            .lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(id, said)| (id.to_owned(), said.to_owned()))
            .collect()
    }
}

/// Counts, as analytics would.
#[async_trait]
impl Courier for Ledger {
    async fn deliver(&self, events: Vec<UsageEvent>) -> Result<(), Fault> {
        let lines = events
            .iter()
            .map(|event| format!("{} {}\n", event.id, event.outcome().as_str_name()));
        self.add(&lines.collect::<String>());
        Ok(())
    }
}

/// Pays, as users would.
#[async_trait]
impl Purse for Ledger {
    async fn reserve(&self, job: &Job, quote: &Quote) -> Result<Allowance, Failure> {
        self.add(&format!("{} reserve\n", job.id));
        Ok(allowance(quote))
    }

    async fn settle(&self, id: &str, usage: &Usage) -> Result<(), Error> {
        self.add(&format!("{id} settle {}\n", usage.output_tokens));
        Ok(())
    }

    async fn release(&self, id: &str) -> Result<(), Error> {
        self.add(&format!("{id} release\n"));
        Ok(())
    }
}

/// Writes a few words, some faster and some slower, and comes to an end.
struct Scribe {
    runs: Ledger,
    /// How slow at least, in milliseconds a word.
    pace: u64,
}

#[async_trait]
impl Provider for Scribe {
    async fn quote(&self, job: &Job) -> Result<Quote, Failure> {
        quote(job)
    }

    async fn run(&self, job: &Job, out: &Emitter) -> Result<Finish, Failure> {
        self.runs
            .add(&format!("{} {}\n", job.id, std::process::id()));
        let pace = self.pace + u64::from(job.id.bytes().last().unwrap_or(0) % 8);
        for at in 0..WORDS {
            out.text(&format!("{at} ")).await?;
            tokio::time::sleep(Duration::from_millis(pace)).await;
        }
        let usage = Usage {
            output_tokens: WORDS as i64,
            ..Usage::default()
        };
        Ok(Finish {
            usage,
            reason: FinishReason::Stop,
            ..Finish::default()
        })
    }

    async fn estimate(&self, _: &Job, delivered: &Snapshot) -> Usage {
        Usage {
            output_tokens: delivered.text.split_whitespace().count() as i64,
            estimated: true,
            ..Usage::default()
        }
    }
}

/// One process on the file of this folder, with ledgers beside it.
pub async fn engine(
    folder: &Path,
    at_once: usize,
    pace: u64,
) -> (Generations, Arc<dyn Kept>, Ground) {
    let database = database(&folder.join("pieces.db")).await;
    let record = database.record(Arc::new(Rows::default()));
    let engine = Generations::new(Parts {
        role: "pieces",
        output: Output::Text,
        record: record.clone(),
        journal: crate::journal::of(&folder.join("pieces.db"), Bounds::default()),
        provider: Arc::new(Scribe {
            runs: Ledger::new(folder, "runs"),
            pace,
        }),
        purse: Arc::new(Ledger::new(folder, "purse")),
        settlements: record.clone(),
        outbox: record.clone(),
        courier: Arc::new(Ledger::new(folder, "counted")),
        turns: Turns::each(at_once),
        lease: LEASE,
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    (engine, record, database)
}

/// Starts this test binary as another process that lives this "test".
pub fn life(
    test: &str,
    variable: &str,
    folder: &Path,
    more: &[(&str, u64)],
) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, folder)
        .envs(crate::journal::shared_with_children())
        .envs(servers::shared_with_children())
        .envs(more.iter().map(|(name, value)| (name, value.to_string())))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test: the life of a process that is killed, when this binary was started to be one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Some(folder) = std::env::var_os(VICTIM) else {
        return;
    };
    let folder = PathBuf::from(folder);
    // So few that some wait for their turn, also where a server or a busy machine lets them begin slowly.
    let (engine, _, _) = engine(&folder, if slower() > 1 { 1 } else { 3 }, 0).await;
    std::fs::write(folder.join("alive"), b"").unwrap();
    for at in 0_u32.. {
        let new = piece("ana", None, "a body");
        let id = new.id.clone();
        drop(engine.start(new).await);
        if at == 0 {
            // From here on: connections are there, and what is random is where in its work it dies.
            std::fs::write(folder.join("alive"), b"").unwrap();
        }
        if at % 5 == 0 {
            let engine = engine.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let _ = engine.cancel("ana", &id).await;
            });
        }
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

async fn open(record: &Arc<dyn Kept>) -> usize {
    record.open().await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_killed_at_random_points_leave_everything_ended_counted_and_paid_once() {
    let folder = tempfile::tempdir().unwrap();
    let (survivor, record, database) = engine(folder.path(), 16, 0).await;
    let mut seed = campaign::seed(0x9e37_79b9_7f4a_7c15).max(1);
    let kills = campaign::size("ATELIER_CAMPAIGN_CRASHES", RUNS);
    for run in 0..kills {
        let _ = std::fs::remove_file(folder.path().join("alive"));
        let mut child = life("crashes::victim", VICTIM, folder.path(), &[]);
        eventually("the victim lives", || async {
            folder.path().join("alive").exists()
        })
        .await;
        let life = Duration::from_micros(random(&mut seed) % 250_000) * slower();
        tokio::time::sleep(life).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let killed = Instant::now();
        let left = open(&record).await;
        while open(&record).await > 0 {
            assert!(
                killed.elapsed() < LEASE + SLACK,
                "run {run}: {left} were left open by a life of {life:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    // A server still does what a victim had sent before it died, and that is seen a moment later.
    eventually("all have ended", || async {
        let rows = database.pieces().await;
        rows.iter().all(|row| row.ends > 0) && open(&record).await == 0
    })
    .await;
    emptied(&record).await;
    eventually("all is settled", || async {
        record.unsettled("", 1).await.unwrap().is_empty()
    })
    .await;

    let counted = once(Ledger::new(folder.path(), "counted").lines());
    let runs = Ledger::new(folder.path(), "runs").lines();
    let purse = Ledger::new(folder.path(), "purse").lines();
    let ends = once(
        purse
            .iter()
            .filter(|(_, said)| said != "reserve")
            .cloned()
            .collect(),
    );
    let rows = database.pieces().await;
    assert!(rows.len() as u64 > kills);
    let mut outcomes = BTreeMap::new();
    let mut again = 0;
    for row in &rows {
        let (id, words) = (&row.id, &row.text);
        let record: GenerationRecord = survivor.find("ana", id).await.unwrap();
        assert!(record.has_ended());
        assert_eq!(
            (row.state, words, row.ends),
            (i32::from(record.state), &record.snapshot.text, 1)
        );
        let run = runs.iter().filter(|(of, _)| of == id).count();
        assert!(run <= 1, "{id} was given to a provider {run} times");
        let used = record.snapshot.usage.unwrap_or_default().output_tokens;
        let written = words.split_whitespace().count();
        let (outcome, paid) = match record.state {
            State::Completed => {
                assert_eq!((written, used, run), (WORDS, WORDS as i64, 1));
                again += usize::from(record.epoch > 1);
                ("OUTCOME_COMPLETED", format!("settle {used}"))
            }
            State::Cancelled if used > 0 => {
                assert_eq!(used, written as i64);
                ("OUTCOME_CANCELLED", format!("settle {used}"))
            }
            State::Cancelled => ("OUTCOME_CANCELLED", "release".to_owned()),
            _ => {
                assert_eq!(record.failure.as_ref().unwrap().reason, "INTERRUPTED");
                ("OUTCOME_FAILED", "release".to_owned())
            }
        };
        assert_eq!(counted.get(id).map(String::as_str), Some(outcome));
        assert_eq!(ends.get(id), Some(&paid), "{record:?}");
        let reserved = purse
            .iter()
            .rposition(|(of, said)| of == id && said == "reserve");
        let first_end = purse
            .iter()
            .position(|(of, said)| of == id && said != "reserve");
        assert!(reserved < first_end, "reserved after it had ended");
        assert!(reserved.is_some() || run == 0, "sent without a reservation");
        let events = collect(survivor.watch("ana", id, 0).await.unwrap()).await;
        assert_eq!(text(&events), *words);
        *outcomes.entry(record.state).or_insert(0) += 1;
    }
    assert_eq!(
        (counted.len(), ends.len()),
        (rows.len(), rows.len()),
        "nothing is counted or paid that is not there"
    );
    assert!(
        outcomes.len() == 3 && again > 0,
        "all kinds of ends were met, and what waited was run: {outcomes:?}, {again} again"
    );
    campaign::report(format!(
        "{kills} processes killed, {} generations: {outcomes:?}, {again} run again",
        rows.len()
    ));
}

/// What was said of each. It may be said twice, when its acknowledgement was lost; it is then the same.
fn once(lines: Vec<(String, String)>) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    for (id, said) in lines {
        let before = known.insert(id.clone(), said.clone());
        assert!(
            before.as_ref().is_none_or(|before| *before == said),
            "{id}: {before:?}, then {said}"
        );
    }
    known
}

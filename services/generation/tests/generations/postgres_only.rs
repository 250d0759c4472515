//! A PostgreSQL server that is killed or hangs while two processes work on it. Each test has a server of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use atelier_generation::Error;
use atelier_generation::journal::MemoryJournal;
use atelier_generation::store::MIGRATIONS;
use atelier_kit::sql::Database;
use atelier_kit::testing::campaign;
use atelier_kit::testing::servers::{Postgres, Store};
use atelier_proto::generation::v1::State;
use tokio::task::JoinHandle;

use crate::ground::Ground;
use crate::stage::{Plan, Process, emptied, piece};
use crate::troubles::assert_told;

/// The longest that a caller may wait for a word.
const DEADLINE: Duration = Duration::from_secs(10);
/// Within this the processes must answer again when the server does.
const BACK: Duration = Duration::from_secs(10);

async fn processes(server: &Postgres) -> [Arc<Process>; 2] {
    let journal = Arc::new(MemoryJournal::default());
    let database = server.database("troubled");
    let open = || async {
        let database = Database::schema(&database, "pieces", &[MIGRATIONS]).await;
        let database = Ground::of(database.unwrap()).await;
        let plan = Plan {
            journal: Some(journal.clone()),
            ..Plan::default()
        };
        Arc::new(Process::on(database, Path::new("postgres_only"), plan))
    };
    [open().await, open().await]
}

/// What a caller was told.
#[derive(Default)]
struct Told {
    accepted: Vec<String>,
    refused: usize,
    longest: Duration,
}

/// A caller who begins one after the other with one of the processes, until `stop`.
fn caller(
    processes: &[Arc<Process>; 2],
    at: usize,
    owner: &'static str,
    stop: &Arc<AtomicBool>,
) -> JoinHandle<Told> {
    let (processes, stop) = (processes.clone(), stop.clone());
    tokio::spawn(async move {
        let mut told = Told::default();
        while !stop.load(Ordering::SeqCst) {
            let new = piece(owner, None, "a body");
            let id = new.id.clone();
            // The other may have to run it.
            for process in &processes {
                process.puppets.say(&id, "all of it");
                process.puppets.finish(&id);
            }
            let asked = Instant::now();
            match processes[at].engine.start(new).await {
                Ok(_) => told.accepted.push(id),
                Err(error) => {
                    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
                    assert_told(error);
                    told.refused += 1;
                }
            }
            told.longest = told.longest.max(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        told
    })
}

/// Does something to the server in the middle of the load of two processes, and then looks at what they were told.
async fn amid_load(mut server: Postgres, trouble: impl AsyncFnOnce(&mut Postgres)) {
    let processes = processes(&server).await;
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = ["ana", "bob", "kim"]
        .into_iter()
        .flat_map(|owner| [(0, owner), (1, owner)])
        .map(|(at, owner)| caller(&processes, at, owner, &stop))
        .collect();
    // One of each process is at work all the while.
    let mut working = Vec::new();
    for process in &processes {
        let (id, _events) = process.begin().await;
        process.puppets.say(&id, "before ");
        working.push((process.clone(), id));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    trouble(&mut server).await;
    let back = Instant::now();
    let recovered = loop {
        if processes[0].engine.find("ana", &working[0].1).await.is_ok() {
            let new = piece("lou", None, "a body");
            for process in &processes {
                process.puppets.finish(&new.id);
            }
            if processes[0].engine.start(new).await.is_ok() {
                break back.elapsed();
            }
        }
        assert!(back.elapsed() < BACK, "it does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, Ordering::SeqCst);
    let mut all: Vec<String> = Vec::new();
    let (mut refused, mut longest) = (0, Duration::ZERO);
    for caller in callers {
        let told = caller.await.unwrap();
        assert!(told.longest < DEADLINE, "{:?}", told.longest);
        longest = longest.max(told.longest);
        refused += told.refused;
        all.extend(told.accepted);
    }
    assert!(refused > 0, "nobody met the trouble");
    assert!(all.len() > 100, "{} were accepted", all.len());
    for (process, id) in working {
        process.puppets.say(&id, "and after");
        process.puppets.finish(&id);
        let record = process.ended(&id).await;
        assert_eq!((record.state, record.epoch), (State::Completed, 1));
        assert_eq!(record.snapshot.text, "before and after");
        all.push(id);
    }
    campaign::report(format!(
        "{} accepted, {refused} refused, the longest word took {longest:?}, back after {recovered:?}",
        all.len()
    ));

    // What was acknowledged is there and whole, and ended once. What was refused may be there too, where only the answer was
    // lost: it is taken over, and ends as well.
    let one = &processes[0];
    let begun = Instant::now();
    while !one.database_is_quiet().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "some never end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let pieces: BTreeMap<String, _> = one
        .pieces()
        .await
        .into_iter()
        .map(|piece| (piece.id.clone(), piece))
        .collect();
    for id in &all {
        let piece = pieces.get(id).unwrap_or_else(|| panic!("{id} is lost"));
        assert_eq!(
            (piece.state, piece.ends),
            (i32::from(State::Completed), 1),
            "{piece:?}"
        );
    }
    assert!(pieces.values().all(|piece| piece.ends == 1), "{pieces:?}");
    emptied(&one.record).await;
    one.settled().await;
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for process in &processes {
        for (id, times) in process.van.counts() {
            *counted.entry(id).or_default() += times;
        }
    }
    // Brought once and again where the acknowledgement was lost: analytics knows an event by its id.
    assert!(pieces.keys().eq(counted.keys()), "not all are counted");
    for process in &processes {
        process.database.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_loses_nothing_that_was_acknowledged() {
    if Store::chosen() != Store::Postgres {
        return;
    }
    amid_load(Postgres::start(), async |server| {
        server.server().kill();
        tokio::time::sleep(Duration::from_secs(4)).await;
        server.server().begin();
        server.answers();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_keeps_nobody_waiting_for_long_and_loses_nothing() {
    if Store::chosen() != Store::Postgres {
        return;
    }
    amid_load(Postgres::start(), async |server| {
        server.server().freeze();
        tokio::time::sleep(Duration::from_secs(12)).await;
        server.server().thaw();
        server.answers();
    })
    .await;
}

//! What a mesh on real engines survives: each fault comes under load, and after it nothing that was acknowledged is missing,
//! nothing is counted twice, callers were told nothing but that they may come again, and all answers within ten seconds of
//! the return of what was away.

mod alone;
mod disk;
mod fault;
mod load;
mod look;
mod page;
mod recovery;
pub mod stage;
pub mod streams;
mod things;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use atelier_kit::testing::campaign;
use futures_util::FutureExt as _;

use self::alone::Alone;
use self::disk::Disk;
use self::fault::{Fault, Scene};
use self::load::Load;
use self::page::{Held, Row};
use self::recovery::answers_again;
use self::stage::{Engine, Engines, Mesh, Ways};
use self::streams::Streams;
use self::things::{all_answers, passes};
use crate::people::Person;
use crate::running::{alone, eventually};
use crate::web;

/// How many people there are.
const PEOPLE: usize = 6;
/// How long the load goes on before and after a fault.
const CALM: Duration = Duration::from_secs(2);
/// How long something is away.
const AWAY: Duration = Duration::from_secs(4);
/// After how many faults a mesh begins anew, on empty databases: the stand-in for MongoDB reads whole collections, and gets slower
/// with all that is in them.
const FRESH: usize = 4;
/// Within which time of its return all answers.
const ANSWERS: Duration = Duration::from_secs(10);
/// What a busy machine adds to a bound.
const SLACK: Duration = Duration::from_secs(10);

/// One fault under load; a row of the table.
async fn survive(mesh: &mut Mesh, fault: Fault, chance: &mut fastrand::Rng) -> Row {
    let alone = match fault {
        Fault::FilesFull => Some(Alone::start().await),
        _ => None,
    };
    let edges = match &alone {
        Some(alone) => vec![alone.edge()],
        None => mesh.edges.clone(),
    };
    let mut scene = Scene {
        mesh,
        alone,
        copy: chance.usize(..2),
    };
    let begun = Instant::now();
    let load = Load::begin(&edges, PEOPLE, chance.u64(..)).await;
    let person = load.people[0].clone();
    tokio::time::sleep(CALM).await;
    let well = answers_again(&edges, &person, ANSWERS + SLACK).await;
    let streams = match fault {
        Fault::Streaming(_) => Some(Streams::open(&edges, &person).await),
        _ => None,
    };

    let (mut name, mut done, mut failed) = (fault.name(), Vec::new(), 0);
    let from = Instant::now();
    fault.come(&mut scene).await;
    let mut recovered;
    if fault.leaves_others() {
        let since = match fault {
            Fault::Skewed(_) => Instant::now(),
            _ => from,
        };
        answers_again(&edges, &person, ANSWERS + SLACK).await;
        recovered = since.elapsed();
        if let Some(streams) = streams {
            let heard = streams.heard(0).await;
            name += &format!(
                ": {} of them, cut off and resumed {} times",
                heard.streams, heard.cut
            );
            let resumed = heard.resumed.map(|at| at.duration_since(since));
            recovered = recovered.max(resumed.unwrap_or_default());
            (done, failed) = (heard.done, heard.failed);
        }
        tokio::time::sleep(AWAY.saturating_sub(from.elapsed())).await;
        fault.go(&mut scene).await;
    } else {
        tokio::time::sleep(AWAY).await;
        fault.go(&mut scene).await;
        recovered = answers_again(&edges, &person, ANSWERS + SLACK).await;
    }
    assert!(recovered < ANSWERS + SLACK, "{name}: {recovered:?}");
    let until = Instant::now() + SLACK;
    // Not the first of each alone, which one of two processes may have answered.
    while let Err(status) = all_answers(&edges, &person).await {
        assert!(Instant::now() < until, "{name}: {status:?}");
    }
    tokio::time::sleep(CALM).await;
    let (book, people) = load.end().await;
    let lasted = begun.elapsed();

    let met = book.met.lock().unwrap().clone();
    for met in &met {
        let told = format!("{name}: {}: {:?}", met.doing, met.status);
        assert!(passes(&met.status), "{told}");
        let excused = from <= met.at && met.at <= until;
        assert!(excused, "an error while all was well: {told}");
    }
    book.done.lock().unwrap().extend(done);
    let lost = look::lost(&edges[0], &people, &book).await;
    assert_eq!(lost, Vec::<String>::new(), "{name}");
    let acknowledged = book.acknowledged();
    assert!(acknowledged > 20, "{acknowledged} writes are no load");
    let millis = Duration::from_millis(book.longest.load(Ordering::SeqCst));
    Row {
        fault: name,
        load: Some(Held {
            callers: PEOPLE,
            pace: book.calls.load(Ordering::SeqCst) as f64 / lasted.as_secs_f64(),
            refused: met.len(),
            failed: book.failed.load(Ordering::SeqCst) + failed,
            longest: millis.as_secs_f64(),
        }),
        acknowledged,
        lost: lost.len(),
        recovered: recovered.as_secs_f64(),
        well: Some(well.as_secs_f64()),
    }
}

/// Starts both processes of each role at once on empty databases: a row of the table by itself.
async fn begin(folder: &Path, disk: Option<Disk>) -> (Mesh, Row) {
    let engines = Engines::start(disk);
    let begun = Instant::now();
    let mesh = Mesh::start_on(folder, engines, &Ways::default()).await;
    let person = Person::register(&mesh.edges[0]).await;
    answers_again(&mesh.edges, &person, ANSWERS + SLACK).await;
    let recovered = begun.elapsed();
    let applied = mesh.engines.migrations();
    assert!(applied > 3, "{applied} migrations");
    let all = all_answers(&mesh.edges, &person).await;
    let row = Row {
        fault: "both processes of each role started at once on empty databases".to_owned(),
        load: None,
        acknowledged: all.expect("all answers"),
        lost: 0,
        recovered: recovered.as_secs_f64(),
        well: None,
    };
    (mesh, row)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_under_load_loses_nothing() {
    let _alone = alone().await;
    let rounds = campaign::size("ATELIER_CAMPAIGN_FAULTS", 0);
    let seed = campaign::seed(7);
    let mut chance = fastrand::Rng::with_seed(seed);
    let kinds = Fault::kinds();
    // Where no campaign asks for rounds of all of them, one of each kind comes.
    let faults: Vec<Fault> = match rounds {
        0 => kinds
            .iter()
            .filter_map(|kind| chance.choice(kind))
            .copied()
            .collect(),
        _ => kinds.concat(),
    };
    let how = match rounds {
        0 => format!(
            "Seed {seed}, {} faults drawn, one of each kind",
            faults.len()
        ),
        1 => format!("Seed {seed}, one round"),
        rounds => format!("Seed {seed}, {rounds} rounds"),
    };
    let machine = page::machine();
    let fills = faults.iter().any(|fault| fault.fills_the_store());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.md");
    campaign::report(&how);
    let mut stage: Option<(tempfile::TempDir, Mesh)> = None;
    let (mut starts, mut rows) = (Vec::new(), Vec::new());
    let mut failed = Vec::new();
    for _ in 0..rounds.max(1) {
        for (number, fault) in faults.iter().enumerate() {
            if number % FRESH == 0 || stage.is_none() {
                drop(stage.take());
                let folder = tempfile::tempdir().unwrap();
                let disk = fills.then(|| Disk::mount("256m"));
                let (mesh, start) = begin(folder.path(), disk).await;
                starts.push(start);
                stage = Some((folder, mesh));
            }
            let (_, mesh) = stage.as_mut().expect("a mesh");
            let survived = AssertUnwindSafe(survive(mesh, *fault, &mut chance)).catch_unwind();
            let row = match survived.await {
                Ok(row) => row,
                // The end of each process's log is shown.
                Err(panic) if rounds == 0 => resume_unwind(panic),
                // A campaign goes on with the others, and fails at its end.
                Err(_) => {
                    campaign::report(format!("FAILED: {}", fault.name()));
                    failed.push(fault.name());
                    stage = None;
                    continue;
                }
            };
            campaign::report(row.line());
            rows.push(row);
            // After each, so that one that fails leaves what came of those before it.
            let rows = [slowest(&starts)].into_iter().chain(rows.iter().cloned());
            let rows: Vec<Row> = rows.collect();
            let engines = mesh.engines.versions();
            let page = page::write(&engines, &how, &machine, &rows, &failed);
            std::fs::write(&file, page).unwrap();
        }
    }
    campaign::report(slowest(&starts).line());
    assert_eq!(failed, Vec::<String>::new());
}

/// The slowest of several starts, with how many there were.
fn slowest(starts: &[Row]) -> Row {
    let slower = |one: &&Row, other: &&Row| one.recovered.total_cmp(&other.recovered);
    let mut row = starts.iter().max_by(slower).expect("a start").clone();
    row.fault += &format!(", the slowest of {}", starts.len());
    row.acknowledged = starts.iter().map(|start| start.acknowledged).sum();
    row
}

/// The lines of `/readyz`.
async fn readiness(mesh: &Mesh, role: &'static str) -> (u16, String) {
    let page = web::get(&format!("{}/readyz", mesh.admin(role, 0))).await;
    (page.status.as_u16(), page.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_the_engine_that_is_missing_and_liveness_asks_none() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    let mut mesh = Mesh::start(folder.path()).await;
    let ada = Person::register(&mesh.edges[0]).await;
    all_answers(&mesh.edges, &ada).await.expect("all answers");
    for (engine, kind, role) in [
        (Engine::Postgres, "postgres", "users"),
        (Engine::Mongo, "mongodb", "llm-chat"),
        (Engine::Redis, "redis", "tts"),
    ] {
        let line = format!("{role} on {kind}");
        let says = |text: &str, is: &str| {
            let mut lines = text.lines().filter(|text| text.starts_with(&line));
            lines.any(|text| text.contains(is))
        };
        assert!(says(&readiness(&mesh, role).await.1, ": there"));
        mesh.engines.server(engine).kill();
        eventually("it is told", Duration::from_secs(10), || async {
            says(&readiness(&mesh, role).await.1, ": missing")
        })
        .await;
        let live = web::get(&format!("{}/livez", mesh.admin(role, 0))).await;
        assert_eq!(live.status, 200);
        mesh.engines.server(engine).begin();
        eventually("it is told again", Duration::from_secs(15), || async {
            says(&readiness(&mesh, role).await.1, ": there")
        })
        .await;
    }
}

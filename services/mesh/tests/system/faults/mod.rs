//! What a mesh on real engines survives: each fault comes under load, and after it nothing that was acknowledged is missing,
//! nothing is counted twice, callers were told nothing but that they may come again, and all answers within ten seconds of
//! the return of what was away.

mod load;
mod look;
pub mod stage;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use atelier_kit::testing::campaign;

use self::load::{Load, all_answers, passes};
use self::stage::{Engine, Mesh};
use crate::people::Person;
use crate::running::eventually;
use crate::web;

/// How many people there are.
const PEOPLE: usize = 6;
/// How long the load goes on before and after a fault.
const CALM: Duration = Duration::from_secs(2);
/// How long something is away.
const AWAY: Duration = Duration::from_secs(4);
/// How many faults come where no campaign asks for rounds of all of them.
const DRAWN: usize = 7;
/// Within which time of its return all answers.
const ANSWERS: Duration = Duration::from_secs(10);
/// What a busy machine adds to a bound.
const SLACK: Duration = Duration::from_secs(10);

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// A process of this role is killed, and started again.
    Killed(&'static str),
    /// A process of this role is told to go, and started again.
    Left(&'static str),
    /// A process of this role begins again with a clock that is two minutes ahead, and works like that for a while.
    Skewed(&'static str),
    /// An engine is killed, and started again.
    EngineKilled(Engine),
    /// An engine accepts and never answers, and then goes on.
    EngineFrozen(Engine),
}

impl Fault {
    fn all() -> Vec<Self> {
        let roles = [
            "users",
            "llm-chat",
            "text-image",
            "tts",
            "analytics",
            "edge",
        ];
        let killed = roles.map(Self::Killed);
        let mut all: Vec<Self> = killed.into();
        all.push(Self::Left("llm-chat"));
        all.extend(["users", "llm-chat"].map(Self::Skewed));
        all.extend(Engine::ALL.map(Self::EngineKilled));
        all.extend(Engine::ALL.map(Self::EngineFrozen));
        all
    }

    fn name(self) -> String {
        match self {
            Self::Killed(role) => format!("one of two {role} processes killed (SIGKILL)"),
            Self::Left(role) => format!("one of two {role} processes told to go (SIGTERM)"),
            Self::Skewed(role) => format!("one of two {role} processes two minutes ahead"),
            Self::EngineKilled(engine) => format!("{engine:?} killed (SIGKILL)"),
            Self::EngineFrozen(engine) => format!("{engine:?} accepts and never answers (SIGSTOP)"),
        }
    }

    /// Lets it happen, and puts it right again.
    async fn happen(self, mesh: &mut Mesh, copy: usize) {
        match self {
            Self::Killed(role) => {
                mesh.kill(role, copy).await;
                tokio::time::sleep(AWAY).await;
                mesh.begin(role, copy).await;
            }
            Self::Left(role) => {
                mesh.leave(role, copy).await;
                mesh.begin(role, copy).await;
            }
            Self::Skewed(role) => {
                mesh.kill(role, copy).await;
                mesh.begin_skewed(role, copy).await;
                tokio::time::sleep(AWAY).await;
                // All of it works like that.
                let person = Person::register(&mesh.edges[0]).await;
                all_answers(&mesh.edges, &person)
                    .await
                    .expect("all answers");
                mesh.kill(role, copy).await;
                mesh.begin(role, copy).await;
            }
            Self::EngineKilled(engine) => {
                mesh.engines.server(engine).kill();
                tokio::time::sleep(AWAY).await;
                mesh.engines.server(engine).begin();
                mesh.engines.answers(engine);
            }
            Self::EngineFrozen(engine) => {
                mesh.engines.server(engine).freeze();
                tokio::time::sleep(AWAY).await;
                mesh.engines.server(engine).thaw();
            }
        }
    }
}

/// One fault under load; a row of the table.
async fn survive(mesh: &mut Mesh, fault: Fault, chance: &mut fastrand::Rng) -> String {
    let load = Load::begin(&mesh.edges, PEOPLE, chance.u64(..)).await;
    tokio::time::sleep(CALM).await;
    let from = Instant::now();
    fault.happen(mesh, chance.usize(..2)).await;
    let back = Instant::now();
    let person = load.people[0].clone();
    let mut told;
    loop {
        told = all_answers(&mesh.edges, &person).await;
        if told.is_ok() {
            break;
        }
        assert!(
            back.elapsed() < ANSWERS + SLACK,
            "{}: {told:?} after {:?}",
            fault.name(),
            back.elapsed()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let recovered = back.elapsed();
    tokio::time::sleep(CALM).await;
    let (book, people) = load.end().await;
    let lasted = from.elapsed() + CALM;

    let until = back + recovered + SLACK;
    let met = book.met.lock().unwrap().clone();
    for met in &met {
        let told = format!("{}: {}: {:?}", fault.name(), met.doing, met.status);
        assert!(passes(&met.status), "{told}");
        let excused = from <= met.at && met.at <= until;
        assert!(excused, "an error while all was well: {told}");
    }
    let lost = look::lost(&mesh.edges[0], &people, &book).await;
    assert_eq!(lost, Vec::<String>::new(), "{}", fault.name());
    let acknowledged = book.acknowledged();
    assert!(acknowledged > 20, "{acknowledged} writes are no load");
    format!(
        "| {} | {PEOPLE} callers, {:.0} calls/s | {acknowledged} | {} | {} | {} | {:.1} |",
        fault.name(),
        (acknowledged + met.len()) as f64 / lasted.as_secs_f64(),
        lost.len(),
        met.len(),
        book.failed.load(std::sync::atomic::Ordering::SeqCst),
        recovered.as_secs_f64()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_under_load_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut mesh = Mesh::start(folder.path()).await;
    let rounds = campaign::size("ATELIER_CAMPAIGN_FAULTS", 0);
    let seed = campaign::seed(7);
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut table = String::from(
        "| fault | load held | writes acknowledged | writes lost | calls refused | generations failed and told so | answers again after, s |\n\
         |---|---|--:|--:|--:|--:|--:|\n",
    );
    let mut faults = Fault::all();
    if rounds == 0 {
        chance.shuffle(&mut faults);
        faults.truncate(DRAWN);
    }
    for _ in 0..rounds.max(1) {
        for fault in &faults {
            let row = survive(&mut mesh, *fault, &mut chance).await;
            let _ = writeln!(table, "{row}");
        }
    }
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.md");
    let engines = mesh.engines.versions();
    let what = match rounds {
        0 => format!("{DRAWN} faults drawn"),
        rounds => format!("{rounds} rounds"),
    };
    let head = format!("seed {seed}, {what}, two processes of each role on {engines}");
    std::fs::write(file, format!("{head}\n\n{table}")).unwrap();
    campaign::report(head);
    for row in table.lines().skip(2) {
        campaign::report(row);
    }
}

/// The lines of `/readyz`.
async fn readiness(mesh: &Mesh, role: &'static str) -> (u16, String) {
    let page = web::get(&format!("{}/readyz", mesh.admin(role, 0))).await;
    (page.status.as_u16(), page.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_the_engine_that_is_missing_and_liveness_asks_none() {
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

//! Everything at once: two hundred replies, fifty pictures and fifty spoken texts in flight, clients that are cut off and
//! come back at random, and processes that die in the middle. Each generation ends once, each watcher sees a sequence that
//! grows without a gap, what was made is what the provider says that it made, and it is paid for once and exactly.

mod life;
mod purse;
mod reach;
mod stage;
pub mod watcher;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use atelier_kit::testing::campaign;
use atelier_proto::analytics::v1::Outcome;
use atelier_simulator::Script;
use url::Url;

use self::life::{Ended, Errors, Life, Medium, hear};
use self::stage::{Process, Provider, TwoReplicas};
use self::watcher::Watcher;
use crate::people::Person;
use crate::running::{alone, eventually, free_port};
use crate::story::usage_events;
use crate::web;

/// How many people there are.
const PEOPLE: usize = 10;
/// How many replies, half of them within conversations.
const REPLIES: usize = 200;
/// How many pictures, and as many spoken texts.
const WORKS: usize = 50;
/// Within which time all of it begins.
const BEGIN_MILLIS: u64 = 3_000;
/// Within which time of its owner's death a generation is ended or goes on.
const TAKEN_OVER: Duration = Duration::from_secs(10);
/// What a busy machine adds to a bound.
const SLACK: Duration = Duration::from_secs(4);
/// How the simulator behaves: a reply takes one to six seconds.
const SCRIPT: &str = "seed=11&latency=20ms-1500ms&tokens=20-120&tokens_per_second=20";

/// Everybody's generations, before they begin.
async fn plan(
    edge: &str,
    chat: &[String],
    errors: &Errors,
    chance: &mut fastrand::Rng,
) -> (Vec<Person>, Vec<Life>) {
    let mut people = Vec::new();
    for _ in 0..PEOPLE {
        people.push(Person::register(edge).await);
    }
    let mut lives = Vec::new();
    let media = [
        (Medium::Message, REPLIES / 2),
        (Medium::Reply, REPLIES / 2),
        (Medium::Picture, WORKS),
        (Medium::Speech, WORKS),
    ];
    for (medium, count) in media {
        for number in 0..count {
            let person = &people[number % PEOPLE];
            let doors = match medium {
                Medium::Message | Medium::Reply => chat,
                Medium::Picture | Medium::Speech => &[edge.to_owned()],
            };
            let conversation = match medium {
                Medium::Message => person.conversation().await,
                _ => String::new(),
            };
            lives.push(Life {
                medium,
                prompt: format!("{medium:?} number {number}"),
                doors: doors.iter().map(|url| person.through(url)).collect(),
                conversation,
                chance: chance.fork(),
                errors: errors.clone(),
            });
        }
    }
    chance.shuffle(&mut lives);
    (people, lives)
}

/// Begins everything within the first seconds; the handles are in no order.
fn begin(lives: Vec<Life>, chance: &mut fastrand::Rng) -> tokio::task::JoinSet<Ended> {
    let mut all = tokio::task::JoinSet::new();
    for life in lives {
        all.spawn(life.run(Duration::from_millis(chance.u64(..BEGIN_MILLIS))));
    }
    all
}

/// Looks at everything after the storm.
async fn look(
    people: &[Person],
    provider: &Provider,
    ended: &mut [Ended],
) -> BTreeMap<String, u32> {
    let script = Script::read(&Url::parse(&format!("simulator://?{SCRIPT}")).unwrap()).unwrap();
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    let mut expected: BTreeMap<String, (String, Outcome, i64)> = BTreeMap::new();
    let mut owed: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for one in ended.iter_mut() {
        let (medium, prompt) = (one.life.medium, one.life.prompt.clone());
        let first = &one.watcher;
        let id = first.id.clone().expect("an id");
        // Whoever comes now sees the same.
        let mut late = Watcher::default();
        let events = one.life.watch(&id, 0).await.expect("it is known");
        hear(events, &mut late).await.expect("its end");
        assert_eq!(late.end, first.end, "{prompt}: another end");
        assert_eq!(late.last, first.last, "{prompt}");
        assert_eq!(late.text, first.text, "{prompt}");

        let (outcome, written) = if first.is_completed() {
            let usage = first.usage.expect("a usage");
            let owner = one.life.doors[0].user.id.clone();
            let cost = purse::cost(medium, &usage);
            owed.entry(owner).or_default().insert(id.clone(), cost);
            let written = match medium {
                Medium::Message | Medium::Reply => {
                    let reply = script.reply_to(&prompt);
                    assert_eq!(first.text, reply, "{prompt}");
                    assert_eq!(usage.output_tokens as usize, reply.split(' ').count());
                    usage.output_tokens
                }
                Medium::Picture => {
                    assert_eq!(usage.images, 1);
                    let page = web::get(late.artifact.as_ref().expect("a picture")).await;
                    assert!(page.body.starts_with(b"\x89PNG"), "{prompt}");
                    0
                }
                Medium::Speech => {
                    assert_eq!(usage.characters as usize, prompt.chars().count());
                    let page = web::get(late.artifact.as_ref().expect("a sound")).await;
                    assert_eq!(Some(page.body), script.sound_of(&prompt), "{prompt}");
                    0
                }
            };
            (Outcome::Completed, written)
        } else {
            assert!(first.is_interrupted(), "{prompt}: {:?}", first.end);
            if medium.service() == "llm-chat" {
                let reply = script.reply_to(&prompt);
                assert!(reply.starts_with(&first.text), "{prompt}: {}", first.text);
            }
            (Outcome::Failed, 0)
        };
        *outcomes.entry(format!("{outcome:?}")).or_default() += 1;
        let known = expected.insert(id, (medium.service().to_owned(), outcome, written));
        assert!(known.is_none(), "{prompt}: two of one id");
    }

    // Each is counted once, as what it was.
    let mut counted: BTreeMap<String, (String, Outcome, i64)> = BTreeMap::new();
    for person in people {
        eventually("it is counted", Duration::from_secs(40), || async {
            let open = usage_events(person).await.len();
            open >= expected.len() / people.len()
        })
        .await;
        for event in usage_events(person).await {
            let outcome = event.outcome();
            let written = match outcome {
                Outcome::Completed => event.usage.map_or(0, |usage| usage.output_tokens),
                _ => 0,
            };
            let known = counted.insert(event.id, (event.source, outcome, written));
            assert!(known.is_none(), "an event is counted twice");
        }
    }
    assert_eq!(counted, expected);
    purse::paid(people, &owed).await;

    // Nobody was asked for the same thing twice, and nothing runs that nobody waits for.
    let asked = provider.count("requests").await;
    assert!(asked <= ended.len() as u64, "{asked} requests");
    let completed = u64::from(outcomes["Completed"]);
    assert!(provider.count("served").await >= completed);
    assert_eq!(provider.count("open").await, 0);
    outcomes
}

/// Errors came only while something was away, and shortly after.
fn errors_within(errors: &Errors, away: &[(Instant, Instant)]) {
    for (at, status) in errors.lock().unwrap().iter() {
        let excused = away
            .iter()
            .any(|(from, to)| *from <= *at && *at <= *to + SLACK);
        assert!(excused, "an error while all was well: {status:?}");
    }
}

/// A storm in which nothing came to its end, or nothing was broken off, shows nothing. How many of each there are is a matter of
/// how fast the machine is.
fn of_each(outcomes: &BTreeMap<String, u32>) {
    for outcome in ["Completed", "Failed"] {
        let count = outcomes.get(outcome).copied().unwrap_or_default();
        assert!(count >= 10, "{outcomes:?}");
    }
}

/// Storms, each with chances of its own: one, or as many as a campaign wants.
async fn storms(what: &str, storm: impl AsyncFn(fastrand::Rng) -> BTreeMap<String, u32>) {
    let count = campaign::size("ATELIER_CAMPAIGN_STORMS", 1);
    let first = campaign::seed(5);
    let mut total: BTreeMap<String, u32> = BTreeMap::new();
    for seed in first..first + count {
        for (outcome, count) in storm(fastrand::Rng::with_seed(seed)).await {
            *total.entry(outcome).or_default() += count;
        }
    }
    campaign::report(format!(
        "{what}: seeds {first} to {}, {total:?}",
        first + count - 1
    ));
}

async fn one_process(mut chance: fastrand::Rng) -> BTreeMap<String, u32> {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start(SCRIPT).await;
    let port = free_port();
    let edge = format!("http://localhost:{port}");
    let mut mesh = Process::whole(folder.path(), port, &provider);
    mesh.begin().await;
    let errors = Errors::default();
    let doors = std::slice::from_ref(&edge);
    let (people, lives) = plan(&edge, doors, &errors, &mut chance).await;
    let mut storm = begin(lives, &mut chance);

    let mut away = Vec::new();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(chance.u64(1_500..3_000))).await;
        let from = Instant::now();
        mesh.kill().await;
        mesh.begin().await;
        away.push((from, Instant::now()));
    }
    let mut ended = Vec::new();
    while let Some(one) = storm.join_next().await {
        ended.push(one.expect("a life to its end"));
    }
    errors_within(&errors, &away);
    let returns: u32 = ended.iter().map(|one| one.returns).sum();
    assert!(returns > 300, "{returns} returns");
    look(&people, &provider, &mut ended).await
}

async fn one_of_two_replicas(mut chance: fastrand::Rng) -> BTreeMap<String, u32> {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start(SCRIPT).await;
    let mut mesh = TwoReplicas::start(folder.path(), &provider).await;
    let errors = Errors::default();
    let (people, lives) = plan(&mesh.edge, &mesh.chat, &errors, &mut chance).await;
    let mut storm = begin(lives, &mut chance);
    tokio::time::sleep(Duration::from_millis(chance.u64(1_500..3_500))).await;
    let killed = Instant::now();
    mesh.first.kill().await;

    let mut ended = Vec::new();
    while let Some(one) = storm.join_next().await {
        ended.push(one.expect("a life to its end"));
    }
    // The dead replica's door stays shut, and whoever chose it came back by the other.
    errors_within(&errors, &[(killed, Instant::now())]);
    for one in ended.iter().filter(|one| one.watcher.is_interrupted()) {
        let waited = one.at.saturating_duration_since(killed);
        assert!(waited < TAKEN_OVER + SLACK, "ended after {waited:?}");
        assert_eq!(one.life.medium.service(), "llm-chat");
    }
    for one in &mut ended {
        if one.life.medium.service() == "llm-chat" {
            one.life.doors.remove(0);
        }
    }
    look(&people, &provider, &mut ended).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_that_dies_and_comes_back_twice() {
    let _alone = alone().await;
    storms(
        "storms over one process, killed twice each",
        async |chance| {
            let outcomes = one_process(chance).await;
            of_each(&outcomes);
            outcomes
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_processes_of_a_split_mesh_dies() {
    let _alone = alone().await;
    storms(
        "storms over two replicas, of which one is killed",
        async |chance| {
            let outcomes = one_of_two_replicas(chance).await;
            of_each(&outcomes);
            outcomes
        },
    )
    .await;
}

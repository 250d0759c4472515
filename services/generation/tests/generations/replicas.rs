//! Two replicas of a service on one record and one Redis server: what one tells is heard from the other, and a server that dies,
//! forgets or stands still costs a running generation nothing but time.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use atelier_generation::journal::Bounds;
use atelier_generation::{Error, holds};
use atelier_kit::testing::{eventually, servers};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, Snapshot, State};
use futures_util::StreamExt as _;
use tonic_types::StatusExt as _;

use crate::fragile::Fragile;
use crate::journal;
use crate::pairs::say;
use crate::stage::{
    PATIENCE, Plan, Process, Rows, assert_whole, collect, database, file, fold, is_last, next,
    piece, text,
};

/// One replica on a file and a server.
async fn replica(path: &Path, redis: &servers::Redis, plan: Plan) -> Process {
    let record = Fragile {
        record: database(path).await.record(Arc::new(Rows::default())),
        faults: Arc::default(),
    };
    let name = path.display().to_string();
    let shared = journal::on(
        &redis.server_of(),
        &name,
        Bounds::default(),
        holds(Arc::new(record)),
    );
    let journal = Some(Arc::new(shared) as Arc<dyn atelier_generation::Journal>);
    Process::start(path, Plan { journal, ..plan }).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Whoever is turned away is told that it passes, and when to come again; never of a defect.
fn assert_passing(error: Error) {
    let status = tonic::Status::from(error);
    assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
    assert!(
        status.get_details_retry_info().is_some(),
        "when to come again: {status:?}"
    );
}

/// Nothing is accepted of which nothing could be told, and that is said at once.
async fn refuses_another(process: &Process) {
    let asked = Instant::now();
    let late = process.engine.start(piece("ana", None, "late")).await;
    assert_passing(late.err().unwrap());
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
}

/// Watches to the end, and comes again where a stream breaks off; each answer comes within five seconds.
async fn watch_through(process: &Process, id: &str) -> Vec<GenerationEvent> {
    let began = Instant::now();
    let mut events: Vec<GenerationEvent> = Vec::new();
    loop {
        assert!(began.elapsed() < PATIENCE, "{id} never ends: {events:?}");
        let after = events.last().map_or(0, |event| event.sequence);
        let mut stream = match process.engine.watch("ana", id, after).await {
            Ok(stream) => stream,
            Err(error) => {
                assert_passing(error);
                continue;
            }
        };
        while let Some(event) = stream.next().await {
            match event {
                Ok(event) if is_last(&event) => {
                    events.push(event);
                    return events;
                }
                Ok(event) => events.push(event),
                Err(error) => {
                    assert_passing(error);
                    break;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_one_replica_tells_is_heard_from_the_other_as_it_happens() {
    let folder = tempfile::tempdir().unwrap();
    let redis = servers::Redis::shared();
    let one = replica(&file(&folder), redis, Plan::default()).await;
    let other = replica(&file(&folder), redis, Plan::default()).await;
    let (id, own) = one.begin().await;
    let own = tokio::spawn(collect(own));
    let mut far = other.engine.watch("ana", &id, 0).await.unwrap();
    let mut seen = next(&mut far, 2).await;
    // Nothing is polled: a word is there long before the silence would be noticed.
    let mut slowest = Duration::ZERO;
    for at in 0..20 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let said = Instant::now();
        one.puppets.say(&id, &format!("{at} "));
        seen.extend(next(&mut far, 1).await);
        slowest = slowest.max(said.elapsed());
    }
    assert!(slowest < Duration::from_millis(1500), "{slowest:?}");
    one.puppets.finish(&id);
    seen.extend(collect(far).await);
    assert_whole(&seen);
    assert_eq!(seen, own.await.unwrap());
    // And afterwards, from any position.
    for after in [0, seen[3].sequence, seen.last().unwrap().sequence] {
        let rest = other.watch(&id, after).await;
        let expected: Vec<_> = seen.iter().filter(|event| event.sequence > after).collect();
        assert_eq!(rest.iter().collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn many_watchers_of_many_generations_hear_over_one_connection() {
    let folder = tempfile::tempdir().unwrap();
    let redis = servers::Redis::start();
    let plan = || Plan {
        at_once: 64,
        ..Plan::default()
    };
    let one = replica(&file(&folder), &redis, plan()).await;
    let other = Arc::new(replica(&file(&folder), &redis, plan()).await);
    let (mut watchers, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let (id, own) = one.begin().await;
        ids.push(id.clone());
        for _ in 0..2 {
            let (other, id) = (other.clone(), id.clone());
            watchers.push(tokio::spawn(async move { other.watch(&id, 0).await }));
        }
        watchers.push(tokio::spawn(collect(own)));
        one.puppets.say(&id, "a");
        one.puppets.say(&id, "b");
    }
    eventually("the streams are listened to", || async {
        redis
            .cli(&["CLIENT", "LIST", "TYPE", "pubsub"])
            .lines()
            .count()
            > 0
    })
    .await;
    let listening = redis.cli(&["CLIENT", "LIST", "TYPE", "pubsub"]);
    assert_eq!(listening.lines().count(), 1, "{listening}");
    for id in &ids {
        one.puppets.finish(id);
    }
    for watcher in watchers {
        let events = watcher.await.unwrap();
        assert_whole(&events);
        assert_eq!(text(&events), "ab");
    }
    // Two for commands, one that hears, and this look.
    let clients = redis.cli(&["CLIENT", "LIST"]).lines().count();
    assert!(clients <= 6, "{clients}");
}

#[tokio::test]
async fn a_server_that_has_forgotten_all_is_told_anew_and_nobody_notices_but_by_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let redis = servers::Redis::start();
    let one = replica(&file(&folder), &redis, Plan::default()).await;
    let other = Arc::new(replica(&file(&folder), &redis, Plan::default()).await);
    let (id, own) = one.begin().await;
    let own = tokio::spawn(collect(own));
    let far = tokio::spawn({
        let (other, id) = (other.clone(), id.clone());
        async move { other.watch(&id, 0).await }
    });
    for round in 0..3 {
        for word in ["a", "b", "c"] {
            one.puppets.say(&id, &format!("{word}{round} "));
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        assert_eq!(redis.cli(&["FLUSHALL"]), "OK");
    }
    one.puppets.say(&id, "end");
    one.puppets.finish(&id);
    let expected = "a0 b0 c0 a1 b1 c1 a2 b2 c2 end";
    for events in [
        own.await.unwrap(),
        far.await.unwrap(),
        other.watch(&id, 0).await,
    ] {
        assert_whole(&events);
        assert_eq!(text(&events), expected, "{events:?}");
    }
    let record = one.find(&id).await;
    assert_eq!(
        (record.epoch, record.state, record.snapshot.text.as_str()),
        (1, State::Completed, expected)
    );
}

#[tokio::test]
async fn an_owner_whose_lease_is_lost_does_not_begin_anew_what_the_server_forgot() {
    let folder = tempfile::tempdir().unwrap();
    let redis = servers::Redis::start();
    let plan = || Plan {
        background: false,
        ..Plan::default()
    };
    let one = replica(&file(&folder), &redis, plan()).await;
    let other = replica(&file(&folder), &redis, plan()).await;
    let new = piece("ana", None, "a body");
    let record = one.left_behind(&new, true).await;
    let lease = record.lease();
    one.journal.open(&lease).await.unwrap();
    let first = (1 << 32) + 1;
    one.journal
        .append(&lease, say(&lease, first, "x"))
        .await
        .unwrap();
    // Another has claimed it and has told nothing of it yet: with the server's memory the fence is gone.
    let claimed = other.claim(&record).await.unwrap();
    assert_eq!(redis.cli(&["FLUSHALL"]), "OK");
    let late = one.journal.append(&lease, say(&lease, first + 1, "late"));
    assert!(matches!(late.await, Err(Error::LeaseLost)));
    assert!(other.journal.read(&new.id, 0).await.unwrap().is_none());
    other.journal.open(&claimed.lease()).await.unwrap();
    // One that is forgotten altogether is not begun anew either.
    assert_eq!(redis.cli(&["FLUSHALL"]), "OK");
    other
        .record
        .finish(&claimed.lease(), &crate::fences::end_of(&claimed, "kept"))
        .await
        .unwrap();
    other.record.forget(&new.id).await.unwrap();
    let lease = claimed.lease();
    let late = other.journal.append(&lease, say(&lease, 3 << 32, "late"));
    assert!(matches!(late.await, Err(Error::LeaseLost)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_running_generations_outlive_a_server_that_is_killed_and_comes_back_empty() {
    let folder = tempfile::tempdir().unwrap();
    let mut redis = servers::Redis::start();
    let plan = || Plan {
        at_once: 64,
        ..Plan::default()
    };
    let one = Arc::new(replica(&file(&folder), &redis, plan()).await);
    let other = Arc::new(replica(&file(&folder), &redis, plan()).await);
    let mut watchers = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..50 {
        let (id, own) = one.begin().await;
        drop(own);
        for process in [&one, &other] {
            let (process, id) = (process.clone(), id.clone());
            watchers.push(tokio::spawn(
                async move { watch_through(&process, &id).await },
            ));
        }
        ids.push(id);
    }
    let mut expected = String::new();
    let say = |word: String| {
        for id in &ids {
            one.puppets.say(id, &word);
        }
        word
    };
    for at in 0..10 {
        expected += &say(format!("{at} "));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut redis = blocking(move || {
        redis.server().kill();
        redis
    })
    .await;
    for at in 10..20 {
        expected += &say(format!("{at} "));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    // Meanwhile nothing is accepted of which nothing could be told, and nothing of it is kept.
    let before = one.pieces().await.len();
    refuses_another(&one).await;
    assert_eq!(one.pieces().await.len(), before);
    let redis = blocking(move || {
        redis.server().begin();
        redis
    })
    .await;
    let back = Instant::now();
    for at in 20..30 {
        expected += &say(format!("{at} "));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for id in &ids {
        one.puppets.finish(id);
    }
    for id in &ids {
        let record = one.ended(id).await;
        assert_eq!(
            (record.epoch, record.state, &record.snapshot.text),
            (1, State::Completed, &expected),
            "{:?}",
            record.failure
        );
    }
    assert!(
        back.elapsed() < Duration::from_secs(20),
        "{:?}",
        back.elapsed()
    );
    for watcher in watchers {
        let events = watcher.await.unwrap();
        assert_whole(&events);
        assert_eq!(fold(Snapshot::default(), &events).text, expected);
    }
    let (id, stream) = one.begin().await;
    one.puppets.finish(&id);
    assert_whole(&collect(stream).await);
    drop(redis);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_keeps_nobody_waiting_for_long_and_its_return_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let mut redis = servers::Redis::start();
    let one = replica(&file(&folder), &redis, Plan::default()).await;
    let (kept, own) = one.begin().await;
    drop(own);
    let (cancelled, own) = one.begin().await;
    drop(own);
    for id in [&kept, &cancelled] {
        one.puppets.say(id, "before ");
        let mut stream = one.engine.watch("ana", id, 0).await.unwrap();
        next(&mut stream, 3).await;
    }
    redis.server().freeze();
    one.puppets.say(&kept, "meanwhile ");
    let asked = Instant::now();
    let mut stream = one.engine.watch("ana", &kept, 0).await.unwrap();
    assert_passing(stream.next().await.unwrap().unwrap_err());
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    refuses_another(&one).await;
    // A cancel needs the record alone.
    let asked = Instant::now();
    one.engine.cancel("ana", &cancelled).await.unwrap();
    let record = one.ended(&cancelled).await;
    assert_eq!(
        (record.state, record.snapshot.text.as_str()),
        (State::Cancelled, "before ")
    );
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    redis.server().thaw();
    one.puppets.say(&kept, "after");
    one.puppets.finish(&kept);
    let events = watch_through(&one, &kept).await;
    assert_eq!(text(&events), "before meanwhile after");
    let record = one.find(&kept).await;
    assert_eq!((record.epoch, record.state), (1, State::Completed));
    let ended = watch_through(&one, &cancelled).await;
    assert!(matches!(
        ended.last().unwrap().event,
        Some(Event::Cancelled(_))
    ));
}

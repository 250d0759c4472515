//! Two journals of one name on a Redis server, without the engine around them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atelier_generation::journal::{Bounds, RedisJournal};
use atelier_generation::{Error, Journal as _, Lease};
use atelier_kit::testing::{eventually, servers};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Completed, GenerationEvent, Snapshot, TextDelta};

use crate::journal;
use crate::stage::text;

pub fn say(lease: &Lease, sequence: i64, words: &str) -> GenerationEvent {
    GenerationEvent {
        generation_id: lease.id.clone(),
        sequence,
        time: None,
        event: Some(Event::TextDelta(TextDelta { text: words.into() })),
    }
}

fn lease(id: &str, epoch: i64) -> Lease {
    Lease {
        id: id.into(),
        epoch,
    }
}

/// Two journals of one name on a server.
fn pair(redis: &servers::Redis, name: &str, bounds: Bounds) -> (RedisJournal, RedisJournal) {
    let one = || journal::on(&redis.server_of(), name, bounds, journal::always());
    (one(), one())
}

#[tokio::test]
async fn an_epoch_that_is_over_appends_nothing_wherever_it_is() {
    let redis = servers::Redis::shared();
    let name = atelier_kit::moment::new_id();
    let (one, other) = pair(redis, &name, Bounds::default());
    one.open(&lease("g", 1)).await.unwrap();
    one.append(&lease("g", 1), say(&lease("g", 1), 1, "kept"))
        .await
        .unwrap();
    other.open(&lease("g", 2)).await.unwrap();
    let old = lease("g", 1);
    let late = one.append(&old, say(&old, 2, "late"));
    assert!(matches!(late.await, Err(Error::LeaseLost)));
    assert!(matches!(
        one.open(&lease("g", 1)).await,
        Err(Error::LeaseLost)
    ));
    one.abandon(&lease("g", 1)).await;
    let whole = GenerationEvent {
        event: Some(Event::Snapshot(Snapshot {
            text: "taken".into(),
            ..Snapshot::default()
        })),
        ..say(&lease("g", 2), (2 << 32) + 1, "")
    };
    other.append(&lease("g", 2), whole).await.unwrap();
    let replay = one.read("g", 0).await.unwrap().unwrap();
    assert_eq!(text(&replay.events), "taken");
    assert_eq!(replay.events.len(), 2);
    other.abandon(&lease("g", 2)).await;
    assert!(one.read("g", 0).await.unwrap().is_none());
}

#[tokio::test]
async fn whoever_waits_elsewhere_returns_when_there_is_more_or_nothing_more_comes() {
    let redis = servers::Redis::shared();
    let name = atelier_kit::moment::new_id();
    let (one, other) = pair(redis, &name, Bounds::default());
    let other = Arc::new(other);
    for way in ["append", "end", "forget", "abandon"] {
        let lease = lease(way, 1);
        one.open(&lease).await.unwrap();
        let after = if way == "append" { 0 } else { i64::MAX };
        let waiter = tokio::spawn({
            let other = other.clone();
            async move { other.wait(way, after).await }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!waiter.is_finished(), "{way}");
        let asked = Instant::now();
        match way {
            "append" => one.append(&lease, say(&lease, 1, "x")).await.unwrap(),
            "end" => {
                let event = Some(Event::Completed(Completed::default()));
                let last = GenerationEvent {
                    event,
                    ..say(&lease, 1, "")
                };
                one.append(&lease, last).await.unwrap();
            }
            "forget" => one.forget(way).await,
            _ => one.abandon(&lease).await,
        }
        waiter.await.unwrap();
        assert!(asked.elapsed() < Duration::from_millis(1000), "{way}");
    }
    // Of what is not there nothing is waited for.
    let asked = Instant::now();
    other.wait("unknown", 0).await;
    assert!(asked.elapsed() < Duration::from_millis(1000));
}

#[tokio::test]
async fn a_generation_that_ended_expires_by_itself_and_one_that_runs_does_not() {
    let redis = servers::Redis::start();
    let bounds = Bounds {
        retention: Duration::from_millis(300),
        ..Bounds::default()
    };
    let (one, _) = pair(&redis, "expiry", bounds);
    for id in ["ended", "runs"] {
        let lease = lease(id, 1);
        one.open(&lease).await.unwrap();
        one.append(&lease, say(&lease, 1, "x")).await.unwrap();
    }
    let ended = lease("ended", 1);
    let last = GenerationEvent {
        event: Some(Event::Completed(Completed::default())),
        ..say(&ended, 2, "")
    };
    one.append(&ended, last).await.unwrap();
    eventually("it is gone", || async {
        one.read("ended", 0).await.unwrap().is_none()
    })
    .await;
    assert!(one.read("runs", 0).await.unwrap().is_some());
    one.forget("runs").await;
    eventually("nothing is left", || async {
        redis.cli(&["DBSIZE"]) == "0"
    })
    .await;
}

#[tokio::test]
async fn of_a_generation_whose_half_was_evicted_nothing_is_told_but_all_of_it() {
    let redis = servers::Redis::start();
    let (one, other) = pair(&redis, "halves", Bounds::default());
    for half in ["events", "meta"] {
        let lease = lease(half, 1);
        one.open(&lease).await.unwrap();
        for at in 1..4 {
            one.append(&lease, say(&lease, at, "x")).await.unwrap();
        }
        let key = format!("atelier:halves:gen:{{{half}}}:{half}");
        assert_eq!(redis.cli(&["DEL", &key]), "1");
        assert!(other.read(half, 1).await.unwrap().is_none(), "{half}");
        one.append(&lease, say(&lease, 4, "y")).await.unwrap();
        let replay = other.read(half, 1).await.unwrap().unwrap();
        assert_eq!(text(&replay.events), "xxxy");
        let sequences: Vec<i64> = replay.events.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, [3, 4]);
    }
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_there_once() {
    let mut redis = servers::Redis::start();
    let (one, _) = pair(&redis, "once", Bounds::default());
    let one = Arc::new(one);
    let lease = lease("g", 1);
    one.open(&lease).await.unwrap();
    one.append(&lease, say(&lease, 1, "a")).await.unwrap();
    redis.server().freeze();
    let frozen = tokio::spawn({
        let (one, lease) = (one.clone(), lease.clone());
        async move { one.append(&lease, say(&lease, 2, "b")).await }
    });
    // It was sent, and sent again, and both will be carried out.
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert!(!frozen.is_finished());
    redis.server().thaw();
    frozen.await.unwrap().unwrap();
    one.append(&lease, say(&lease, 3, "c")).await.unwrap();
    let replay = one.read("g", 0).await.unwrap().unwrap();
    assert_eq!(text(&replay.events), "abc");
    assert_eq!(replay.events.len(), 3);
}

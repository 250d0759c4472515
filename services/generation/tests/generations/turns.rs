//! Turns: so many at once, the others in the order they came, each told how many are before it.

use std::time::Duration;

use atelier_kit::testing::eventually;
use atelier_proto::generation::v1::generation_event::Event;
use futures_util::StreamExt as _;

use crate::stage::{Plan, Process, collect, file};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn generations_wait_for_their_turn_in_the_order_they_came() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(
        &file(&folder),
        Plan {
            at_once: 2,
            ..Plan::default()
        },
    )
    .await;
    let mut ids = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..12 {
        let (id, stream) = process.begin().await;
        ids.push(id);
        streams.push(stream);
    }
    let mut positions = Vec::new();
    for stream in &mut streams {
        let Some(Event::Queued(queued)) = stream.next().await.unwrap().unwrap().event else {
            panic!()
        };
        positions.push(queued.position);
    }
    // Two begin at once; the third is next.
    assert_eq!(positions, [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    eventually("two have begun", || async {
        process.puppets.began().len() == 2
    })
    .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(process.puppets.began().len(), 2);
    for (at, id) in ids.iter().enumerate() {
        process.puppets.finish(id);
        let begun = (at + 3).min(12);
        eventually("the next has begun", || async {
            process.puppets.began().len() == begun
        })
        .await;
    }
    let mut first_two = process.puppets.began()[..2].to_vec();
    first_two.sort();
    assert_eq!(first_two, ids[..2]);
    assert_eq!(process.puppets.began()[2..], ids[2..]);
    for stream in streams {
        collect(stream).await;
    }
    process.idle().await;
}

#[tokio::test]
async fn one_that_is_cancelled_while_it_waits_gives_its_place_up() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(
        &file(&folder),
        Plan {
            at_once: 1,
            ..Plan::default()
        },
    )
    .await;
    let (first, _first) = process.begin().await;
    let (second, waiting) = process.begin().await;
    let (third, mut last) = process.begin().await;
    process.engine.cancel("ana", &second).await.unwrap();
    let events = collect(waiting).await;
    assert!(matches!(
        events.last().unwrap().event,
        Some(Event::Cancelled(_))
    ));
    let (_fourth, mut stream) = process.begin().await;
    let Some(Event::Queued(queued)) = stream.next().await.unwrap().unwrap().event else {
        panic!()
    };
    assert_eq!(queued.position, 1, "the third alone is before it");
    process.puppets.finish(&first);
    process.puppets.finish(&third);
    while let Some(event) = last.next().await {
        event.unwrap();
    }
    assert!(!process.puppets.began().contains(&second));
}

#[tokio::test]
async fn turns_go_round_among_owners_by_weight_whatever_one_of_them_has_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(
        &file(&folder),
        Plan {
            at_once: 1,
            ..Plan::default()
        },
    )
    .await;
    let mut owners = std::collections::HashMap::new();
    let mut streams = Vec::new();
    let (first, stream) = process.begin().await;
    streams.push(stream);
    for _ in 0..20 {
        let (id, stream) = process.begin().await;
        owners.insert(id, "ana");
        streams.push(stream);
    }
    for (owner, priority) in [("bob", 1), ("cleo", 4)] {
        for _ in 0..5 {
            let (id, stream) = process.begin_of(owner, priority).await;
            owners.insert(id, owner);
            streams.push(stream);
        }
    }
    process.puppets.finish(&first);
    for id in owners.keys() {
        process.puppets.finish(id);
    }
    for stream in streams {
        collect(stream).await;
    }
    let order: Vec<&str> = process.puppets.began()[1..]
        .iter()
        .map(|id| owners[id])
        .collect();
    let among = |owner, first: usize| order[..first].iter().filter(|o| **o == owner).count();
    assert!(among("cleo", 7) >= 4, "{order:?}");
    assert!(among("bob", 12) >= 3, "{order:?}");
    assert_eq!(among("bob", 20), 5, "{order:?}");
}

#[tokio::test]
async fn an_owner_has_no_more_at_work_than_may_and_another_finds_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(
        &file(&folder),
        Plan {
            at_once: 4,
            share: 75,
            ..Plan::default()
        },
    )
    .await;
    let mut streams = Vec::new();
    for _ in 0..6 {
        streams.push(process.begin().await);
    }
    eventually("three have begun", || async {
        process.puppets.began().len() == 3
    })
    .await;
    let (his, _stream) = process.begin_of("bob", 1).await;
    eventually("bob's has begun", || async {
        process.puppets.began().contains(&his)
    })
    .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(process.puppets.began().len(), 4);
}

#[tokio::test]
async fn those_who_wait_are_told_when_their_place_changes() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(
        &file(&folder),
        Plan {
            at_once: 1,
            ..Plan::default()
        },
    )
    .await;
    let mut ids = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..4 {
        let (id, stream) = process.begin().await;
        ids.push(id);
        streams.push(stream);
    }
    let mut last = streams.pop().unwrap();
    process.engine.cancel("ana", &ids[1]).await.unwrap();
    process.puppets.finish(&ids[0]);
    let mut positions = Vec::new();
    let begun = std::time::Instant::now();
    while positions.last() != Some(&0) {
        if let Some(Event::Queued(queued)) = last.next().await.unwrap().unwrap().event {
            positions.push(queued.position);
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{positions:?}");
    }
    assert_eq!(positions[0], 2);
    assert!(positions.len() <= 3, "{positions:?}");
    assert!(!process.puppets.began().contains(&ids[3]));
}

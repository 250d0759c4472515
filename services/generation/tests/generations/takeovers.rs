//! Take-overs: what was sent nowhere is run by whoever is there, once; what was sent is ended; what waits outlives a stop.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use atelier_generation::Error;
use atelier_kit::testing::eventually;
use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;
use futures_util::StreamExt as _;

use crate::ground::slower;
use crate::stage::{Plan, Process, assert_whole, collect, file, next, piece, text};

fn short() -> Plan {
    Plan {
        lease: Duration::from_millis(400),
        ..Plan::default()
    }
}

#[tokio::test]
async fn what_was_sent_nowhere_is_run_by_the_taker_and_opens_with_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), short()).await;
    let dead = piece("ana", Some("r1"), "a body");
    process.left_behind(&dead, false).await;
    process.puppets.say(&dead.id, "all of it");
    process.puppets.finish(&dead.id);
    let joined = process.engine.start(piece("ana", Some("r1"), "a body"));
    let events = collect(joined.await.unwrap()).await;
    assert_whole(&events);
    assert!(matches!(events[0].event, Some(Event::Snapshot(_))));
    assert!(matches!(
        events.last().unwrap().event,
        Some(Event::Completed(_))
    ));
    assert_eq!(text(&events), "all of it");
    let record = process.find(&dead.id).await;
    assert_eq!((record.state, record.epoch), (State::Completed, 2));
    assert_eq!(process.piece(&dead.id).await.ends, 1);
    process.book.reads(&dead.id, &["reserve", "settle 1"]).await;
}

#[tokio::test]
async fn what_may_have_been_sent_fails_with_its_money_back_and_is_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), short()).await;
    let dead = piece("ana", None, "a body");
    process.left_behind(&dead, true).await;
    let record = process.ended(&dead.id).await;
    assert_eq!(record.failure.unwrap().reason, "INTERRUPTED");
    assert!(process.puppets.began().is_empty());
    process.book.reads(&dead.id, &["release"]).await;
}

#[tokio::test]
async fn a_cancel_that_the_dead_owner_never_saw_is_honoured_whether_it_was_sent_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), short()).await;
    for sent in [false, true] {
        let dead = piece("ana", None, "a body");
        process.left_behind(&dead, sent).await;
        process.engine.cancel("ana", &dead.id).await.unwrap();
        assert_eq!(process.ended(&dead.id).await.state, State::Cancelled);
        process.book.reads(&dead.id, &["release"]).await;
    }
    assert!(process.puppets.began().is_empty());
}

#[tokio::test]
async fn an_owner_that_waited_is_asked_before_it_sends_and_learns_that_it_was_succeeded() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        at_once: 1,
        ..Plan::default()
    };
    let owner = Process::start(&file(&folder), plan).await;
    let (first, _first) = owner.begin().await;
    let (second, _second) = owner.begin().await;
    // As if it had been paused while the second waited: somebody else has that by now, and runs it.
    let taker = Process::start(&file(&folder), short()).await;
    eventually("the second is taken over", || async {
        taker.puppets.began().contains(&second)
    })
    .await;
    owner.puppets.finish(&first);
    owner.idle().await;
    assert!(
        !owner.puppets.began().contains(&second),
        "two have sent the same"
    );
    taker.puppets.say(&second, "once");
    taker.puppets.finish(&second);
    let record = taker.ended(&second).await;
    assert_eq!(
        (record.state, record.snapshot.text.as_str()),
        (State::Completed, "once")
    );
    assert_eq!(taker.piece(&second).await.ends, 1);
}

#[tokio::test]
async fn what_waits_is_not_taken_over_while_its_owner_lives_however_long_it_waits() {
    let folder = tempfile::tempdir().unwrap();
    let plan = || Plan {
        at_once: 1,
        lease: Duration::from_millis(800),
        ..Plan::default()
    };
    let owner = Process::start(&file(&folder), plan()).await;
    let other = Process::start(&file(&folder), plan()).await;
    let mut ids = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..30 {
        let (id, stream) = owner.begin().await;
        ids.push(id);
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(other.puppets.began().is_empty());
    for id in &ids {
        owner.puppets.finish(id);
    }
    for stream in streams {
        collect(stream).await;
    }
    assert_eq!(owner.puppets.began(), ids);
    for id in &ids {
        assert_eq!(owner.find(id).await.epoch, 1);
    }
}

#[tokio::test]
async fn a_stop_hands_over_what_waits_and_the_next_start_runs_it_in_order_without_waiting_a_lease()
{
    let folder = tempfile::tempdir().unwrap();
    // Nobody waits a minute here.
    let plan = || Plan {
        at_once: 1,
        lease: Duration::from_secs(60),
        ..Plan::default()
    };
    let before = Process::start(&file(&folder), plan()).await;
    let (working, mut first) = before.begin().await;
    before.puppets.say(&working, "half");
    next(&mut first, 3).await;
    let mut waiting = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..10 {
        let (id, stream) = before.begin().await;
        waiting.push(id);
        streams.push(stream);
    }
    let cancelled = waiting.remove(4);
    // Whoever watches knows its place, and is told to watch again, by an error that says so.
    let mut seen = next(&mut streams[0], 1).await;
    before.engine.interrupt().await;
    assert_eq!(before.engine.under_way(), 0);
    assert_eq!(before.find(&working).await.state, State::Failed);
    for id in &waiting {
        assert_eq!(before.find(id).await.state, State::Queued);
    }
    let last = loop {
        match streams[0].next().await.unwrap() {
            Ok(event) => seen.push(event),
            Err(error) => break error,
        }
    };
    assert!(matches!(last, Error::HandedOver), "{last:?}");
    before.engine.cancel("ana", &cancelled).await.unwrap();

    let after = Process::start(&file(&folder), plan()).await;
    let begun = Instant::now();
    for id in &waiting {
        after.puppets.say(id, "whole");
        after.puppets.finish(id);
    }
    let resumed = seen.last().unwrap().sequence;
    let rest = after.watch(&waiting[0], resumed).await;
    seen.extend(rest);
    assert_whole(&seen);
    assert_eq!(text(&seen), "whole");
    for id in &waiting {
        assert_eq!(after.ended(id).await.state, State::Completed);
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(after.puppets.began(), waiting);
    assert_eq!(after.ended(&cancelled).await.state, State::Cancelled);
    assert_eq!(before.puppets.began(), [working]);
}

#[tokio::test]
async fn of_several_who_see_the_same_dead_owner_one_runs_each_of_its_generations() {
    let folder = tempfile::tempdir().unwrap();
    // Long enough for hearts to beat while two processes write as fast as they can.
    let plan = || Plan {
        lease: Duration::from_secs(2) * slower(),
        ..Plan::default()
    };
    let one = Process::start(&file(&folder), plan()).await;
    let two = Process::start(&file(&folder), plan()).await;
    let mut ids = Vec::new();
    for _ in 0..250 / slower() {
        let new = piece("ana", None, "a body");
        one.left_behind(&new, false).await;
        for process in [&one, &two] {
            process.puppets.say(&new.id, "x");
            process.puppets.finish(&new.id);
        }
        ids.push(new.id);
    }
    for id in &ids {
        let record = one.ended(id).await;
        assert_eq!((record.state, record.epoch), (State::Completed, 2));
        assert_eq!(one.piece(id).await.ends, 1);
    }
    let mut began = one.puppets.began();
    began.extend(two.puppets.began());
    assert_eq!(began.len(), ids.len(), "none is run twice");
    assert_eq!(
        began.into_iter().collect::<HashSet<_>>(),
        ids.into_iter().collect()
    );
}

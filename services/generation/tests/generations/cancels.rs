//! Cancelling: by anyone of the owner's, from any process, once; and the end that a stopping process writes.

use std::time::{Duration, Instant};

use atelier_generation::Error;
use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;

use crate::stage::{Plan, Process, assert_whole, collect, file, next, piece, text};

#[tokio::test]
async fn a_cancel_stops_the_provider_at_once_and_keeps_what_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let (id, mut stream) = process.begin().await;
    process.puppets.say(&id, "half of ");
    next(&mut stream, 3).await;
    let asked = Instant::now();
    assert_eq!(
        process.engine.cancel("ana", &id).await.unwrap(),
        State::Running,
        "it had its turn at once"
    );
    let rest = collect(stream).await;
    assert!(
        asked.elapsed() < Duration::from_millis(500),
        "{:?}",
        asked.elapsed()
    );
    assert!(matches!(
        rest.last().unwrap().event,
        Some(Event::Cancelled(_))
    ));
    assert!(process.puppets.is_dropped(&id));
    let record = process.find(&id).await;
    assert_eq!(
        (record.state, record.snapshot.text.as_str()),
        (State::Cancelled, "half of ")
    );
    assert_eq!(process.piece(&id).await.text, "half of ");
    // It has told of no usage: what was delivered is counted and charged.
    let usage = record.snapshot.usage.unwrap();
    assert_eq!((usage.output_tokens, usage.estimated), (8, true));
    process.book.reads(&id, &["reserve", "settle 8"]).await;
}

#[tokio::test]
async fn a_cancel_from_another_process_stops_it_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let other = Process::start(&file(&folder), Plan::default()).await;
    let (id, stream) = process.begin().await;
    process.puppets.say(&id, "half of ");
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let asked = Instant::now();
    other.engine.cancel("ana", &id).await.unwrap();
    let events = collect(stream).await;
    assert!(
        asked.elapsed() < Duration::from_millis(800),
        "before the next checkpoint would have noticed it: {:?}",
        asked.elapsed()
    );
    assert_whole(&events);
    assert!(process.puppets.is_dropped(&id));
    let record = other.find(&id).await;
    assert_eq!(
        (record.state, record.snapshot.text.as_str()),
        (State::Cancelled, "half of ")
    );
    assert_eq!(text(&other.watch(&id, 0).await), "half of ");
}

#[tokio::test]
async fn a_cancel_of_an_ended_generation_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let (id, stream) = process.begin().await;
    process.puppets.finish(&id);
    let events = collect(stream).await;
    assert_eq!(
        process.engine.cancel("ana", &id).await.unwrap(),
        State::Completed
    );
    let record = process.find(&id).await;
    assert_eq!(
        (record.state, record.cancel_requested),
        (State::Completed, false)
    );
    assert_eq!(process.watch(&id, 0).await, events);
    assert_eq!(process.piece(&id).await.ends, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancel_in_the_moment_of_the_start_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    for _ in 0..30 {
        let new = piece("ana", None, "a body");
        let id = new.id.clone();
        let (engine, name) = (process.engine.clone(), id.clone());
        let canceller = tokio::spawn(async move {
            loop {
                match engine.cancel("ana", &name).await {
                    Err(Error::NotFound) => tokio::task::yield_now().await,
                    other => return other.unwrap(),
                }
            }
        });
        let stream = process.engine.start(new).await.unwrap();
        canceller.await.unwrap();
        let asked = Instant::now();
        let events = collect(stream).await;
        assert!(matches!(
            events.last().unwrap().event,
            Some(Event::Cancelled(_))
        ));
        // Well before the next checkpoint would have noticed it.
        assert!(
            asked.elapsed() < Duration::from_millis(600),
            "{:?}",
            asked.elapsed()
        );
    }
}

#[tokio::test]
async fn cancels_and_finishes_that_meet_end_a_generation_once() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    for _ in 0..20 {
        let (id, stream) = process.begin().await;
        process.puppets.say(&id, "x");
        process.puppets.finish(&id);
        let engine = &process.engine;
        let (a, b) = tokio::join!(engine.cancel("ana", &id), engine.cancel("ana", &id));
        a.unwrap();
        b.unwrap();
        let events = collect(stream).await;
        assert_whole(&events);
        let (record, piece) = (process.ended(&id).await, process.piece(&id).await);
        assert_eq!(piece.ends, 1);
        assert_eq!(piece.state, i32::from(record.state));
        assert_eq!(piece.text, text(&events));
    }
}

#[tokio::test]
async fn forgetting_cancels_first_and_removes_the_record_but_not_the_usage() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let (id, mut stream) = process.begin().await;
    next(&mut stream, 2).await;
    process
        .engine
        .forget("ana", &id, Duration::from_secs(5))
        .await
        .unwrap();
    assert!(process.puppets.is_dropped(&id));
    assert!(process.record.find(&id).await.unwrap().is_none());
    atelier_kit::testing::eventually("its usage is counted", || async {
        process.van.counts().contains_key(&id)
    })
    .await;
}

#[tokio::test]
async fn forgetting_gives_up_when_the_generation_does_not_end_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    // In the record, and run by nobody.
    let new = piece("ana", None, "a body");
    process.left_behind(&new, true).await;
    let gave_up = process
        .engine
        .forget("ana", &new.id, Duration::from_millis(100))
        .await;
    assert!(matches!(gave_up, Err(Error::LeaseLost)));
    assert!(process.record.find(&new.id).await.unwrap().is_some());
}

#[tokio::test]
async fn one_that_waits_in_another_process_is_cancelled_there_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plan = || Plan {
        at_once: 1,
        ..Plan::default()
    };
    let process = Process::start(&file(&folder), plan()).await;
    let other = Process::start(&file(&folder), plan()).await;
    let (working, _first) = process.begin().await;
    let (waiting, stream) = process.begin().await;
    let asked = Instant::now();
    assert_eq!(
        other.engine.cancel("ana", &waiting).await.unwrap(),
        State::Queued
    );
    let events = collect(stream).await;
    assert!(
        asked.elapsed() < Duration::from_millis(800),
        "{:?}",
        asked.elapsed()
    );
    assert!(matches!(
        events.last().unwrap().event,
        Some(Event::Cancelled(_))
    ));
    process.book.reads(&waiting, &["release"]).await;
    assert_eq!(process.puppets.began(), [working]);
}

#[tokio::test]
async fn a_stopping_process_ends_what_runs_as_interrupted_and_starts_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let (working, mut stream) = process.begin().await;
    process.puppets.say(&working, "half");
    next(&mut stream, 3).await;
    tokio::time::timeout(Duration::from_secs(5), process.engine.interrupt())
        .await
        .expect("it returns");
    assert_eq!(process.engine.under_way(), 0);
    let record = process.find(&working).await;
    let failure = record.failure.clone().unwrap();
    assert_eq!(
        (record.state, failure.reason.as_str(), failure.retryable),
        (State::Failed, "INTERRUPTED", true)
    );
    let events = collect(stream).await;
    let Some(Event::Failed(failed)) = &events.last().unwrap().event else {
        panic!("{events:?}")
    };
    assert_eq!(
        (failed.reason.as_str(), failed.retryable),
        ("INTERRUPTED", true)
    );
    assert_eq!(process.piece(&working).await.text, "half");
    process.book.reads(&working, &["reserve", "release"]).await;
    let refused = process
        .engine
        .start(piece("ana", None, "a body"))
        .await
        .err();
    assert!(matches!(refused, Some(Error::Refused(_))), "{refused:?}");
    assert_eq!(process.pieces().await.len(), 1);
}

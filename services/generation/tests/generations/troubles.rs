//! A store that is away for a while: callers are told so, owners go on, and nothing that was acknowledged is lost.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use atelier_generation::{Error, EventStream};
use atelier_kit::fault::{Fault, Kind};
use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;
use tonic_types::StatusExt as _;

use crate::stage::{Plan, Process, assert_whole, collect, emptied, file, next, piece, text};

/// Long enough for several checkpoints, beats, looks and rounds to fail.
const WHILE: Duration = Duration::from_secs(2);

fn short() -> Plan {
    Plan {
        lease: Duration::from_millis(400),
        ..Plan::default()
    }
}

/// What a caller is told of a store that is away.
pub fn assert_told(error: Error) {
    let fault = Fault::from(error);
    assert_eq!(
        (fault.kind(), fault.reason()),
        (Kind::Unavailable, "STORE_BUSY")
    );
    let status = tonic::Status::from(fault);
    let wait = status.get_details_retry_info().unwrap().retry_delay;
    assert!(wait.is_some_and(|wait| wait > Duration::ZERO), "{status:?}");
}

fn refusal(begun: Result<EventStream, Error>) -> Error {
    begun.err().expect("nobody is there")
}

#[tokio::test]
async fn callers_are_told_that_the_store_is_away_and_when_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let (id, _events) = process.begin().await;
    process.faults.away.store(true, Ordering::SeqCst);
    let again = || piece("ana", Some("r1"), "a body");
    let engine = &process.engine;
    assert_told(refusal(engine.start(again()).await));
    assert_told(refusal(engine.watch("ana", &id, 0).await));
    assert_told(engine.cancel("ana", &id).await.unwrap_err());
    assert_told(engine.find("ana", &id).await.unwrap_err());
    assert_told(engine.depart("ana").await.unwrap_err());
    assert_eq!(process.engine.under_way(), 1, "nothing of it is kept");
    process.faults.away.store(false, Ordering::SeqCst);
    let new = again();
    process.puppets.finish(&new.id);
    assert_whole(&collect(engine.start(new).await.unwrap()).await);
}

#[tokio::test]
async fn an_owner_works_on_and_ends_when_the_store_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let (id, mut events) = process.begin().await;
    process.puppets.say(&id, "before, ");
    let mut seen = next(&mut events, 3).await;
    process.faults.away.store(true, Ordering::SeqCst);
    process.puppets.say(&id, "meanwhile, ");
    // Its lease holds by its own clock, and so it is heard.
    seen.extend(next(&mut events, 1).await);
    assert_eq!(text(&seen), "before, meanwhile, ");
    process.puppets.finish(&id);
    let rest = tokio::spawn(collect(events));
    // Longer than its journal may be silent before a watcher asks the record.
    tokio::time::sleep(WHILE * 2).await;
    assert!(!process.record_of(&id).await.has_ended());
    process.faults.away.store(false, Ordering::SeqCst);
    seen.extend(rest.await.unwrap());
    assert_whole(&seen);
    let record = process.find(&id).await;
    assert_eq!((record.state, record.epoch), (State::Completed, 1));
    assert_eq!(record.snapshot.text, "before, meanwhile, ");
    assert_eq!(process.piece(&id).await.ends, 1);
    process.book.reads(&id, &["reserve", "settle 2"]).await;
    emptied(&process.record).await;
    assert_eq!(process.van.counts()[&id], 1);
}

#[tokio::test]
async fn however_long_it_is_away_no_owner_that_lives_is_taken_for_dead() {
    let folder = tempfile::tempdir().unwrap();
    let plan = || Plan {
        at_once: 1,
        lease: Duration::from_secs(2),
        ..Plan::default()
    };
    let one = Process::start(&file(&folder), plan()).await;
    let two = Process::start(&file(&folder), plan()).await;
    let mut begun = Vec::new();
    // Of the second process one works and the others wait.
    for process in [&one, &two, &two, &two] {
        begun.push((process, process.begin().await));
    }
    // The first has seen the last that the second has written, and sees first that the record is back: with the time in between
    // the second would be dead.
    two.faults.away.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    one.faults.away.store(true, Ordering::SeqCst);
    tokio::time::sleep(WHILE).await;
    one.faults.away.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(700)).await;
    two.faults.away.store(false, Ordering::SeqCst);
    // A lease and more, in which whoever is taken for dead is taken over.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (process, (id, events)) in begun {
        process.puppets.say(&id, "alive");
        process.puppets.finish(&id);
        let events = collect(events).await;
        assert_whole(&events);
        assert_eq!(text(&events), "alive");
        let record = process.find(&id).await;
        assert_eq!((record.state, record.epoch), (State::Completed, 1));
    }
}

#[tokio::test]
async fn an_end_whose_answer_is_lost_is_told_as_it_was_written_and_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    process.faults.unanswered.store(1, Ordering::SeqCst);
    let (id, events) = process.begin().await;
    process.puppets.say(&id, "words");
    process.puppets.finish(&id);
    let events = collect(events).await;
    assert_whole(&events);
    // As if nothing had been: from the record it would be told as a snapshot.
    assert!(
        matches!(events.last().unwrap().event, Some(Event::Completed(_)))
            && !events
                .iter()
                .any(|event| matches!(event.event, Some(Event::Snapshot(_)))),
        "{events:?}"
    );
    assert_eq!(process.piece(&id).await.ends, 1);
    process.book.reads(&id, &["reserve", "settle 1"]).await;
}

#[tokio::test]
async fn an_owner_that_alone_is_cut_off_writes_nothing_over_what_its_successor_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let owner = Process::start(&file(&folder), short()).await;
    let (id, mut events) = owner.begin().await;
    owner.puppets.say(&id, "kept");
    next(&mut events, 3).await;
    atelier_kit::testing::eventually("a checkpoint has it", || async {
        owner.find(&id).await.snapshot.text == "kept"
    })
    .await;
    owner.faults.away.store(true, Ordering::SeqCst);
    // Its work is done, and it tries to say so.
    owner.puppets.finish(&id);
    let taker = Process::start(&file(&folder), short()).await;
    let record = taker.ended(&id).await;
    assert_eq!((record.state, record.epoch), (State::Failed, 2));
    owner.faults.away.store(false, Ordering::SeqCst);
    owner.idle().await;
    let after = taker.find(&id).await;
    assert_eq!(
        (after.epoch, after.sequence, after.snapshot),
        (2, record.sequence, record.snapshot)
    );
    assert_eq!(taker.piece(&id).await.ends, 1);
    let told = owner.watch(&id, 0).await;
    assert!(
        matches!(&told.last().unwrap().event, Some(Event::Failed(failed)) if failed.reason == "INTERRUPTED")
    );
}

#[tokio::test]
async fn what_has_its_turn_is_sent_when_the_store_is_back_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        at_once: 1,
        ..Plan::default()
    };
    let process = Process::start(&file(&folder), plan).await;
    let (first, _first) = process.begin().await;
    let (second, events) = process.begin().await;
    process.faults.away.store(true, Ordering::SeqCst);
    process.puppets.finish(&first);
    process.puppets.say(&second, "sent");
    process.puppets.finish(&second);
    tokio::time::sleep(WHILE).await;
    assert_eq!(process.puppets.began(), [first], "sent without a word");
    process.faults.away.store(false, Ordering::SeqCst);
    let events = collect(events).await;
    assert_whole(&events);
    assert_eq!(text(&events), "sent");
    assert_eq!(process.find(&second).await.state, State::Completed);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever_and_whoever_comes_next_ends_what_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let plan = || Plan {
        at_once: 1,
        lease: Duration::from_secs(1),
        ..Plan::default()
    };
    let before = Process::start(&file(&folder), plan()).await;
    let (working, _working) = before.begin().await;
    let (waiting, _waiting) = before.begin().await;
    before.faults.away.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    before.engine.interrupt().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{begun:?}");
    let after = Process::start(&file(&folder), plan()).await;
    after.puppets.say(&waiting, "run");
    after.puppets.finish(&waiting);
    let record = after.ended(&working).await;
    assert_eq!(record.failure.unwrap().reason, "INTERRUPTED");
    let record = after.ended(&waiting).await;
    assert_eq!(
        (record.state, record.snapshot.text.as_str()),
        (State::Completed, "run")
    );
}

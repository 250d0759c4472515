//! Money: what an end costs is written with it, and told to the purse until the purse has it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use atelier_generation::Error;
use atelier_kit::testing::eventually;
use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;

use crate::stage::{Plan, Process, collect, file, next, piece};

#[tokio::test]
async fn a_purse_that_is_away_hears_of_everything_when_it_is_back_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let before = Process::start(&file(&folder), Plan::default()).await;
    before.book.away.store(true, Ordering::SeqCst);
    let mut ids = Vec::new();
    for at in 0..130 {
        let (id, stream) = before.begin().await;
        before.puppets.say(&id, "a word");
        if at % 2 == 0 {
            before.puppets.finish(&id);
        } else {
            before.puppets.tell(
                &id,
                crate::puppet::Act::Fail(atelier_generation::Failure::lasting("NO", "no")),
            );
        }
        collect(stream).await;
        ids.push(id);
    }
    // Forgetting a record forgets nothing that is owed.
    let limit = Duration::from_secs(5);
    before.engine.forget("ana", &ids[0], limit).await.unwrap();
    assert_eq!(before.record.unsettled("", 1000).await.unwrap().len(), 130);
    before.engine.interrupt().await;
    before.database.close().await;
    let after = Process::start(&file(&folder), Plan::default()).await;
    after.settled().await;
    for (at, id) in ids.iter().enumerate() {
        let told = if at % 2 == 0 { "settle 1" } else { "release" };
        assert_eq!(after.book.of(id), [told], "{at}");
    }
}

#[tokio::test]
async fn one_that_the_purse_will_not_have_keeps_no_other_from_being_settled() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let (odd, stream) = process.begin().await;
    *process.book.refused.lock().unwrap() = Some(odd.clone());
    process.puppets.finish(&odd);
    collect(stream).await;
    for _ in 0..5 {
        let (id, stream) = process.begin().await;
        process.puppets.say(&id, "a word");
        process.puppets.finish(&id);
        collect(stream).await;
        process.book.reads(&id, &["reserve", "settle 1"]).await;
    }
    // What the purse acknowledged is crossed out a moment later.
    eventually("the odd one alone is left", || async {
        let left = process.record.unsettled("", 10).await.unwrap();
        matches!(left.as_slice(), [one] if one.id == odd)
    })
    .await;
    *process.book.refused.lock().unwrap() = None;
    process.settled().await;
}

#[tokio::test]
async fn a_cancelled_one_pays_for_what_was_delivered_whoever_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let owner = Plan {
        background: false,
        ..Plan::default()
    };
    let owner = Process::start(&file(&folder), owner).await;
    let (id, mut stream) = owner.begin().await;
    owner.puppets.say(&id, "delivered");
    next(&mut stream, 3).await;
    // A checkpoint has it; then the owner is as good as dead.
    eventually("it is in the record", || async {
        owner.find(&id).await.snapshot.text == "delivered"
    })
    .await;
    let record = owner.find(&id).await;
    let lease = record.lease();
    let taker = Plan {
        lease: Duration::from_millis(200),
        ..Plan::default()
    };
    let taker = Process::start(&file(&folder), taker).await;
    // Asked for where nobody looks any more: only the taker can see it.
    taker.database.estrange(&lease.id).await;
    let ended = taker.ended(&id).await;
    assert_eq!(ended.state, State::Cancelled);
    let usage = ended.snapshot.usage.unwrap();
    assert_eq!((usage.output_tokens, usage.estimated), (9, true));
    taker.book.reads(&id, &["settle 9"]).await;
}

#[tokio::test]
async fn the_figure_is_told_before_the_end_of_a_cancelled_one_and_nothing_delivered_is_nothing_charged()
 {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    for words in ["some words", ""] {
        let (id, mut stream) = process.begin().await;
        process.puppets.say(&id, words);
        process.puppets.tell(&id, crate::puppet::Act::Progress(0.5));
        let count = if words.is_empty() { 3 } else { 4 };
        next(&mut stream, count).await;
        process.engine.cancel("ana", &id).await.unwrap();
        let last = collect(stream).await;
        let told = last.iter().find_map(|event| match &event.event {
            Some(Event::Usage(usage)) => Some(usage.output_tokens),
            _ => None,
        });
        let record = process.find(&id).await;
        assert_eq!(record.sequence, last.last().unwrap().sequence);
        if words.is_empty() {
            assert_eq!(told, None);
            process.book.reads(&id, &["reserve", "release"]).await;
        } else {
            assert_eq!(told, Some(10));
            process.book.reads(&id, &["reserve", "settle 10"]).await;
        }
    }
}

#[tokio::test]
async fn one_whose_owner_dies_in_the_middle_of_a_reservation_after_waiting_is_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        at_once: 1,
        lease: Duration::from_secs(60),
        ..Plan::default()
    };
    let before = Process::start(&file(&folder), plan).await;
    let (first, _stream) = before.begin().await;
    eventually("the first works", || async {
        before.puppets.began().len() == 1
    })
    .await;
    let (second, _other) = before.begin().await;
    before.book.slow.store(true, Ordering::SeqCst);
    before.puppets.finish(&first);
    before.ended(&first).await;
    before.engine.interrupt().await;
    assert_eq!(before.puppets.began(), [first]);
    // Gone, and its rounds with it.
    let gone = before.book.clone();
    drop(before);
    let after = Process::start(&file(&folder), Plan::default()).await;
    after.puppets.say(&second, "a word");
    after.puppets.finish(&second);
    assert_eq!(after.ended(&second).await.state, State::Completed);
    after.book.reads(&second, &["reserve", "settle 1"]).await;
    assert!(gone.of(&second).is_empty());
}

#[tokio::test]
async fn more_than_may_wait_are_refused_with_nothing_kept_and_what_was_accepted_is_joined() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        at_once: 1,
        waiting: 2,
        ..Plan::default()
    };
    let process = Process::start(&file(&folder), plan).await;
    let _working = process.begin().await;
    let second = piece("ana", Some("r2"), "a body");
    let _second = process.engine.start(second.clone()).await.unwrap();
    let _third = process.begin().await;
    let refused = process.engine.start(piece("ana", None, "a body")).await;
    assert!(matches!(refused.err(), Some(Error::QueueFull)));
    assert_eq!(process.pieces().await.len(), 3);
    let fault = atelier_kit::fault::Fault::from(Error::QueueFull);
    let status = tonic::Status::from(fault);
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    // Asked for again, and by somebody else.
    let again = process
        .engine
        .start(piece("ana", Some("r2"), "a body"))
        .await;
    assert!(again.is_ok(), "{:?}", again.err());
    let other = process
        .engine
        .start(piece("ana", Some("r2"), "another body"))
        .await;
    assert!(matches!(other.err(), Some(Error::RequestIdReused)));
    let _his = process.begin_of("bob", 1).await;
    process.engine.cancel("ana", &second.id).await.unwrap();
    process.ended(&second.id).await;
    eventually("there is a place again", || async {
        process
            .engine
            .start(piece("ana", None, "a body"))
            .await
            .is_ok()
    })
    .await;
}

//! A database that somebody else holds: what waits for it, and what is not told meanwhile.

use std::time::Duration;

use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;

use crate::stage::{Plan, Process, collect, database, file, next, text};

#[tokio::test]
async fn an_end_waits_for_a_database_that_another_holds() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let (id, mut stream) = process.begin().await;
    process.puppets.say(&id, "words");
    next(&mut stream, 3).await;
    let other = database(&file(&folder)).await;
    let held = other.sql().begin().await.unwrap();
    process.puppets.finish(&id);
    // Longer than the busy timeout of five seconds, so that a write is refused in between.
    tokio::time::sleep(Duration::from_millis(6500)).await;
    assert!(!process.find(&id).await.has_ended());
    held.rollback().await.unwrap();
    let rest = collect(stream).await;
    assert!(matches!(
        rest.last().unwrap().event,
        Some(Event::Completed(_))
    ));
    let record = process.find(&id).await;
    assert_eq!(
        (record.state, record.epoch, record.snapshot.text.as_str()),
        (State::Completed, 1, "words")
    );
}

#[tokio::test]
async fn an_owner_whose_lease_has_lapsed_by_its_own_clock_tells_nothing_until_the_record_confirms_it()
 {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        lease: Duration::from_millis(400),
        background: false,
        ..Plan::default()
    };
    let process = Process::start(&file(&folder), plan).await;
    let (id, mut stream) = process.begin().await;
    next(&mut stream, 2).await;
    let other = database(&file(&folder)).await;
    let held = other.sql().begin().await.unwrap();
    // No checkpoint gets through, and so another process might have it by now, for all that this one knows.
    tokio::time::sleep(Duration::from_millis(600)).await;
    process.puppets.say(&id, "perhaps stale");
    let told = tokio::time::timeout(Duration::from_millis(300), next(&mut stream, 1)).await;
    assert!(told.is_err(), "{told:?}");
    held.rollback().await.unwrap();
    process.puppets.finish(&id);
    let rest = collect(stream).await;
    assert_eq!(text(&rest), "perhaps stale");
    assert_eq!(process.find(&id).await.state, State::Completed);
}

//! Fencing: an owner that lost its lease writes nothing more, and the next epoch begins with the whole state.

use std::sync::atomic::Ordering;
use std::time::Duration;

use atelier_generation::{End, Error, GenerationRecord, Lease, Settlement};
use atelier_kit::testing::eventually;
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{FinishReason, GenerationEvent, Snapshot, State, TextDelta};
use bytes::Bytes;

use crate::stage::{Plan, Process, assert_whole, collect, file, next, piece, text};

/// A cancelled end with this text.
pub fn end_of(record: &GenerationRecord, text: &str) -> End {
    End {
        state: State::Cancelled,
        snapshot: Snapshot {
            state: State::Cancelled.into(),
            text: text.into(),
            ..Snapshot::default()
        },
        sequence: (record.epoch << 32) + 2,
        finish_reason: FinishReason::Unspecified,
        failure: None,
        details: Bytes::new(),
        usage_event: UsageEvent {
            id: record.id.clone(),
            ..UsageEvent::default()
        },
        settlement: Settlement {
            id: record.id.clone(),
            charge: None,
        },
    }
}

fn delta(lease: &Lease, sequence: i64) -> GenerationEvent {
    GenerationEvent {
        generation_id: lease.id.clone(),
        sequence,
        time: None,
        event: Some(Event::TextDelta(TextDelta {
            text: "stale".into(),
        })),
    }
}

#[tokio::test]
async fn every_write_of_an_owner_that_lost_its_lease_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(
        &file(&folder),
        Plan {
            background: false,
            ..Plan::default()
        },
    )
    .await;
    let new = piece("ana", None, "a body");
    let old = process.left_behind(&new, false).await;
    process.journal.open(&old.lease()).await.unwrap();
    let claimed = process.claim(&old).await.unwrap();
    process.journal.open(&claimed.lease()).await.unwrap();
    assert_eq!(claimed.epoch, 2);
    let (lease, stale) = (
        old.lease(),
        Snapshot {
            text: "stale".into(),
            ..Snapshot::default()
        },
    );
    let late = process
        .record
        .checkpoint(&lease, State::Running, &stale, (1 << 32) + 9)
        .await;
    assert!(matches!(late, Err(Error::LeaseLost)));
    assert!(matches!(
        process.record.finish(&lease, &end_of(&old, "stale")).await,
        Err(Error::LeaseLost)
    ));
    assert!(matches!(
        process
            .journal
            .append(&lease, delta(&lease, (1 << 32) + 9))
            .await,
        Err(Error::LeaseLost)
    ));
    assert!(matches!(
        process.journal.open(&lease).await,
        Err(Error::LeaseLost)
    ));
    process.journal.abandon(&lease).await;
    assert!(
        process
            .journal
            .read(&new.id, 0)
            .await
            .unwrap()
            .unwrap()
            .events
            .is_empty()
    );
    // Nor can the same moment be claimed twice.
    assert!(process.claim(&old).await.is_none());
    // Nor does a heart beat that is not one's own any more, nor is given back what another has.
    let lost = process
        .record
        .beat(std::slice::from_ref(&lease))
        .await
        .unwrap();
    assert_eq!(lost, std::slice::from_ref(&new.id));
    process
        .record
        .release(std::slice::from_ref(&lease))
        .await
        .unwrap();
    let open = process.record.open().await.unwrap();
    assert!(
        open.len() == 1 && !open[0].released && open[0].heartbeat == claimed.heartbeat,
        "{open:?}"
    );
    let record = process.find(&new.id).await;
    assert_eq!(
        (record.state, record.epoch, record.snapshot.text.as_str()),
        (State::Queued, 2, "")
    );
    assert_eq!(process.piece(&new.id).await.ends, 0);
    // The one who has it may end it, and only once.
    process
        .record
        .finish(&claimed.lease(), &end_of(&claimed, "kept"))
        .await
        .unwrap();
    let again = process
        .record
        .finish(&claimed.lease(), &end_of(&claimed, "again"))
        .await;
    assert!(matches!(again, Err(Error::LeaseLost)));
    let after = process
        .record
        .checkpoint(&claimed.lease(), State::Running, &stale, 3 << 32)
        .await;
    assert!(matches!(after, Err(Error::LeaseLost)));
    assert_eq!(
        (
            process.piece(&new.id).await.text.as_str(),
            process.piece(&new.id).await.ends
        ),
        ("kept", 1)
    );
    assert_eq!(
        process.engine.cancel("ana", &new.id).await.unwrap(),
        State::Cancelled
    );
}

#[tokio::test]
async fn whoever_claims_first_has_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let one = Process::start(
        &file(&folder),
        Plan {
            background: false,
            ..Plan::default()
        },
    )
    .await;
    let two = Process::start(
        &file(&folder),
        Plan {
            background: false,
            ..Plan::default()
        },
    )
    .await;
    for _ in 0..20 {
        let new = piece("ana", None, "a body");
        let seen = one.left_behind(&new, false).await;
        let (a, b) = tokio::join!(one.claim(&seen), two.claim(&seen));
        assert_eq!(usize::from(a.is_some()) + usize::from(b.is_some()), 1);
    }
}

#[tokio::test]
async fn an_owner_paused_past_its_lease_is_succeeded_by_a_higher_epoch_that_begins_with_a_snapshot()
{
    let folder = tempfile::tempdir().unwrap();
    let (ones, others) = crate::journal::pair();
    // The owner's heart beats every 0.9 s, and the other takes it for dead after 0.4 s: as if it were paused.
    let owner = Plan {
        journal: Some(ones),
        background: false,
        ..Plan::default()
    };
    let owner = Process::start(&file(&folder), owner).await;
    let (id, mut stream) = owner.begin().await;
    owner.puppets.say(&id, "lost or kept");
    let mut events = next(&mut stream, 3).await;
    let taker = Plan {
        journal: Some(others),
        lease: Duration::from_millis(400),
        ..Plan::default()
    };
    let taker = Process::start(&file(&folder), taker).await;
    let record = taker.ended(&id).await;
    // It wakes, and goes on as if nothing had been.
    owner.puppets.say(&id, "stale");
    owner.puppets.finish(&id);
    events.extend(collect(stream).await);
    assert_whole(&events);
    assert_eq!((record.epoch, record.state), (2, State::Failed));
    let snapshot = events
        .iter()
        .find(|event| event.sequence > 2 << 32)
        .unwrap();
    assert!(
        matches!(snapshot.event, Some(Event::Snapshot(_))),
        "{events:?}"
    );
    assert!(
        events
            .iter()
            .all(|event| event.sequence < 2 << 32 || event.sequence >= snapshot.sequence)
    );
    assert!(!text(&events).contains("stale"));
    owner.idle().await;
    let after = owner.find(&id).await;
    assert_eq!(
        (after.epoch, after.sequence, after.snapshot),
        (2, record.sequence, record.snapshot)
    );
    assert_eq!(owner.piece(&id).await.ends, 1);
    assert_eq!(owner.watch(&id, 0).await.last(), events.last());
}

#[tokio::test]
async fn an_owner_that_lives_is_not_taken_over_however_short_the_lease() {
    let folder = tempfile::tempdir().unwrap();
    let plan = || Plan {
        lease: Duration::from_millis(800),
        ..Plan::default()
    };
    let owner = Process::start(&file(&folder), plan()).await;
    let _other = Process::start(&file(&folder), plan()).await;
    let (id, stream) = owner.begin().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    owner.puppets.say(&id, "alive");
    owner.puppets.finish(&id);
    let events = collect(stream).await;
    assert!(matches!(
        events.last().unwrap().event,
        Some(Event::Completed(_))
    ));
    assert_eq!(owner.find(&id).await.epoch, 1);
}

#[tokio::test]
async fn what_may_have_been_sent_is_never_called_unsent_again() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    // Its turn is there at once, and its reservation takes long: the checkpoints of that time know of no start.
    process.book.slow.store(true, Ordering::SeqCst);
    let (id, mut stream) = process.begin().await;
    assert_eq!(process.find(&id).await.state, State::Running);
    next(&mut stream, 1).await;
    let first = process.find(&id).await.heartbeat;
    eventually("a checkpoint is written", || async {
        process.find(&id).await.heartbeat > first
    })
    .await;
    let record = process.find(&id).await;
    assert_eq!(
        (record.state, record.snapshot.state()),
        (State::Running, State::Queued)
    );
    // Nor is it given back.
    process.record.release(&[record.lease()]).await.unwrap();
    assert!(!process.record.open().await.unwrap()[0].released);
    process.book.slow.store(false, Ordering::SeqCst);
    process.puppets.finish(&id);
    process.ended(&id).await;
}

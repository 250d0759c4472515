//! Ends that something tries to prevent: panics, a busy database, rows that refuse, a provider that will not be quiet.

use std::sync::atomic::Ordering;
use std::time::Duration;

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Snapshot, State};

use crate::fences::end_of;
use crate::puppet::Act;
use crate::stage::{Plan, Process, assert_whole, collect, file, fold, next, text};

#[tokio::test]
async fn a_provider_that_panics_fails_its_generation_as_internal_and_gives_its_turn_back() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(
        &file(&folder),
        Plan {
            at_once: 1,
            ..Plan::default()
        },
    )
    .await;
    let (id, stream) = process.begin().await;
    process.puppets.say(&id, "oh");
    process.puppets.tell(&id, Act::Panic);
    let events = collect(stream).await;
    assert_whole(&events);
    let Some(Event::Failed(failed)) = &events.last().unwrap().event else {
        panic!("{events:?}")
    };
    assert_eq!(failed.reason, "INTERNAL");
    assert!(
        !failed.message.contains("puppet"),
        "what the panic said is not told"
    );
    let record = process.find(&id).await;
    assert_eq!(
        (record.state, record.snapshot.text.as_str()),
        (State::Failed, "oh")
    );
    process.book.reads(&id, &["reserve", "release"]).await;
    let (next, stream) = process.begin().await;
    process.puppets.finish(&next);
    collect(stream).await;
    process.idle().await;
}

#[tokio::test]
async fn rows_that_panic_at_the_end_leave_a_generation_that_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        lease: Duration::from_millis(400),
        ..Plan::default()
    };
    let process = Process::start(&file(&folder), plan).await;
    let (id, stream) = process.begin().await;
    process.rows.panicking.store(true, Ordering::SeqCst);
    process.puppets.say(&id, "words");
    process.puppets.finish(&id);
    let events = collect(stream).await;
    assert_whole(&events);
    assert!(
        matches!(&events.last().unwrap().event, Some(Event::Failed(failed)) if failed.reason == "INTERRUPTED")
    );
    assert_eq!(process.piece(&id).await.ends, 1);
    process.idle().await;
}

#[tokio::test]
async fn an_end_that_the_rows_refuse_for_a_moment_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    process.rows.failing.store(3, Ordering::SeqCst);
    let (id, stream) = process.begin().await;
    process.puppets.say(&id, "words");
    process.puppets.finish(&id);
    let events = collect(stream).await;
    assert!(matches!(
        events.last().unwrap().event,
        Some(Event::Completed(_))
    ));
    assert_eq!(
        (
            process.piece(&id).await.text.as_str(),
            process.piece(&id).await.ends
        ),
        ("words", 1)
    );
}

#[tokio::test]
async fn an_end_that_the_rows_refuse_for_long_is_ended_by_the_watch_and_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        lease: Duration::from_millis(400),
        ..Plan::default()
    };
    let process = Process::start(&file(&folder), plan).await;
    process.rows.failing.store(5, Ordering::SeqCst);
    let (id, stream) = process.begin().await;
    process.puppets.say(&id, "words");
    process.puppets.finish(&id);
    let events = collect(stream).await;
    assert_whole(&events);
    assert!(
        matches!(&events.last().unwrap().event, Some(Event::Failed(failed)) if failed.reason == "INTERRUPTED")
    );
    assert_eq!(process.piece(&id).await.text, text(&events));
    assert_eq!(process.ended(&id).await.epoch, 2);
}

#[tokio::test]
async fn what_a_provider_tells_after_its_end_is_not_heard() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    for _ in 0..10 {
        let (id, stream) = process.begin().await;
        process.puppets.tell(&id, Act::Haunt);
        let events = collect(stream).await;
        assert_whole(&events);
        let record = process.find(&id).await;
        assert_eq!(record.sequence, events.last().unwrap().sequence);
        assert_eq!(
            record.snapshot,
            fold(
                Snapshot {
                    model: "wood".into(),
                    ..Snapshot::default()
                },
                &events
            )
        );
    }
}

#[tokio::test]
async fn a_record_that_ends_while_the_journal_lacks_it_ends_its_watchers_too() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let other = Process::start(
        &file(&folder),
        Plan {
            background: false,
            ..Plan::default()
        },
    )
    .await;
    for journalled in [false, true] {
        let (id, mut stream) = process.begin().await;
        process.puppets.say(&id, "words");
        next(&mut stream, 3).await;
        // A takeover by a process whose journal is away, or goes away before the end: the record alone says so.
        let claimed = loop {
            let record = process.find(&id).await;
            if let Some(claimed) = other.claim(&record).await {
                break claimed;
            }
        };
        if journalled {
            process.journal.open(&claimed.lease()).await.unwrap();
        }
        other
            .record
            .finish(&claimed.lease(), &end_of(&claimed, "words"))
            .await
            .unwrap();
        let ended = std::time::Instant::now();
        let rest = collect(stream).await;
        assert!(
            matches!(rest.last().unwrap().event, Some(Event::Cancelled(_))),
            "{rest:?}"
        );
        assert_eq!(text(&rest), "words");
        if !journalled {
            // The owner learns at its next checkpoint and says so; nobody waits for the silence to be noticed.
            assert!(
                ended.elapsed() < Duration::from_millis(1700),
                "{:?}",
                ended.elapsed()
            );
        }
        process.idle().await;
        assert!(
            process.puppets.is_dropped(&id),
            "its owner noticed and stopped"
        );
    }
}

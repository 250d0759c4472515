//! What every journal promises: it is bounded, and whatever it dropped is told again as a snapshot.

use std::time::Duration;

use atelier_generation::journal::{Bounds, MemoryJournal};
use atelier_generation::{Error, Journal, Lease};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{
    Allowance, AudioChunk, Completed, GenerationEvent, Progress, Queued, Snapshot, Started,
    TextDelta, Usage, Warning,
};
use bytes::Bytes;
use proptest::prelude::*;

use crate::journal;
use crate::stage::{Plan, Process, assert_whole, collect, file, fold, text};

fn event(id: &str, sequence: i64, event: Event) -> GenerationEvent {
    GenerationEvent {
        generation_id: id.into(),
        sequence,
        time: None,
        event: Some(event),
    }
}

fn lease(id: &str, epoch: i64) -> Lease {
    Lease {
        id: id.into(),
        epoch,
    }
}

fn say(words: &str) -> Event {
    Event::TextDelta(TextDelta { text: words.into() })
}

/// All that came after a sequence: a journal may tell it in pieces.
async fn read_all(journal: &dyn Journal, after: i64) -> Vec<GenerationEvent> {
    let mut events: Vec<GenerationEvent> = Vec::new();
    loop {
        let after = events.last().map_or(after, |event| event.sequence);
        let replay = journal.read("g", after).await.unwrap().unwrap();
        if replay.events.is_empty() {
            return events;
        }
        events.extend(replay.events);
    }
}

fn small(generation_bytes: usize) -> Bounds {
    Bounds {
        generation_bytes,
        ..Bounds::default()
    }
}

#[tokio::test]
async fn late_watchers_of_a_long_generation_get_a_snapshot_of_what_was_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(
        &file(&folder),
        Plan {
            bounds: small(2000),
            ..Plan::default()
        },
    )
    .await;
    let (id, stream) = process.begin().await;
    let early = tokio::spawn(collect(stream));
    let mut expected = String::new();
    for at in 0..500 {
        let word = format!("{at},");
        process.puppets.say(&id, &word);
        expected += &word;
        if at % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    process.puppets.finish(&id);
    let early = early.await.unwrap();
    assert_whole(&early);
    assert_eq!(text(&early), expected);
    let late = process.watch(&id, 0).await;
    assert_whole(&late);
    assert!(matches!(late[0].event, Some(Event::Snapshot(_))));
    assert!(late.len() < 100, "it is bounded: {}", late.len());
    assert_eq!(
        fold(Snapshot::default(), &late),
        fold(Snapshot::default(), &early)
    );
}

#[tokio::test]
async fn too_much_in_all_drops_those_that_ended_first_and_never_one_that_runs() {
    let bounds = Bounds {
        total_bytes: 500_000,
        ..Bounds::default()
    };
    let journal = MemoryJournal::new(bounds);
    for at in 0..10 {
        let id = format!("g{at}");
        let lease = lease(&id, 1);
        journal.open(&lease).await.unwrap();
        journal
            .append(&lease, event(&id, 1, say(&"x".repeat(100_000))))
            .await
            .unwrap();
        if at > 0 {
            journal
                .append(
                    &lease,
                    event(&id, 2, Event::Completed(Completed::default())),
                )
                .await
                .unwrap();
        }
    }
    journal.sweep().await;
    let mut kept = Vec::new();
    for at in 0..10 {
        if journal.read(&format!("g{at}"), 0).await.unwrap().is_some() {
            kept.push(at);
        }
    }
    assert_eq!(kept, [0, 7, 8, 9]);
}

#[tokio::test]
async fn ended_ones_are_dropped_when_their_time_is_over() {
    let journal = journal::alone(Bounds {
        retention: Duration::from_millis(400),
        ..Bounds::default()
    });
    for id in ["ended", "runs"] {
        journal.open(&lease(id, 1)).await.unwrap();
        journal
            .append(&lease(id, 1), event(id, 1, say("x")))
            .await
            .unwrap();
    }
    journal
        .append(
            &lease("ended", 1),
            event("ended", 2, Event::Completed(Completed::default())),
        )
        .await
        .unwrap();
    journal.sweep().await;
    assert!(journal.read("ended", 0).await.unwrap().is_some());
    tokio::time::sleep(Duration::from_millis(600)).await;
    journal.sweep().await;
    assert!(journal.read("ended", 0).await.unwrap().is_none());
    assert!(journal.read("runs", 0).await.unwrap().is_some());
}

#[tokio::test]
async fn whoever_waits_returns_when_the_generation_is_dropped_in_any_way_or_ends() {
    let journal = journal::alone(Bounds {
        retention: Duration::ZERO,
        ..Bounds::default()
    });
    // The server of a journal is met before it is measured how long anybody waits.
    journal.ping().await.unwrap();
    for way in ["forget", "abandon", "end", "append", "unknown"] {
        if way != "unknown" {
            journal.open(&lease(way, 1)).await.unwrap();
        }
        // The one beyond everything that will ever come must not wait for ever either.
        let after = if way == "append" { 0 } else { i64::MAX };
        let waiter = tokio::spawn({
            let journal = journal.clone();
            async move { journal.wait(way, after).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(way == "unknown" || !waiter.is_finished(), "{way}");
        match way {
            "forget" => journal.forget(way).await,
            "abandon" => journal.abandon(&lease(way, 1)).await,
            "end" => {
                let last = event(way, 1, Event::Completed(Completed::default()));
                journal.append(&lease(way, 1), last).await.unwrap();
            }
            "append" => journal
                .append(&lease(way, 1), event(way, 1, say("x")))
                .await
                .unwrap(),
            _ => {}
        }
        tokio::time::timeout(Duration::from_secs(1), waiter)
            .await
            .expect(way)
            .unwrap();
    }
}

#[tokio::test]
async fn nothing_follows_an_end_and_no_sequence_comes_twice() {
    let journal = journal::alone(Bounds::default());
    let lease = lease("g", 1);
    journal.open(&lease).await.unwrap();
    journal
        .append(&lease, event("g", 5, say("x")))
        .await
        .unwrap();
    for stale in [5, 4] {
        let refused = journal.append(&lease, event("g", stale, say("y"))).await;
        assert!(matches!(refused, Err(Error::LeaseLost)));
    }
    journal
        .append(
            &lease,
            event("g", 6, Event::Completed(Completed::default())),
        )
        .await
        .unwrap();
    assert!(matches!(
        journal.append(&lease, event("g", 7, say("y"))).await,
        Err(Error::LeaseLost)
    ));
    journal.abandon(&lease).await;
    let replay = journal.read("g", 0).await.unwrap().unwrap();
    assert_eq!((replay.events.len(), replay.ended), (2, true));
}

/// One step of a story: something is appended, or one of the readers reads, or a new owner takes over.
#[derive(Clone, Debug)]
enum Step {
    Append(Box<Event>),
    Read(usize),
    TakeOver,
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => "[a-zä時]{1,12}".prop_map(|words| say(&words)),
        1 => Just(Event::Queued(Queued { position: 1 })),
        1 => Just(Event::Started(Started { provider: "p".into(), model: "m".into(), allowance: Some(Allowance::default()) })),
        1 => (0.0..1.0f64).prop_map(|fraction| Event::Progress(Progress { fraction })),
        1 => Just(Event::Warning(Warning::default())),
        1 => (0..50i64).prop_map(|n| Event::Usage(Usage { output_tokens: n, ..Usage::default() })),
        2 => prop::collection::vec(any::<u8>(), 1..40).prop_map(|data| {
            Event::AudioChunk(AudioChunk { data: Bytes::from(data), ..AudioChunk::default() })
        }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => events().prop_map(|event| Step::Append(Box::new(event))),
        6 => (0..4usize).prop_map(Step::Read),
        1 => Just(Step::TakeOver),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if journal::is_redis() { 60 } else { 300 }))]

    #[test]
    fn every_interleaving_of_appends_reads_and_bounds_tells_every_reader_the_whole(
        steps in steps(),
        bound in 0..600usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let journal = journal::alone(small(bound));
            let mut owner = lease("g", 1);
            let mut sequence = 1i64 << 32;
            journal.open(&owner).await.unwrap();
            let mut truth = Snapshot::default();
            let mut readers = vec![(Snapshot::default(), 0i64); 4];
            let last = Step::Append(Box::new(Event::Completed(Completed::default())));
            let readings = (0..4).map(Step::Read);
            for step in steps.into_iter().chain([last]).chain(readings) {
                match step {
                    Step::Append(mut what) => {
                        if let Event::AudioChunk(chunk) = &mut *what {
                            chunk.offset = truth.audio_bytes;
                        }
                        sequence += 1;
                        let event = event("g", sequence, *what);
                        truth = fold(truth, [&event]);
                        journal.append(&owner, event).await.unwrap();
                    }
                    Step::TakeOver => {
                        owner.epoch += 1;
                        sequence = (owner.epoch << 32) + 1;
                        journal.open(&owner).await.unwrap();
                        // Some of the text may be lost with the owner; the snapshot says what is left.
                        truth.text.pop();
                        journal
                            .append(&owner, event("g", sequence, Event::Snapshot(truth.clone())))
                            .await
                            .unwrap();
                    }
                    Step::Read(reader) => {
                        let (known, after) = &mut readers[reader];
                        let events = read_all(&*journal, *after).await;
                        for event in &events {
                            assert!(event.sequence > *after);
                            *after = event.sequence;
                        }
                        *known = fold(std::mem::take(known), &events);
                        assert_eq!(*known, truth);
                        assert_eq!(*after, if sequence == 1 << 32 { 0 } else { sequence });
                        // What is kept is bounded, the newest event aside.
                        let fresh = read_all(&*journal, 0).await;
                        let kept: usize = fresh.iter().skip(1).rev().skip(1)
                            .map(prost::Message::encoded_len).sum();
                        assert!(kept <= bound, "{kept} > {bound}");
                    }
                }
            }
            for (known, _) in &readers {
                assert_eq!(*known, truth);
            }
        });
    }
}

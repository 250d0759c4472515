//! Streams: whole, cut, resumed, late, and by many; from the journal, from the record, and from another process.

use std::time::Duration;

use atelier_generation::{Error, Failure};
use atelier_kit::testing::eventually;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Artifact, FinishReason, Snapshot, State};
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::puppet::Act;
use crate::stage::{Plan, Process, assert_whole, collect, file, fold, next, piece, text, timeless};

const WORDS: [&str; 6] = ["Once", " upon", " a", " tïme", " 時", "."];

async fn alone() -> (tempfile::TempDir, Process) {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    (folder, process)
}

#[tokio::test]
async fn a_cut_stream_resumed_from_its_last_sequence_tells_the_same_text() {
    let (_folder, process) = alone().await;
    let (id, mut cut) = process.begin().await;
    let whole = process.engine.watch("ana", &id, 0).await.unwrap();
    for word in &WORDS[..3] {
        process.puppets.say(&id, word);
    }
    let mut seen = next(&mut cut, 4).await;
    drop(cut);
    for word in &WORDS[3..] {
        process.puppets.say(&id, word);
    }
    process.puppets.finish(&id);
    seen.extend(process.watch(&id, seen.last().unwrap().sequence).await);
    let whole = collect(whole).await;
    assert_whole(&whole);
    assert_eq!(timeless(&seen), timeless(&whole));
    assert_eq!(text(&whole), WORDS.concat());
    assert!(matches!(whole[0].event, Some(Event::Queued(queued)) if queued.position == 0));
    assert!(
        matches!(&whole[1].event, Some(Event::Started(started)) if started.provider == "puppets")
    );
}

#[tokio::test]
async fn the_end_tells_artifact_then_usage_then_completion_and_the_record_says_the_same() {
    let (_folder, process) = alone().await;
    let (id, stream) = process.begin().await;
    process
        .puppets
        .tell(&id, Act::Audio(Bytes::from(vec![7; 150_000])));
    process.puppets.tell(&id, Act::Progress(0.5));
    process.puppets.tell(&id, Act::Progress(0.25));
    process.puppets.tell(&id, Act::Progress(f64::NAN));
    process.puppets.tell(&id, Act::Warning);
    let artifact = Artifact {
        id: "a1".into(),
        url: "key/in/store".into(),
        ..Artifact::default()
    };
    process.puppets.tell(&id, Act::Artifact(artifact));
    process.puppets.finish(&id);
    let events = collect(stream).await;
    assert_whole(&events);
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| match event.event.as_ref().unwrap() {
            Event::Queued(_) => "queued",
            Event::Started(_) => "started",
            Event::AudioChunk(chunk) if chunk.data.len() <= 64 * 1024 => "audio",
            Event::Progress(_) => "progress",
            Event::Warning(_) => "warning",
            Event::Artifact(artifact) if artifact.url == "https://fresh.example/a1" => "artifact",
            Event::Usage(_) => "usage",
            Event::Completed(done) if done.finish_reason() == FinishReason::Stop => "completed",
            other => panic!("unexpected: {other:?}"),
        })
        .collect();
    let expected = [
        "queued",
        "started",
        "audio",
        "audio",
        "audio",
        "progress",
        "warning",
        "artifact",
        "usage",
        "completed",
    ];
    assert_eq!(kinds, expected);
    let record = process.find(&id).await;
    assert_eq!(record.sequence, events.last().unwrap().sequence);
    assert_eq!(record.snapshot.audio_bytes, 150_000);
    assert_eq!(
        record.snapshot.artifacts[0].url, "key/in/store",
        "the record keeps no URL that expires"
    );
    process.lose_journal(&id).await;
    let late = process.watch(&id, 0).await;
    assert_eq!(
        fold(Snapshot::default(), &late),
        fold(Snapshot::default(), &events)
    );
}

#[tokio::test]
async fn many_watchers_who_come_at_any_time_see_one_and_the_same_stream() {
    let (_folder, process) = alone().await;
    let (id, first) = process.begin().await;
    let mut watchers = Vec::new();
    for at in 0..40 {
        let stream = process.engine.watch("ana", &id, 0).await.unwrap();
        watchers.push(tokio::spawn(collect(stream)));
        process.puppets.say(&id, &format!("{at} "));
        if at % 7 == 0 {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
    process.puppets.finish(&id);
    let first = collect(first).await;
    assert_whole(&first);
    for watcher in watchers {
        assert_eq!(watcher.await.unwrap(), first);
    }
}

#[tokio::test]
async fn after_the_end_a_stream_can_be_taken_up_at_every_position_with_and_without_the_journal() {
    let (_folder, process) = alone().await;
    let (id, stream) = process.begin().await;
    for word in WORDS {
        process.puppets.say(&id, word);
    }
    process.puppets.finish(&id);
    let whole = collect(stream).await;
    let first = whole[0].sequence;
    let last = whole.last().unwrap().sequence;
    let complete = fold(Snapshot::default(), &whole);
    for journalled in [true, false] {
        if !journalled {
            process.lose_journal(&id).await;
        }
        for after in std::iter::once(0)
            .chain(first - 1..=last)
            .chain([last + 1, i64::MAX])
        {
            let rest = process.watch(&id, after).await;
            assert!(
                rest.iter().all(|event| event.sequence > after),
                "after {after}: {rest:?}"
            );
            let seen = whole.iter().filter(|event| event.sequence <= after);
            let known = fold(Snapshot::default(), seen.chain(&rest));
            assert_eq!(known, complete, "after {after}, journalled {journalled}");
            if after < last {
                assert_whole(&rest);
            } else {
                assert!(rest.is_empty(), "after {after}: {rest:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_failure_is_told_with_its_reason_and_again_from_the_record_and_costs_nothing() {
    let (_folder, process) = alone().await;
    let (id, stream) = process.begin().await;
    process.puppets.say(&id, "so far");
    process
        .puppets
        .tell(&id, Act::Fail(Failure::lasting("MODEL_GONE", "it is gone")));
    let events = collect(stream).await;
    let Some(Event::Failed(failed)) = &events.last().unwrap().event else {
        panic!("{events:?}")
    };
    assert_eq!(
        (failed.reason.as_str(), failed.retryable),
        ("MODEL_GONE", false)
    );
    process.lose_journal(&id).await;
    let late = process.watch(&id, 0).await;
    assert_eq!(late.last().unwrap().event, events.last().unwrap().event);
    assert_eq!(text(&late), "so far");
    process.book.reads(&id, &["reserve", "release"]).await;
}

#[tokio::test]
async fn a_reservation_that_is_refused_fails_the_generation_before_its_provider_begins() {
    let (_folder, process) = alone().await;
    process
        .book
        .empty
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let (id, stream) = process.begin().await;
    let events = collect(stream).await;
    let Some(Event::Failed(failed)) = &events.last().unwrap().event else {
        panic!("{events:?}")
    };
    assert_eq!(failed.reason, "CREDITS_EXHAUSTED");
    assert!(process.puppets.began().is_empty());
    assert_eq!(process.ended(&id).await.state, State::Failed);
}

#[tokio::test]
async fn another_process_tells_a_running_generation_by_snapshots_and_its_end() {
    let (folder, process) = alone().await;
    let other = Process::start(&file(&folder), Plan::default()).await;
    let (id, stream) = process.begin().await;
    let elsewhere = tokio::spawn(collect(other.engine.watch("ana", &id, 0).await.unwrap()));
    process.puppets.say(&id, "slow");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    process.puppets.say(&id, " and steady");
    process.puppets.finish(&id);
    let here = collect(stream).await;
    let there = elsewhere.await.unwrap();
    assert_whole(&there);
    assert_eq!(
        fold(Snapshot::default(), &there),
        fold(Snapshot::default(), &here)
    );
    assert!(there.len() >= 3, "it is told of before its end: {there:?}");
    // What was seen there can be taken up here.
    let seen = there[0].sequence;
    let rest = process.watch(&id, seen).await;
    assert_eq!(
        fold(fold(Snapshot::default(), &there[..1]), &rest),
        fold(Snapshot::default(), &here)
    );
}

#[tokio::test]
async fn a_lost_watcher_and_a_lost_starter_stop_nothing() {
    let (_folder, process) = alone().await;
    let (id, stream) = process.begin().await;
    drop(stream);
    process.puppets.say(&id, "on");
    process.puppets.finish(&id);
    assert_eq!(process.ended(&id).await.state, State::Completed);

    // The caller goes away at any point of the start: either there is nothing, or it runs.
    for wait in 0..40 {
        let new = piece("ana", None, "a body");
        let id = new.id.clone();
        process.puppets.finish(&id);
        let start = process.engine.start(new);
        let _ = tokio::time::timeout(Duration::from_micros(wait * 50), start).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        if process.engine.find("ana", &id).await.is_ok() {
            assert_eq!(process.ended(&id).await.state, State::Completed);
        }
    }
    // A start that nobody waits for any more may still be on its way.
    eventually("all have ended", || async {
        process.database.generations(true).await == 0
    })
    .await;
}

#[tokio::test]
async fn anothers_generation_is_not_found_to_watch_cancel_or_read() {
    let (_folder, process) = alone().await;
    let (id, _stream) = process.begin().await;
    assert!(matches!(
        process.engine.find("bea", &id).await,
        Err(Error::NotFound)
    ));
    assert!(matches!(
        process.engine.watch("bea", &id, 0).await.err(),
        Some(Error::NotFound)
    ));
    assert!(matches!(
        process.engine.cancel("bea", &id).await,
        Err(Error::NotFound)
    ));
    assert!(!process.find(&id).await.cancel_requested);
    process
        .engine
        .forget("bea", &id, Duration::ZERO)
        .await
        .unwrap();
    assert!(!process.find(&id).await.has_ended());
}

#[tokio::test]
async fn a_watcher_who_waits_is_told_when_the_generation_is_forgotten() {
    let (_folder, process) = alone().await;
    let (id, mut stream) = process.begin().await;
    next(&mut stream, 2).await;
    let watcher = tokio::spawn(async move { stream.collect::<Vec<_>>().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    process
        .engine
        .forget("ana", &id, Duration::from_secs(5))
        .await
        .unwrap();
    let rest = tokio::time::timeout(Duration::from_secs(2), watcher)
        .await
        .expect("it returns")
        .unwrap();
    // Either it was fast enough to see the end, or it learns that there is nothing any more.
    assert!(
        matches!(
        rest.last(),
        Some(Ok(event)) if crate::stage::is_last(event))
            || matches!(rest.last(), Some(Err(Error::NotFound)))
    );
    assert!(matches!(
        process.engine.find("ana", &id).await,
        Err(Error::NotFound)
    ));
    assert!(matches!(
        process.engine.watch("ana", &id, 0).await.err(),
        Some(Error::NotFound)
    ));
    process
        .engine
        .forget("ana", &id, Duration::ZERO)
        .await
        .unwrap();
}

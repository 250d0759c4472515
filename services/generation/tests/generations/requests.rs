//! Repeated requests: one record, one run, one stream; and what is refused leaves nothing.

use std::collections::HashSet;

use atelier_generation::{Error, EventStream};
use atelier_kit::fault::Fault;
use atelier_proto::generation::v1::Snapshot;

use crate::stage::{Plan, Process, assert_whole, collect, file, fold, piece, timeless};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_starts_at_once_with_one_request_id_make_one_generation_and_identical_streams() {
    let folder = tempfile::tempdir().unwrap();
    let process = std::sync::Arc::new(Process::start(&file(&folder), Plan::default()).await);
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let process = process.clone();
            tokio::spawn(async move {
                let stream = process
                    .engine
                    .start(piece("ana", Some("r1"), "a body"))
                    .await
                    .unwrap();
                collect(stream).await
            })
        })
        .collect();
    atelier_kit::testing::eventually("it has begun", || async {
        process.puppets.began().len() == 1
    })
    .await;
    let id = process.puppets.began()[0].clone();
    for word in ["a", "b", "c"] {
        process.puppets.say(&id, word);
    }
    process.puppets.finish(&id);
    let mut streams = Vec::new();
    for call in calls {
        streams.push(call.await.unwrap());
    }
    assert_whole(&streams[0]);
    assert!(streams.iter().all(|stream| *stream == streams[0]));
    assert_eq!(process.puppets.began(), std::slice::from_ref(&id));
    let pieces = process.pieces().await;
    assert_eq!(pieces.len(), 1);
    assert_eq!((pieces[0].text.as_str(), pieces[0].ends), ("abc", 1));
    // And once more after the end.
    let replay = collect(
        process
            .engine
            .start(piece("ana", Some("r1"), "a body"))
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(replay, streams[0]);
    process.lose_journal(&id).await;
    let replay = collect(
        process
            .engine
            .start(piece("ana", Some("r1"), "a body"))
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        fold(Snapshot::default(), &replay),
        fold(Snapshot::default(), &streams[0])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_that_get_the_same_request_at_once_run_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let one = Process::start(&file(&folder), Plan::default()).await;
    let two = Process::start(&file(&folder), Plan::default()).await;
    for round in 0..10 {
        let request = format!("r{round}");
        let start = |process: &Process| {
            let engine = process.engine.clone();
            let new = piece("ana", Some(&request), "a body");
            process.puppets.say(&new.id, "hello");
            process.puppets.finish(&new.id);
            tokio::spawn(async move { collect(engine.start(new).await.unwrap()).await })
        };
        let (a, b) = (start(&one), start(&two));
        let (a, b) = (a.await.unwrap(), b.await.unwrap());
        assert_whole(&a);
        assert_whole(&b);
        assert_eq!(a[0].generation_id, b[0].generation_id);
        assert_eq!(fold(Snapshot::default(), &a), fold(Snapshot::default(), &b));
    }
    assert_eq!(one.puppets.began().len() + two.puppets.began().len(), 10);
    assert_eq!(one.pieces().await.len(), 10);
}

#[tokio::test]
async fn a_request_id_with_another_body_or_another_method_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let _first = process
        .engine
        .start(piece("ana", Some("r1"), "a body"))
        .await
        .unwrap();
    let other = process
        .engine
        .start(piece("ana", Some("r1"), "another body"))
        .await;
    assert!(matches!(other.err(), Some(Error::RequestIdReused)));
    let mut new = piece("ana", Some("r1"), "a body");
    new.kind = "make-another";
    assert!(matches!(
        process.engine.start(new).await.err(),
        Some(Error::RequestIdReused)
    ));
    assert_eq!(process.pieces().await.len(), 1);
    assert_eq!(process.engine.under_way(), 1);
    assert_eq!(
        Fault::from(Error::RequestIdReused).reason(),
        "REQUEST_ID_REUSED"
    );
}

#[tokio::test]
async fn the_same_request_id_of_another_owner_and_none_at_all_are_other_generations() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let mut streams: Vec<EventStream> = Vec::new();
    for (owner, request) in [
        ("ana", Some("r1")),
        ("bea", Some("r1")),
        ("ana", None),
        ("ana", None),
    ] {
        streams.push(
            process
                .engine
                .start(piece(owner, request, "a body"))
                .await
                .unwrap(),
        );
    }
    let ids: HashSet<String> = process
        .pieces()
        .await
        .into_iter()
        .map(|piece| piece.id)
        .collect();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn what_the_services_rules_refuse_leaves_nothing_and_the_request_id_free() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let refused = process
        .engine
        .start(piece("ana", Some("r1"), "forbidden"))
        .await
        .err();
    let Some(Error::Refused(fault)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(fault.reason(), "FORBIDDEN");
    assert!(process.pieces().await.is_empty());
    assert_eq!(process.engine.under_way(), 0);
    assert!(process.puppets.began().is_empty());
    let rows = process.database.generations(false).await;
    assert_eq!(rows, 0);
    let new = piece("ana", Some("r1"), "a body");
    process.puppets.finish(&new.id);
    let events = timeless(&collect(process.engine.start(new).await.unwrap()).await);
    assert_whole(&events);
}

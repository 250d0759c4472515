//! An owner who leaves: nothing begins any more, what runs ends, and nothing is forgotten before it is counted.

use std::sync::atomic::Ordering;
use std::time::Duration;

use atelier_generation::Error;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::testing::eventually;
use atelier_proto::generation::v1::State;

use crate::stage::{Plan, Process, collect, file, piece};

async fn start(process: &Process, owner: &str) -> String {
    let new = piece(owner, Some("again"), "a body");
    let id = new.id.clone();
    drop(process.engine.start(new).await.unwrap());
    id
}

#[tokio::test]
async fn whoever_departs_begins_nothing_and_what_runs_is_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    let (running, events) = process.begin().await;
    let his = start(&process, "bob").await;
    process.engine.depart("ana").await.unwrap();
    let ended = process.find(&running).await;
    assert_eq!(ended.state, State::Cancelled);
    assert!(crate::stage::is_last(collect(events).await.last().unwrap()));
    assert_eq!(process.record.waiting("ana").await.unwrap(), 0);
    assert_eq!(process.van.counts()[&running], 1);

    // Under any request id, the one of what is there as well.
    for request_id in [None, Some("again")] {
        let refused = process
            .engine
            .start(piece("ana", request_id, "a body"))
            .await;
        let fault = Fault::from(refused.err().unwrap());
        assert_eq!(
            (fault.kind(), fault.reason()),
            (Kind::NotFound, "ACCOUNT_ERASED")
        );
    }
    assert!(!process.engine.find("bob", &his).await.unwrap().has_ended());
    assert_eq!(process.pieces().await.len(), 2, "a row was made");

    assert_eq!(process.engine.forget_all("ana").await.unwrap(), 1);
    assert_eq!(process.engine.forget_all("ana").await.unwrap(), 0);
    assert!(process.record.find(&running).await.unwrap().is_none());
    assert!(process.journal.read(&running, 0).await.unwrap().is_none());
    assert!(process.journal.read(&his, 0).await.unwrap().is_some());
    assert!(process.engine.records_of("bob", "").await.unwrap().len() == 1);
}

#[tokio::test]
async fn nothing_is_called_ended_before_it_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    process.van.down.store(true, Ordering::SeqCst);
    let (id, _events) = process.begin().await;
    let waits = process.engine.depart("ana").await.unwrap_err();
    assert!(
        matches!(waits, Error::StillEnding(wait) if wait > Duration::ZERO),
        "{waits:?}"
    );
    assert_eq!(Fault::from(waits).reason(), "STILL_ENDING");
    assert!(process.find(&id).await.has_ended());
    // It has departed all the same.
    assert!(matches!(
        process.engine.start(piece("ana", None, "b")).await,
        Err(Error::Departed)
    ));
    process.van.down.store(false, Ordering::SeqCst);
    eventually("it is counted", || async {
        process.engine.depart("ana").await.is_ok()
    })
    .await;
    assert_eq!(process.van.counts()[&id], 1);
}

#[tokio::test]
async fn an_event_of_what_is_forgotten_is_waited_for_too() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&file(&folder), Plan::default()).await;
    process.van.down.store(true, Ordering::SeqCst);
    let (id, _events) = process.begin().await;
    process.puppets.finish(&id);
    process.ended(&id).await;
    // As when a picture is deleted right after it was made.
    process
        .engine
        .forget("ana", &id, Duration::from_secs(5))
        .await
        .unwrap();
    assert!(
        process
            .engine
            .records_of("ana", "")
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(process.record.waiting("ana").await.unwrap(), 1);
    assert!(matches!(
        process.engine.depart("ana").await,
        Err(Error::StillEnding(_))
    ));
}

#[tokio::test]
async fn a_departure_is_known_to_every_process_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let one = Process::start(&file(&folder), Plan::default()).await;
    let two = Process::start(&file(&folder), Plan::default()).await;
    let (id, _events) = two.begin().await;
    one.engine.depart("ana").await.unwrap();
    assert_eq!(two.find(&id).await.state, State::Cancelled);
    assert!(matches!(
        two.engine.start(piece("ana", None, "b")).await,
        Err(Error::Departed)
    ));
    start(&two, "bob").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_slips_in_behind_a_departure_whoever_writes_at_the_same_moment() {
    let folder = tempfile::tempdir().unwrap();
    let plan = || Plan {
        background: false,
        ..Plan::default()
    };
    let one = Process::start(&file(&folder), plan()).await;
    let two = Process::start(&file(&folder), plan()).await;
    let (mut before, mut refused) = (0, 0);
    for round in 0..40 {
        let owner = format!("leaver-{round}");
        let mut inserts = Vec::new();
        for at in 0..6_u64 {
            let (record, new) = (two.record.clone(), piece(&owner, None, "a body"));
            inserts.push(tokio::spawn(async move {
                tokio::time::sleep(Duration::from_micros(at * 700)).await;
                record.insert(&new, State::Queued).await
            }));
        }
        tokio::time::sleep(Duration::from_millis(round % 4)).await;
        one.record.depart(&owner).await.unwrap();
        let there = one.record.of(&owner, "", 100).await.unwrap().len();
        let mut accepted = 0;
        for insert in inserts {
            match insert.await.unwrap() {
                Ok(_) => accepted += 1,
                Err(Error::Departed) => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        let after = one.record.of(&owner, "", 100).await.unwrap().len();
        assert_eq!(
            (there, accepted),
            (after, after),
            "something began after it"
        );
        before += there;
    }
    assert!(
        before > 0 && refused > 0,
        "{before} before, {refused} after"
    );
}

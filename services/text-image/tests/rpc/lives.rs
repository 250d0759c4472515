//! A picture in the making: joined, watched, cancelled, deleted, and cut off by the end of the process.

use std::time::{Duration, Instant};

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, State};
use atelier_proto::text_image::v1::*;
use axum::http::StatusCode;
use tonic::Code;

use crate::stage::*;

#[tokio::test]
async fn the_same_request_id_makes_one_picture() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let asked = GenerateImageRequest {
        request_id: "r-1".into(),
        ..ask("a lighthouse")
    };
    let (one, two) = tokio::join!(world.paint(asked.clone()), world.paint(asked.clone()));
    let later = world.paint(asked.clone()).await;
    let made = artifact(&one);
    for events in [&two, &later] {
        assert_eq!(artifact(events).id, made.id);
        assert_eq!(kinds(events), kinds(&one));
    }
    assert_eq!(
        pages(&world, |request| world.ana(request), 10).await.len(),
        1
    );

    for other in [
        GenerateImageRequest {
            prompt: "a castle".into(),
            ..asked.clone()
        },
        GenerateImageRequest {
            seed: Some(1),
            ..asked.clone()
        },
        GenerateImageRequest {
            size: None,
            ..asked.clone()
        },
    ] {
        let refused = world
            .rpc()
            .generate_image(world.ana(other))
            .await
            .unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::FailedPrecondition, "REQUEST_ID_REUSED")
        );
    }
    assert_eq!(
        pages(&world, |request| world.ana(request), 10).await.len(),
        1
    );
    // Another account's request_ids are its own.
    let bobs = all(world
        .rpc()
        .generate_image(world.bob(asked))
        .await
        .unwrap()
        .into_inner())
    .await;
    assert_ne!(artifact(&bobs).id, made.id);
}

#[tokio::test]
async fn a_watcher_from_the_middle_sees_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let mut stream = world.start(ask("a lighthouse")).await;
    let mut seen = until_painting(&mut stream).await;
    // A client that goes away stops nothing.
    drop(stream);
    let (id, after) = (seen[0].generation_id.clone(), seen.last().unwrap().sequence);
    let rest = world.watch(&id, after).await;
    assert!(rest.iter().all(|event| event.sequence > after));
    seen.extend(rest);
    let whole = world.watch(&id, 0).await;
    let sequences = |events: &[GenerationEvent]| {
        events
            .iter()
            .map(|event| event.sequence)
            .collect::<Vec<_>>()
    };
    assert_eq!(sequences(&seen), sequences(&whole));
    assert_eq!(kinds(&whole).last(), Some(&"completed"));
    assert!(
        world
            .watch(&id, whole.last().unwrap().sequence)
            .await
            .is_empty()
    );
}

/// Waits for the end of a picture that is broken off. Its watchers are told `cancelled`.
async fn nothing_is_left(world: &World, id: &str) {
    eventually("no object is left", || async {
        world
            .keys("requests/")
            .await
            .iter()
            .all(|key| !key.contains(id))
    })
    .await;
    assert!(world.keys("users/").await.is_empty());
}

#[tokio::test]
async fn a_cancel_from_a_second_client_stops_the_painter_and_leaves_no_object() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let mut stream = world.start(ask_large("a storm at sea")).await;
    let mut events = until_painting(&mut stream).await;
    let id = events[0].generation_id.clone();
    eventually("it is running", || async {
        world.image(&id).await.unwrap().state() == State::Running
    })
    .await;
    assert!(world.image(&id).await.unwrap().download_url.is_empty());
    assert_eq!(
        world.keys("requests/").await.len(),
        1,
        "only what was asked for is there yet"
    );

    let begun = Instant::now();
    let cancel = CancelGenerationRequest {
        generation_id: id.clone(),
    };
    let answer = world
        .rpc()
        .cancel_generation(world.ana(cancel.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.state(), State::Running);
    events.extend(all(stream).await);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(kinds(&events).last(), Some(&"cancelled"));
    assert!(!kinds(&events).contains(&"artifact"));
    let image = world.image(&id).await.unwrap();
    assert_eq!(
        (
            image.state(),
            image.download_url.as_str(),
            image.sha256.as_str()
        ),
        (State::Cancelled, "", "")
    );
    // One that has ended stays as it is.
    let again = world
        .rpc()
        .cancel_generation(world.ana(cancel))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.state(), State::Cancelled);
    nothing_is_left(&world, &id).await;
    assert_eq!(world.image(&id).await.unwrap().state(), State::Cancelled);
    world.delete(&id).await.unwrap();
    assert_eq!(world.image(&id).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn deleting_a_picture_in_the_making_cancels_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let mut stream = world.start(ask_large("a storm at sea")).await;
    let events = until_painting(&mut stream).await;
    let id = events[0].generation_id.clone();
    let begun = Instant::now();
    world.delete(&id).await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(world.image(&id).await.unwrap_err().code(), Code::NotFound);
    let listed = world
        .rpc()
        .list_images(world.ana(ListImagesRequest::default()))
        .await
        .unwrap()
        .into_inner();
    assert!(listed.images.is_empty());
    // The watcher is told of the end, or finds that there is no such generation any more; never of a picture.
    let mut last = None;
    let end = loop {
        match stream.message().await {
            Ok(Some(answer)) => last = answer.event,
            Ok(None) => break None,
            Err(status) => break Some(status.code()),
        }
    };
    let told = kinds(last.as_slice());
    assert!(
        end == Some(Code::NotFound) || told == ["cancelled"],
        "{end:?} {told:?}"
    );
    nothing_is_left(&world, &id).await;
}

#[tokio::test]
async fn pictures_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let asked = GenerateImageRequest {
        request_id: "r-1".into(),
        ..ask("a lighthouse")
    };
    let world = World::open(folder.path()).await;
    let made = artifact(&world.paint(asked.clone()).await);
    let mut broken = world.start(ask_large("a storm at sea")).await;
    let broken_id = until_painting(&mut broken).await[0].generation_id.clone();
    world.close().await;

    let world = World::open(folder.path()).await;
    let image = world.image(&made.id).await.unwrap();
    assert_eq!(
        (image.state(), &image.sha256),
        (State::Completed, &made.sha256)
    );
    // The journal is gone with the process; the record replays the whole, with a URL that works now.
    for events in [world.watch(&made.id, 0).await, world.paint(asked).await] {
        assert_eq!(kinds(&events), ["snapshot", "completed"]);
        let Some(Event::Snapshot(snapshot)) = &events[0].event else {
            unreachable!()
        };
        assert_eq!(snapshot.usage.unwrap().images, 1);
        let replayed = artifact(&events);
        assert_eq!(replayed.sha256, made.sha256);
        let (status, _, bytes) = world.fetch(&replayed.url).await;
        assert_eq!(
            (status, sha256(&bytes)),
            (StatusCode::OK, made.sha256.clone())
        );
    }
    // The one that was in the making failed with the process, says so, and leaves no object.
    let events = world.watch(&broken_id, 0).await;
    let Some(Event::Failed(failed)) = &events.last().unwrap().event else {
        panic!("{:?}", kinds(&events))
    };
    assert_eq!(
        (failed.reason.as_str(), failed.retryable),
        ("INTERRUPTED", true)
    );
    assert_eq!(
        world.image(&broken_id).await.unwrap().state(),
        State::Failed
    );
    eventually("no object is left", || async {
        world
            .keys("requests/")
            .await
            .iter()
            .all(|key| !key.contains(&broken_id))
    })
    .await;
    let listed = pages(&world, |request| world.ana(request), 10).await;
    assert_eq!(ids(&listed), [broken_id.as_str(), made.id.as_str()]);
}

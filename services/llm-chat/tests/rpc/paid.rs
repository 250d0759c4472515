//! What a stream's trailers tell of what it is paid from, and how whoever keeps the credits is told of a generation.

use std::time::Duration;

use atelier_generation::{QUOTA_LIMIT, QUOTA_REMAINING, QUOTA_RESET, RESERVED_MICROS};
use atelier_kit::call::Call;
use atelier_kit::fault::{Fault, Kind};
use atelier_proto::generation::v1::{GenerationEvent, Standing, State};
use atelier_proto::llm_chat::v1::{Role as Speaker, *};
use tonic::metadata::MetadataMap;
use tonic::{Code, Streaming};

use crate::stage::*;

/// All of a stream, which ends well, and its trailers.
async fn whole<T>(
    mut stream: Streaming<T>,
    event: fn(T) -> Option<GenerationEvent>,
) -> (Vec<GenerationEvent>, MetadataMap) {
    let mut events = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        events.push(event(answer).unwrap());
    }
    let trailers = stream.trailers().await.unwrap();
    (events, trailers.expect("a stream has trailers"))
}

/// Reserved, limit, remaining and reset.
fn told(trailers: &MetadataMap) -> [Option<i64>; 4] {
    [RESERVED_MICROS, QUOTA_LIMIT, QUOTA_REMAINING, QUOTA_RESET].map(|name| {
        let value = trailers.get(name)?.to_str().unwrap();
        Some(value.parse().unwrap())
    })
}

fn watching(generation_id: &str, after_sequence: i64) -> WatchGenerationRequest {
    WatchGenerationRequest {
        generation_id: generation_id.into(),
        after_sequence,
    }
}

#[tokio::test]
async fn every_paid_stream_ends_well_and_with_its_allowance() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    world.credits.set_quota(10);
    let id = world.conversation().await;
    let stream = world.send(&id, "Hello!", "").await.unwrap();
    let (events, trailers) = whole(stream, |answer| answer.event).await;
    let [reserved, limit, remaining, Some(reset)] = told(&trailers) else {
        panic!("{trailers:?}")
    };
    assert_eq!(
        [reserved, limit, remaining],
        [Some(0), Some(10), Some(9)],
        "nothing costs anything here, and is counted"
    );
    assert!((3500..=3600).contains(&reset), "{reset}");

    let request = CompleteRequest {
        messages: vec![InputMessage {
            role: Speaker::User.into(),
            text: "Hello!".into(),
        }],
        ..Default::default()
    };
    let stream = world.chat().complete(world.ana(request)).await.unwrap();
    let (_, trailers) = whole(stream.into_inner(), |answer| answer.event).await;
    assert_eq!(told(&trailers)[2], Some(8));

    // From its beginning, from the middle, where nothing tells of it any more, and after its end.
    let (first, last) = (&events[0], events.last().unwrap());
    for after in [0, first.sequence, events[3].sequence, last.sequence] {
        let request = world.ana(watching(&first.generation_id, after));
        let stream = world.chat().watch_generation(request).await.unwrap();
        let (rest, trailers) = whole(stream.into_inner(), |answer| answer.event).await;
        assert!(rest.iter().all(|event| event.sequence > after));
        assert_eq!(told(&trailers)[..3], [Some(0), Some(10), Some(9)]);
    }
}

#[tokio::test]
async fn what_was_refused_says_that_nothing_is_left_and_for_how_long() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    world.credits.set_quota(0);
    let id = world.conversation().await;
    let stream = world.send(&id, "Hello!", "").await.unwrap();
    let (_, trailers) = whole(stream, |answer| answer.event).await;
    let [reserved, limit, remaining, Some(reset)] = told(&trailers) else {
        panic!("{trailers:?}")
    };
    assert_eq!([reserved, limit, remaining], [Some(0), None, Some(0)]);
    assert!((3500..=3600).contains(&reset), "{reset}");
    // For any other reason there is nothing to tell.
    let refusal = Fault::new(Kind::Exhausted, "SPENDING_STOPPED", "no more");
    world.credits.refuse(Some(refusal.into()));
    let stream = world.send(&id, "Hello!", "").await.unwrap();
    let (_, trailers) = whole(stream, |answer| answer.event).await;
    assert_eq!(told(&trailers), [None; 4]);
}

#[tokio::test]
async fn a_service_asks_how_a_generation_stands_and_nobody_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let id = world.conversation().await;
    let events = all(world.send(&id, "Hello!", "").await.unwrap()).await;
    let generation = events[0].generation_id.clone();
    let ask = |id: &str| InspectGenerationRequest {
        generation_id: id.into(),
    };
    let call = Call::background(Duration::from_secs(10));
    let standing = async |id: &str| {
        let answer = world.chat().inspect_generation(call.request(ask(id))).await;
        answer.map(|answer| answer.into_inner().standing.unwrap())
    };
    let told = standing(&generation).await.unwrap();
    assert_eq!(told.state(), State::Completed);
    assert_eq!(told.charge, world.messages(&id).await[1].usage);
    let unknown = standing("nobody-knows-it").await.unwrap();
    assert_eq!(unknown, Standing::default());
    let odd = standing("no id").await.unwrap_err();
    assert_eq!(fields(&odd), ["generation_id"]);
    let hers = world.ana(ask(&generation));
    let refused = world.chat().inspect_generation(hers).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

//! What a picture costs: what is reserved before anything is sent, what is charged at its end, and what refuses it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use atelier_generation::{QUOTA_LIMIT, QUOTA_REMAINING, QUOTA_RESET, RESERVED_MICROS};
use atelier_kit::call::Call;
use atelier_kit::moment;
use atelier_kit::testing::api::{Answer, Api};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Allowance, Failed, GenerationEvent, Standing, State, Usage};
use atelier_proto::text_image::v1::*;
use atelier_proto::users::v1::Medium;
use atelier_upstream::registry::MODELS;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tonic::metadata::MetadataMap;
use tonic::{Code, Streaming};

use crate::stage::*;
use crate::upstream::png;

/// Four cents a picture, and so much a token on top of it.
const PRICES: &str =
    "prices = { image = 0.04, million_input_tokens = 5, million_output_tokens = 40 }";
/// The tokens of the largest small picture: 1024 × 1536 pixels, 128 to a token.
const DRAWN: i64 = 12_288;
/// The prompt as it is sent, with the style that is the default, and what is around it.
const READ: i64 = "a red boat\n\nStyle: Illustration".len() as i64 + 16;
const WORST: i64 = 40_000 + 5 * READ + 40 * DRAWN;

async fn open(folder: &Path, api: &Api) -> World {
    let path = folder.join("models.toml");
    let registry = format!(
        "[providers.api]\nurl = \"{}\"\n[[models]]\nid = \"m\"\nmedium = \"image\"\nprovider = \"api\"\n{PRICES}\n",
        api.url
    );
    fs::write(&path, registry).unwrap();
    World::open_with(folder, &[(MODELS.name, &path.display().to_string())]).await
}

/// An API whose pictures used this.
async fn drawing(usage: Value) -> Api {
    Api::start(move |_, _| {
        let data = json!([{"b64_json": STANDARD.encode(png(64, 64))}]);
        Answer::json(200, &json!({"data": data, "usage": usage}))
    })
    .await
}

fn allowance(events: &[GenerationEvent]) -> Allowance {
    let found = events.iter().find_map(|event| match &event.event {
        Some(Event::Started(started)) => started.allowance.clone(),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("nothing began: {events:?}"))
}

fn failed(events: &[GenerationEvent]) -> &Failed {
    match &events.last().unwrap().event {
        Some(Event::Failed(failed)) => failed,
        other => panic!("ended with {other:?}"),
    }
}

fn reserve() -> String {
    format!("reserve {WORST}")
}

#[tokio::test]
async fn the_picture_and_its_tokens_are_reserved_and_what_the_api_tells_is_charged() {
    for (usage, charged) in [
        (
            json!({"input_tokens": 12, "output_tokens": 272, "total_tokens": 284}),
            40_000 + 60 + 10_880,
        ),
        // What tells no tokens is a picture, and what tells nonsense is one too.
        (Value::Null, 40_000),
        (json!("none"), 40_000),
        (json!({"input_tokens": -5, "output_tokens": 1.5}), 40_000),
    ] {
        let api = drawing(usage).await;
        let folder = tempfile::tempdir().unwrap();
        let world = open(folder.path(), &api).await;
        let events = world.paint(ask("a red boat")).await;
        let generation = &events[0].generation_id;
        assert_eq!(allowance(&events).reserved_micros, WORST);
        let prompt = api.seen()[0].body["prompt"].as_str().unwrap().len();
        let asked = world.credits.asked(generation).unwrap();
        assert_eq!((&*asked.user_id, &*asked.model), ("ana", "m"));
        assert_eq!((asked.medium(), asked.prices.len()), (Medium::Image, 3));
        let worst = Usage {
            images: 1,
            input_tokens: i64::try_from(prompt).unwrap() + 16,
            output_tokens: DRAWN,
            ..Usage::default()
        };
        assert_eq!(asked.worst_case, Some(worst));
        let lines = [&*reserve(), &*format!("settle {charged}")];
        world.credits.reads(generation, &lines).await;
        assert_eq!(world.credits.callers(), ["text-image"]);
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_not_sent_and_says_why() {
    let api = drawing(Value::Null).await;
    let folder = tempfile::tempdir().unwrap();
    let world = open(folder.path(), &api).await;
    world.credits.set_balance(WORST - 1);
    let events = world.paint(ask("a red boat")).await;
    let (id, why) = (events[0].generation_id.clone(), failed(&events));
    assert_eq!(
        (&*why.reason, why.retryable),
        ("INSUFFICIENT_CREDITS", false)
    );
    world.credits.reads(&id, &["release"]).await;
    assert_eq!(world.image(&id).await.unwrap().state(), State::Failed);

    world.credits.set_balance(10 * WORST);
    world.credits.set_quota(0);
    let events = world.paint(ask("a red boat")).await;
    let why = failed(&events);
    assert_eq!((&*why.reason, why.retryable), ("QUOTA_EXHAUSTED", true));
    let retry = moment::from_timestamp(why.retry_time.as_ref().unwrap());
    assert!(retry.unwrap() > moment::now() + 3_500_000_000);

    world.credits.set_quota(10);
    world.credits.set_away(true);
    let events = world.paint(ask("a red boat")).await;
    let why = failed(&events);
    assert_eq!((&*why.reason, why.retryable), ("CREDITS_UNAVAILABLE", true));
    assert!(api.seen().is_empty());
    // Nothing that was refused has left an object.
    assert!(world.keys("").await.is_empty());
    world.credits.set_away(false);
    world
        .credits
        .reads(&events[0].generation_id, &["release"])
        .await;
    let events = world.paint(ask("a red boat")).await;
    assert_eq!(allowance(&events).quota_remaining, 9);
    artifact(&events);
}

#[tokio::test]
async fn one_that_fails_and_one_that_is_cancelled_before_it_is_there_are_free() {
    let api = Api::start(|asked, presence| match asked.body["prompt"].as_str() {
        Some(prompt) if prompt.contains("boat") => Answer::json(400, &json!({})),
        _ => Answer::Silent(presence),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let world = open(folder.path(), &api).await;
    let events = world.paint(ask("a red boat")).await;
    assert_eq!(failed(&events).reason, "UPSTREAM_REFUSED");
    let lines = [&*reserve(), "release"];
    world.credits.reads(&events[0].generation_id, &lines).await;

    let mut stream = world.start(ask("a red yawl")).await;
    let id = next(&mut stream).await.generation_id;
    eventually("it is sent", || async { api.seen().len() == 2 }).await;
    let request = CancelGenerationRequest {
        generation_id: id.clone(),
    };
    let request = world.ana(request);
    world.rpc().cancel_generation(request).await.unwrap();
    all(stream).await;
    world.credits.reads(&id, &lines).await;
}

#[tokio::test]
async fn a_repeated_request_is_paid_once() {
    let api = drawing(Value::Null).await;
    let folder = tempfile::tempdir().unwrap();
    let world = open(folder.path(), &api).await;
    let request = GenerateImageRequest {
        request_id: "r-1".into(),
        ..ask("a red boat")
    };
    let (one, two) = tokio::join!(world.paint(request.clone()), world.paint(request.clone()));
    assert_eq!(one[0].generation_id, two[0].generation_id);
    let late = world.paint(request).await;
    let lines = [&*reserve(), "settle 40000"];
    world.credits.reads(&late[0].generation_id, &lines).await;
    assert_eq!(api.seen().len(), 1);
}

/// The trailers of a stream that ends well.
async fn trailers<T>(mut stream: Streaming<T>) -> MetadataMap {
    while stream.message().await.unwrap().is_some() {}
    stream.trailers().await.unwrap().expect("trailers")
}

fn told(trailers: &MetadataMap) -> [Option<&str>; 3] {
    [RESERVED_MICROS, QUOTA_LIMIT, QUOTA_REMAINING]
        .map(|name| trailers.get(name).map(|value| value.to_str().unwrap()))
}

#[tokio::test]
async fn the_streams_end_with_the_allowance_and_a_service_may_ask_how_it_stands() {
    let api = drawing(Value::Null).await;
    let folder = tempfile::tempdir().unwrap();
    let world = open(folder.path(), &api).await;
    world.credits.set_quota(10);
    let request = GenerateImageRequest {
        request_id: "r-1".into(),
        ..ask("a red boat")
    };
    let ended = trailers(world.start(request.clone()).await).await;
    let worst = WORST.to_string();
    assert_eq!(told(&ended), [Some(&*worst), Some("10"), Some("9")]);
    assert!(ended.get(QUOTA_RESET).is_some());
    let known = world.paint(request).await;
    let id = &known[0].generation_id;
    let request = WatchGenerationRequest {
        generation_id: id.clone(),
        after_sequence: known.last().unwrap().sequence,
    };
    let stream = world.rpc().watch_generation(world.ana(request)).await;
    let ended = trailers(stream.unwrap().into_inner()).await;
    assert_eq!(told(&ended), [Some(&*worst), Some("10"), Some("9")]);

    let ask = |id: &str| InspectGenerationRequest {
        generation_id: id.into(),
    };
    let call = Call::background(Duration::from_secs(10));
    let standing = async |id: &str| {
        let mut rpc = world.rpc();
        let answer = rpc.inspect_generation(call.request(ask(id))).await;
        answer.unwrap().into_inner().standing.unwrap()
    };
    let stands = standing(id).await;
    assert_eq!(stands.state(), State::Completed);
    assert_eq!(stands.charge.unwrap().images, 1);
    assert_eq!(standing("nobody-knows-it").await, Standing::default());
    let hers = world.ana(ask(id));
    let refused = world.rpc().inspect_generation(hers).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

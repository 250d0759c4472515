//! What a spoken text costs: what is reserved before anything is sent, what is charged at its end, and what refuses it.

use std::fs;
use std::time::Duration;

use atelier_generation::{QUOTA_LIMIT, QUOTA_REMAINING, QUOTA_RESET, RESERVED_MICROS};
use atelier_kit::call::Call;
use atelier_kit::moment;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Allowance, Standing, State, Usage};
use atelier_proto::tts::v1 as pb;
use atelier_proto::users::v1::Medium;
use atelier_upstream::registry::MODELS;
use futures_util::TryStreamExt as _;
use tonic::metadata::MetadataMap;
use tonic::{Code, Streaming};

use crate::house::{FOX, House, Room, Told, first, of, text};
use crate::provider::{Upstream, upstream};

/// Fifteen millionths a character, and a thousand a millisecond of audio.
const PRICES: &str = "prices = { million_characters = 15, audio_minute = 60 }";
/// The longest that the fox can take: 42 letters of words, a capital and a full stop, and the silence around it.
const LONGEST: i64 = 42 * 250 + 2 * 1_000 + 1_000;
const WORST: i64 = 44 * 15 + LONGEST * 1_000;
/// What half a second of the fox costs.
const COST: i64 = 44 * 15 + 500 * 1_000;

async fn room(house: &House, upstream: &Upstream) -> Room {
    let path = house.folder.path().join("models.toml");
    let url = upstream.url.replace("user:hunter2@", "");
    let registry = format!(
        "[providers.api]\nurl = \"{url}\"\n[[models]]\nid = \"speech-7\"\nmedium = \"speech\"\nprovider = \"api\"\n\
         voices = [\"good\", \"slow\", \"unauthorised\"]\n{PRICES}\n"
    );
    fs::write(&path, registry).unwrap();
    house
        .open(&[(MODELS.name, &path.display().to_string())])
        .await
}

fn by(voice: &str) -> pb::SynthesizeRequest {
    pb::SynthesizeRequest {
        voice: voice.into(),
        ..text(FOX)
    }
}

fn allowance(told: &Told) -> &Allowance {
    let found = told.events().find_map(|event| match event {
        Event::Started(started) => started.allowance.as_ref(),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("nothing began: {told:?}"))
}

fn reserve(micros: i64) -> String {
    format!("reserve {micros}")
}

#[tokio::test(flavor = "multi_thread")]
async fn characters_and_the_longest_audio_are_reserved_and_what_it_is_is_charged() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    let told = room.say("ana", by("good")).await.unwrap();
    assert_eq!(allowance(&told).reserved_micros, WORST);
    let asked = room.credits.asked(told.id()).unwrap();
    assert_eq!((&*asked.user_id, &*asked.model), ("ana", "speech-7"));
    assert_eq!((asked.medium(), asked.prices.len()), (Medium::Speech, 2));
    let worst = Usage {
        characters: 44,
        audio_millis: LONGEST,
        ..Usage::default()
    };
    assert_eq!(asked.worst_case, Some(worst));
    let lines = [&*reserve(WORST), &*format!("settle {COST}")];
    room.credits.reads(told.id(), &lines).await;
    assert_eq!(room.credits.callers(), ["tts"]);

    let slowly = pb::SynthesizeRequest {
        speed: Some(0.5),
        ..by("good")
    };
    let told = room.say("ana", slowly).await.unwrap();
    let asked = room.credits.asked(told.id()).unwrap().worst_case.unwrap();
    assert_eq!(asked.audio_millis, 2 * LONGEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_not_sent_and_says_why() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    room.credits.set_balance(WORST - 1);
    let told = room.say("ana", by("good")).await.unwrap();
    assert_eq!(told.failed().reason, "INSUFFICIENT_CREDITS");
    assert!(!told.failed().retryable);
    room.credits.reads(told.id(), &["release"]).await;

    room.credits.set_balance(10 * WORST);
    room.credits.set_quota(0);
    let told = room.say("ana", by("good")).await.unwrap();
    assert_eq!(told.failed().reason, "QUOTA_EXHAUSTED");
    let retry = moment::from_timestamp(told.failed().retry_time.as_ref().unwrap());
    assert!(retry.unwrap() > moment::now() + 3_500_000_000);

    room.credits.set_quota(10);
    room.credits.set_away(true);
    let told = room.say("ana", by("good")).await.unwrap();
    assert_eq!(told.failed().reason, "CREDITS_UNAVAILABLE");
    assert!(told.failed().retryable);
    assert!(upstream.seen.paths.lock().unwrap().is_empty());
    room.credits.set_away(false);
    room.credits.reads(told.id(), &["release"]).await;
    let told = room.say("ana", by("good")).await.unwrap();
    assert!(matches!(told.last(), Event::Completed(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_is_free_and_one_that_is_cancelled_pays_for_what_was_heard() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    let told = room.say("ana", by("unauthorised")).await.unwrap();
    assert_eq!(told.failed().reason, "UPSTREAM_REFUSED");
    let lines = [&*reserve(WORST), "release"];
    room.credits.reads(told.id(), &lines).await;

    let stream = room.client().synthesize(of("ana", by("slow"))).await;
    let mut stream = stream.unwrap().into_inner();
    let heard = first(
        &mut stream,
        |event| matches!(event, Event::AudioChunk(_)),
        |answer: pb::SynthesizeResponse| answer.event.unwrap(),
    )
    .await;
    room.cancel("ana", &heard.generation_id).await.unwrap();
    let rest: Vec<_> = stream.try_collect().await.unwrap();
    let used = rest
        .iter()
        .find_map(|answer| match &answer.event.as_ref()?.event {
            Some(Event::Usage(usage)) => Some(*usage),
            _ => None,
        });
    // It said nothing of its length, so that all of it may have been heard: a character is usually 68 ms.
    let usual = Usage {
        characters: 44,
        audio_millis: 44 * 68,
        estimated: true,
        ..Usage::default()
    };
    assert_eq!(used, Some(usual));
    let settle = format!("settle {}", 44 * 15 + 44 * 68 * 1_000);
    let lines = [&*reserve(WORST), &*settle];
    room.credits.reads(&heard.generation_id, &lines).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_paid_once() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    let request = pb::SynthesizeRequest {
        request_id: "r-1".into(),
        ..by("good")
    };
    let (one, two) = tokio::join!(
        room.say("ana", request.clone()),
        room.say("ana", request.clone())
    );
    assert_eq!(one.unwrap().id(), two.unwrap().id());
    let late = room.say("ana", request).await.unwrap();
    let lines = [&*reserve(WORST), &*format!("settle {COST}")];
    room.credits.reads(late.id(), &lines).await;
    assert_eq!(upstream.seen.paths.lock().unwrap().len(), 1);
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

#[tokio::test(flavor = "multi_thread")]
async fn the_streams_end_with_the_allowance_and_a_service_may_ask_how_it_stands() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    room.credits.set_quota(5);
    let request = pb::SynthesizeRequest {
        request_id: "r-1".into(),
        ..by("good")
    };
    let stream = room.client().synthesize(of("ana", request.clone())).await;
    let ended = trailers(stream.unwrap().into_inner()).await;
    let worst = WORST.to_string();
    assert_eq!(told(&ended), [Some(&*worst), Some("5"), Some("4")]);
    assert!(ended.get(QUOTA_RESET).is_some());
    let known = room.say("ana", request).await.unwrap();
    let request = pb::WatchGenerationRequest {
        generation_id: known.id().into(),
        after_sequence: known.0.last().unwrap().sequence,
    };
    let stream = room.client().watch_generation(of("ana", request)).await;
    let ended = trailers(stream.unwrap().into_inner()).await;
    assert_eq!(told(&ended), [Some(&*worst), Some("5"), Some("4")]);

    let ask = |id: &str| pb::InspectGenerationRequest {
        generation_id: id.into(),
    };
    let call = Call::background(Duration::from_secs(10));
    let standing = async |id: &str| {
        let mut rpc = room.client();
        let answer = rpc.inspect_generation(call.request(ask(id))).await;
        answer.unwrap().into_inner().standing.unwrap()
    };
    let stands = standing(known.id()).await;
    assert_eq!(stands.state(), State::Completed);
    let charge = stands.charge.unwrap();
    assert_eq!((charge.characters, charge.audio_millis), (44, 500));
    assert_eq!(standing("nobody-knows-it").await, Standing::default());
    let hers = of("ana", ask(known.id()));
    let refused = room.client().inspect_generation(hers).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

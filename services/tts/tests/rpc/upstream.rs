//! The adapter of OpenAI-compatible APIs: what it sends, and what becomes of every answer.

use std::time::Duration;

use atelier_kit::testing::eventually;
use atelier_kit::testing::log::Log;
use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::tts::v1 as pb;
use futures_util::TryStreamExt as _;
use serde_json::json;
use tonic::Code;

use crate::house::{FOX, House, Room, Told, admin, fields, first, of, text};
use crate::provider::{Upstream, VOICES, open_tone, tone, upstream};

async fn room(house: &House, upstream: &Upstream) -> Room {
    house
        .open(&[
            ("ATELIER_SPEECH_URL", &upstream.url),
            ("ATELIER_SPEECH_API_KEY", "sesame"),
            ("ATELIER_SPEECH_MODEL", "speech-7"),
            ("ATELIER_SPEECH_VOICES", VOICES),
        ])
        .await
}

fn by(voice: &str) -> pb::SynthesizeRequest {
    pb::SynthesizeRequest {
        voice: voice.into(),
        ..text(FOX)
    }
}

async fn said(room: &Room, voice: &str) -> Told {
    room.say("ana", by(voice)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_is_what_such_apis_take_and_the_file_learns_its_length() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    let request = pb::SynthesizeRequest {
        speed: Some(1.25),
        voice: String::new(),
        ..text(FOX)
    };
    let told = room.say("ana", request).await.unwrap();
    assert!(
        matches!(told.last(), Event::Completed(_)),
        "{:?}",
        told.last()
    );
    assert_eq!(*upstream.seen.paths.lock().unwrap(), ["/v1/audio/speech"]);
    let (keys, asked) = upstream.seen.requests.lock().unwrap()[0].clone();
    assert_eq!(keys, ["Bearer sesame"]);
    assert_eq!(
        asked,
        json!({"model": "speech-7", "input": FOX, "voice": "good", "response_format": "wav", "speed": 1.25})
    );
    assert_eq!(
        told.audio().0,
        open_tone(),
        "what is streamed is what was sent"
    );
    assert_eq!(told.seconds(), 0.5);
    let key = house
        .keys()
        .await
        .into_iter()
        .find(|key| key.ends_with("original.wav"))
        .unwrap();
    assert_eq!(
        house.object(&key).await,
        tone(),
        "what is stored knows its length"
    );
    let found = room.get("ana", told.id()).await.unwrap();
    assert_eq!(
        (found.provider.as_str(), found.model.as_str()),
        ("openai-compatible", "speech-7")
    );
    assert_eq!(
        (found.voice.as_str(), found.language.as_str(), found.speed),
        ("good", "mul", 1.25)
    );

    let voices = room
        .client()
        .list_voices(pb::ListVoicesRequest {})
        .await
        .unwrap()
        .into_inner()
        .voices;
    assert_eq!(voices.len(), VOICES.split(',').count() + 2);
    assert!(voices[0].id == "good" && voices[0].is_default && voices[0].sample_rate_hertz == 0);
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_its_reason() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    for (voice, reason, retryable) in [
        ("unauthorised", "UPSTREAM_REFUSED", false),
        ("busy", "UPSTREAM_BUSY", true),
        ("cut", "UPSTREAM_UNAVAILABLE", true),
        ("words", "UPSTREAM_GARBLED", true),
        ("short", "UPSTREAM_GARBLED", true),
        ("large", "AUDIO_TOO_LARGE", false),
        ("larger", "AUDIO_TOO_LARGE", false),
        ("elsewhere", "UPSTREAM_REFUSED", false),
    ] {
        let told = said(&room, voice).await;
        let failed = told.failed();
        assert_eq!(
            (failed.reason.as_str(), failed.retryable),
            (reason, retryable),
            "{voice}"
        );
        for secret in ["hunter2", "sesame", "127.0.0.1", "bad key"] {
            assert!(!failed.message.contains(secret), "{}", failed.message);
        }
        // Only what begins as audio is told as audio.
        let began = matches!(voice, "cut" | "short" | "large");
        let streamed = told
            .events()
            .any(|event| matches!(event, Event::AudioChunk(_) | Event::Snapshot(_)));
        assert_eq!(streamed, began, "{voice}");
        let found = room.get("ana", told.id()).await.unwrap();
        assert_eq!(
            (found.state(), found.download_url.as_str()),
            (State::Failed, "")
        );
    }
    assert!(
        !upstream
            .seen
            .paths
            .lock()
            .unwrap()
            .contains(&"/elsewhere".to_owned()),
        "a key is sent nowhere else"
    );
    let flac = pb::SynthesizeRequest {
        format: pb::AudioFormat::Flac.into(),
        ..by("good")
    };
    assert_eq!(
        room.say("ana", flac).await.unwrap().failed().reason,
        "UPSTREAM_GARBLED"
    );
    assert!(
        house
            .keys()
            .await
            .iter()
            .all(|key| !key.contains("/audio/")),
        "nothing that failed is kept"
    );
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_is_a_failure_that_may_pass() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    drop(upstream);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let told = said(&room, "good").await;
    assert_eq!(
        (told.failed().reason.as_str(), told.failed().retryable),
        ("UPSTREAM_UNAVAILABLE", true)
    );
    // The voices of the house speak on.
    assert!(matches!(
        said(&room, "kal").await.last(),
        Event::Completed(_)
    ));
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_voice_has_one_pitch() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    let high = pb::SynthesizeRequest {
        pitch: Some(1.5),
        ..by("good")
    };
    assert_eq!(
        fields(room.say("ana", high).await),
        (Code::InvalidArgument, vec!["pitch".to_owned()])
    );
    let own = pb::SynthesizeRequest {
        pitch: Some(1.0),
        ..by("good")
    };
    assert!(matches!(
        room.say("ana", own).await.unwrap().last(),
        Event::Completed(_)
    ));
    room.shut().await;
}

async fn hung_up(upstream: &Upstream) {
    eventually("the provider's socket is closed", async || {
        upstream
            .seen
            .open
            .lock()
            .unwrap()
            .as_ref()
            .is_some_and(|open| open.strong_count() == 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_arrives_while_the_provider_still_speaks_and_anyone_of_the_owner_can_cancel() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    let mut stream = room
        .client()
        .synthesize(of("ana", by("slow")))
        .await
        .unwrap()
        .into_inner();
    let heard = first(
        &mut stream,
        |event| matches!(event, Event::AudioChunk(_)),
        |answer| answer.event.unwrap(),
    )
    .await;
    let id = heard.generation_id.clone();
    assert!(
        upstream
            .seen
            .open
            .lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .strong_count()
            > 0,
        "the body is still open"
    );
    eventually("the conversion runs", async || {
        room.get("ana", &id).await.unwrap().state() == State::Running
    })
    .await;

    // Another connection of the same account.
    let state = room.cancel("ana", &id).await.unwrap();
    assert!(matches!(state, State::Queued | State::Running), "{state:?}");
    let rest: Vec<_> = stream
        .map_ok(|answer| answer.event.unwrap())
        .try_collect()
        .await
        .unwrap();
    assert!(matches!(
        rest.last().unwrap().event,
        Some(Event::Cancelled(_))
    ));
    hung_up(&upstream).await;
    assert_eq!(
        room.get("ana", &id).await.unwrap().state(),
        State::Cancelled
    );
    assert_eq!(
        room.cancel("ana", &id).await.unwrap(),
        State::Cancelled,
        "the end stays as it is"
    );
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_in_the_making_can_be_deleted() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    let mut stream = room
        .client()
        .synthesize(of("ana", by("slow")))
        .await
        .unwrap()
        .into_inner();
    let heard = first(
        &mut stream,
        |event| matches!(event, Event::AudioChunk(_)),
        |answer| answer.event.unwrap(),
    )
    .await;
    assert_eq!(
        room.delete("bob", &heard.generation_id)
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    room.delete("ana", &heard.generation_id).await.unwrap();
    hung_up(&upstream).await;
    assert_eq!(
        room.get("ana", &heard.generation_id)
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    assert_eq!(
        room.cancel("ana", &heard.generation_id)
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    room.shut().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_ends_says_so_to_whoever_listens_later() {
    let (house, upstream) = (House::new().await, upstream().await);
    let opened = room(&house, &upstream).await;
    let mut stream = opened
        .client()
        .synthesize(of("ana", by("slow")))
        .await
        .unwrap()
        .into_inner();
    let heard = first(
        &mut stream,
        |event| matches!(event, Event::AudioChunk(_)),
        |answer| answer.event.unwrap(),
    )
    .await;
    opened.shut().await;
    let opened = room(&house, &upstream).await;
    let told = opened.watch("ana", &heard.generation_id, 0).await.unwrap();
    assert_eq!(
        (told.failed().reason.as_str(), told.failed().retryable),
        ("INTERRUPTED", true)
    );
    opened.shut().await;
}

#[tokio::test]
async fn a_key_that_the_provider_repeats_is_hidden_in_the_log() {
    let log = Log::new();
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    said(&room, "unauthorised").await;
    room.shut().await;
    let logged = log.text();
    assert!(
        logged.contains("bad key [key]"),
        "the refusal was not logged"
    );
    assert!(!logged.contains("sesame"), "the key was logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_are_told_how_the_provider_does_and_nobody_else_is() {
    let (house, upstream) = (House::new().await, upstream().await);
    let room = room(&house, &upstream).await;
    said(&room, "good").await;
    said(&room, "unauthorised").await;
    let asked = admin(pb::ListUpstreamsRequest {});
    let told = room.client().list_upstreams(asked).await.unwrap();
    let seen = told.into_inner().upstreams;
    assert_eq!((seen.len(), seen[0].calls, seen[0].failures), (1, 2, 0));
    assert_eq!(seen[0].keys[0].source, "ATELIER_SPEECH_API_KEY");
    let all = format!("{seen:?}");
    assert!(!all.contains("sesame") && !all.contains("hunter2"), "{all}");
    let asked = of("ana", pb::ListUpstreamsRequest {});
    let refused = room.client().list_upstreams(asked).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    room.shut().await;
}

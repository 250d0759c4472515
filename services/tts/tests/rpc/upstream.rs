//! The adapter of OpenAI-compatible APIs against a server on loopback that answers as badly as the voice's name says.

use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atelier_kit::testing::eventually;
use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::tts::v1 as pb;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tonic::Code;

use crate::house::{FOX, House, Room, Told, fields, first, of, text};

const VOICES: &str = "good,unauthorised,busy,cut,words,short,large,larger,slow,elsewhere";

/// Half a second of a tone, at 24 kHz in stereo: nothing that the built-in voice would make.
fn tone() -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 24_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for at in 0..24_000_i32 {
        writer.write_sample(((at * 321) % 9000) as i16).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

/// The same sound as a server sends it that does not know the length yet.
fn open_tone() -> Vec<u8> {
    let mut file = tone();
    file[4..8].fill(0xff);
    file[40..44].fill(0xff);
    file
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<(Option<String>, Value)>>,
    paths: Mutex<Vec<String>>,
    open: Mutex<Option<std::sync::Weak<()>>>,
}

struct Upstream {
    url: String,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn upstream() -> Upstream {
    let seen = Arc::new(Seen::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:hunter2@{}/v1", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(seen.clone());
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Upstream { url, seen, task }
}

type Chunk = Result<Bytes, std::io::Error>;

async fn answer(Shared(seen): Shared<Arc<Seen>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    seen.paths.lock().unwrap().push(parts.uri.path().to_owned());
    let key = parts
        .headers
        .get("authorization")
        .map(|value| value.to_str().unwrap().to_owned());
    let asked: Value =
        serde_json::from_slice(&axum::body::to_bytes(body, 1 << 20).await.unwrap()).unwrap();
    let voice = asked["voice"].as_str().unwrap_or_default().to_owned();
    seen.requests.lock().unwrap().push((key, asked));
    let halves = || {
        let file = open_tone();
        let (one, other) = file.split_at(file.len() / 2);
        [Bytes::copy_from_slice(one), Bytes::copy_from_slice(other)]
    };
    match voice.as_str() {
        "good" => Body::from_stream(stream::iter(halves().map(Chunk::Ok))).into_response(),
        "unauthorised" => (StatusCode::UNAUTHORIZED, "{\"error\":\"bad key\"}").into_response(),
        "busy" => (StatusCode::TOO_MANY_REQUESTS, "later").into_response(),
        "cut" => {
            let [one, _] = halves();
            let torn = Chunk::Err(std::io::Error::other("torn"));
            let slowly = stream::iter([Ok(one), torn]).then(|chunk| async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                chunk
            });
            Body::from_stream(slowly).into_response()
        }
        "words" => {
            "{\"audio\": \"I would rather not, for more than twelve bytes\"}".into_response()
        }
        "short" => tone()[..5000].to_vec().into_response(),
        "large" => {
            let lump = Bytes::from(vec![0; 1 << 20]);
            let endless = stream::iter(0..80).map(move |_| Chunk::Ok(lump.clone()));
            let [one, _] = halves();
            Body::from_stream(stream::iter([Ok(one)]).chain(endless)).into_response()
        }
        "larger" => {
            let lump = Bytes::from(vec![0; 1 << 20]);
            let body = Body::from_stream(stream::iter(0..80).map(move |_| Chunk::Ok(lump.clone())));
            ([("content-length", (80 << 20).to_string())], body).into_response()
        }
        "slow" => {
            let held = Arc::new(());
            *seen.open.lock().unwrap() = Some(Arc::downgrade(&held));
            let [one, _] = halves();
            let silent = stream::pending().inspect(move |_: &Chunk| drop(held.clone()));
            Body::from_stream(stream::iter([Ok(one)]).chain(silent)).into_response()
        }
        _ => (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]).into_response(),
    }
}

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
    let (key, asked) = upstream.seen.requests.lock().unwrap()[0].clone();
    assert_eq!(key.as_deref(), Some("Bearer sesame"));
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

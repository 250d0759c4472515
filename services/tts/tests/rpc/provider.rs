//! A provider on loopback that answers as badly as the voice's name says.

use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::task::JoinHandle;

/// The voices it has.
pub const VOICES: &str = "good,unauthorised,busy,cut,words,short,large,larger,slow,elsewhere";

/// Half a second of a tone, at 24 kHz in stereo: nothing that the built-in voice would make.
pub fn tone() -> Vec<u8> {
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
pub fn open_tone() -> Vec<u8> {
    let mut file = tone();
    file[4..8].fill(0xff);
    file[40..44].fill(0xff);
    file
}

#[derive(Default)]
pub struct Seen {
    pub requests: Mutex<Vec<(Vec<String>, Value)>>,
    pub paths: Mutex<Vec<String>>,
    pub open: Mutex<Option<std::sync::Weak<()>>>,
}

pub struct Upstream {
    pub url: String,
    pub seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub async fn upstream() -> Upstream {
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
    let keys = parts.headers.get_all("authorization").iter();
    let keys = keys
        .map(|value| value.to_str().unwrap().to_owned())
        .collect();
    let asked: Value =
        serde_json::from_slice(&axum::body::to_bytes(body, 1 << 20).await.unwrap()).unwrap();
    let voice = asked["voice"].as_str().unwrap_or_default().to_owned();
    seen.requests.lock().unwrap().push((keys, asked));
    let halves = || {
        let file = open_tone();
        let (one, other) = file.split_at(file.len() / 2);
        [Bytes::copy_from_slice(one), Bytes::copy_from_slice(other)]
    };
    match voice.as_str() {
        "good" => Body::from_stream(stream::iter(halves().map(Chunk::Ok))).into_response(),
        "unauthorised" => {
            (StatusCode::UNAUTHORIZED, "{\"error\":\"bad key sesame\"}").into_response()
        }
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

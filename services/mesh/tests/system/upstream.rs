//! A provider of chat, pictures and speech as slow as a test needs it; it speaks the shapes of an OpenAI-compatible
//! API and remembers the keys that it was shown.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;

/// A chat model that says a word every 50 ms and never ends.
pub const ENDLESS: &str = "endless";
/// A chat model that says forty words in about two seconds.
pub const SLOW: &str = "slow";
/// A picture model that never answers.
pub const NEVER: &str = "never";
/// A voice that never speaks.
pub const SILENT: &str = "silent";

/// The words of [`SLOW`].
pub const SLOW_WORDS: usize = 40;

/// A running provider; dropping it ends it.
pub struct Upstream {
    url: String,
    keys: Keys,
    task: tokio::task::JoinHandle<()>,
}

type Keys = Arc<Mutex<Vec<String>>>;

impl Upstream {
    /// Starts on a free port.
    pub async fn start() -> Self {
        let keys = Keys::default();
        let routes = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/images/generations", post(never))
            .route("/v1/audio/speech", post(never))
            .with_state(keys.clone());
        let socket = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let url = format!("http://{}/v1", socket.local_addr().unwrap());
        let task = tokio::spawn(async move {
            axum::serve(socket, routes).await.unwrap();
        });
        Self { url, keys, task }
    }

    /// The settings that make a mesh use it, beside what is built in.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ATELIER_CHAT_URL", self.url.clone()),
            ("ATELIER_CHAT_MODELS", format!("{SLOW},{ENDLESS}")),
            ("ATELIER_IMAGE_URL", self.url.clone()),
            ("ATELIER_IMAGE_MODELS", NEVER.to_owned()),
            ("ATELIER_SPEECH_URL", self.url.clone()),
            ("ATELIER_SPEECH_MODEL", "speaker".to_owned()),
            ("ATELIER_SPEECH_VOICES", SILENT.to_owned()),
            // So that work which never ends keeps nobody waiting.
            ("ATELIER_IMAGE_AT_ONCE", "16".to_owned()),
            ("ATELIER_SPEECH_AT_ONCE", "16".to_owned()),
        ]
    }

    /// The `authorization` headers that it was shown.
    pub fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn remember(keys: &Keys, headers: &HeaderMap) {
    if let Some(key) = headers.get("authorization") {
        let key = key.to_str().unwrap_or_default().to_owned();
        keys.lock().unwrap().push(key);
    }
}

async fn never(State(keys): State<Keys>, headers: HeaderMap, _: Bytes) -> Response {
    remember(&keys, &headers);
    std::future::pending().await
}

async fn chat(State(keys): State<Keys>, headers: HeaderMap, body: Bytes) -> Response {
    remember(&keys, &headers);
    let asked: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let words = if asked["model"] == SLOW {
        SLOW_WORDS
    } else {
        usize::MAX
    };
    let events = async_stream::stream! {
        for word in 0..words {
            let told = serde_json::json!({"choices": [{"delta": {"content": format!("word{word} ")}}]});
            yield Ok::<_, std::io::Error>(format!("data: {told}\n\n"));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let told = serde_json::json!({
            "choices": [{"delta": {}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": words},
        });
        yield Ok(format!("data: {told}\n\ndata: [DONE]\n\n"));
    };
    let headers = [("content-type", "text/event-stream")];
    (headers, Body::from_stream(events)).into_response()
}

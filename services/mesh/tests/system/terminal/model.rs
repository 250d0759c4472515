//! A chat model that says what a test wrote down, word by word, and remembers how often it was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;

/// A model that says its text quickly.
pub const QUICK: &str = "quick";
/// A model that takes 60 ms for each word.
pub const SLOW: &str = "slow";
/// A model that says its text and then no more, without an end.
pub const STUCK: &str = "stuck";

/// A running model; dropping it ends it.
pub struct Model {
    url: String,
    asked: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

struct Told {
    text: String,
    asked: Arc<AtomicUsize>,
}

impl Model {
    /// Starts it, with the text that it says to everything.
    pub async fn saying(text: &str) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let told = Arc::new(Told {
            text: text.to_owned(),
            asked: asked.clone(),
        });
        let routes = Router::new()
            .route("/v1/chat/completions", post(reply))
            .with_state(told);
        let socket = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let url = format!("http://{}/v1", socket.local_addr().unwrap());
        let task = tokio::spawn(async move {
            axum::serve(socket, routes).await.unwrap();
        });
        Self { url, asked, task }
    }

    /// The settings that make a mesh ask it.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ATELIER_CHAT_URL", self.url.clone()),
            ("ATELIER_CHAT_MODELS", format!("{QUICK},{SLOW},{STUCK}")),
        ]
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn reply(State(told): State<Arc<Told>>, body: Bytes) -> Response {
    told.asked.fetch_add(1, Ordering::SeqCst);
    let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let model = asked["model"].as_str().unwrap().to_owned();
    let pause = Duration::from_millis(if model == SLOW { 60 } else { 1 });
    let events = async_stream::stream! {
        for word in told.text.split_inclusive(' ') {
            let piece = serde_json::json!({"choices": [{"delta": {"content": word}}]});
            yield Ok::<_, std::io::Error>(format!("data: {piece}\n\n"));
            tokio::time::sleep(pause).await;
        }
        if model == STUCK {
            std::future::pending::<()>().await;
        }
        let end = serde_json::json!({"choices": [{"delta": {}, "finish_reason": "stop"}]});
        yield Ok(format!("data: {end}\n\ndata: [DONE]\n\n"));
    };
    let headers = [("content-type", "text/event-stream")];
    (headers, Body::from_stream(events)).into_response()
}

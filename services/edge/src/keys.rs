//! `/.well-known/jwks.json`: the public keys that access tokens are verified with, for anyone; it makes no key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atelier_kit::identity::KeySource;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio::sync::Mutex;

use crate::plain;

/// The source is asked at most this often, whoever asks the edge.
const FRESH: Duration = Duration::from_secs(5);
/// How long the source may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The key set and its source.
pub(crate) struct Keys {
    source: Arc<dyn KeySource>,
    last: Mutex<Option<(Instant, String)>>,
}

impl Keys {
    pub(crate) fn new(source: Arc<dyn KeySource>) -> Self {
        Self {
            source,
            last: Mutex::new(None),
        }
    }

    async fn current(&self) -> Option<String> {
        // One question at a time; whoever waited finds the answer.
        let mut last = self.last.lock().await;
        if let Some((at, keys)) = &*last
            && at.elapsed() < FRESH
        {
            return Some(keys.clone());
        }
        match tokio::time::timeout(PATIENCE, self.source.fetch()).await {
            Ok(Ok(keys)) => {
                *last = Some((Instant::now(), keys.clone()));
                Some(keys)
            }
            Ok(Err(fault)) => {
                tracing::warn!(error = %fault, "the key set cannot be fetched");
                None
            }
            Err(_) => {
                tracing::warn!("the key set cannot be fetched in time");
                None
            }
        }
    }
}

/// Answers with the key set that holds now, or 503.
pub(crate) async fn get(State(keys): State<Arc<Keys>>) -> Response {
    match keys.current().await {
        Some(keys) => {
            let headers = [
                (CONTENT_TYPE, "application/json"),
                (CACHE_CONTROL, "public, max-age=60"),
            ];
            (headers, keys).into_response()
        }
        None => plain::unavailable("the key set is not available", Duration::from_secs(1)),
    }
}

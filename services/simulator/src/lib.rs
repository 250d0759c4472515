#![doc = include_str!("../README.md")]

mod chat;
mod fate;
mod picture;
mod script;
mod speech;
mod stats;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

pub use script::{Act, Script, ScriptError};
pub use stats::Counts;

use fate::Fates;
use stats::{Stats, Visit};

/// The scheme of a URL that asks for a simulator.
pub const SCHEME: &str = "simulator";

/// The largest request that is read.
const REQUEST_BYTES: usize = 16 << 20;

/// Why there is no simulator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL says something that cannot be simulated.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// It cannot listen.
    #[error("the simulator cannot listen")]
    Listen(#[source] io::Error),
}

/// A simulator that runs; dropping it ends it.
#[derive(Debug)]
pub struct Simulator {
    url: Url,
    stats: Arc<Stats>,
    task: JoinHandle<()>,
}

impl Simulator {
    /// Starts one that listens on `address`; port 0 takes a free one.
    pub async fn start(script: Script, address: SocketAddr) -> Result<Self, Error> {
        let listener = TcpListener::bind(address).await.map_err(Error::Listen)?;
        let address = listener.local_addr().map_err(Error::Listen)?;
        let url = Url::parse(&format!("http://{address}/v1"))
            .map_err(|error| Error::Listen(io::Error::other(error)))?;
        let stats = Arc::new(Stats::default());
        let room = Arc::new(Room {
            fates: Fates::new(script),
            stats: stats.clone(),
        });
        let routes = Router::new()
            .route("/v1/models", get(chat::models))
            .route("/v1/chat/completions", post(chat::complete))
            .route("/v1/images/generations", post(picture::generate))
            .route("/v1/audio/speech", post(speech::speak))
            .route("/simulator/stats", get(stats::tell))
            .layer(axum::extract::DefaultBodyLimit::max(REQUEST_BYTES))
            .with_state(room);
        let task = tokio::spawn(async move {
            // Small pieces are sent as they come: that is what is simulated.
            let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
                let _ = stream.set_nodelay(true);
            });
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { url, stats, task })
    }

    /// Starts one on this machine when a provider's URL asks for it, and puts its own URL there; `None` for every other
    /// URL, which stays as it is.
    pub async fn stand_in(url: &mut Url) -> Result<Option<Self>, Error> {
        if url.scheme() != SCHEME {
            return Ok(None);
        }
        let script = Script::read(url)?;
        let simulator = Self::start(script, ([127, 0, 0, 1], 0).into()).await?;
        *url = simulator.url();
        Ok(Some(simulator))
    }

    /// The base URL of its API, as in `http://127.0.0.1:40123/v1`.
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// How its requests went until now.
    pub fn counts(&self) -> Counts {
        self.stats.counts()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What every request finds.
struct Room {
    fates: Fates,
    stats: Arc<Stats>,
}

impl Room {
    /// A visit begins: what is asked for and what befalls it, after the time that it takes until something does.
    async fn receive<T: DeserializeOwned>(
        &self,
        request: &[u8],
    ) -> Result<(T, fate::Fate, Visit), Response> {
        let visit = self.stats.visit();
        let fate = self.fates.of(request);
        tokio::time::sleep(fate.latency).await;
        if let Act::Refuse(status) = fate.act {
            visit.refused();
            return Err(self.refusal(status));
        }
        match serde_json::from_slice(request) {
            Ok(asked) => Ok((asked, fate, visit)),
            Err(error) => Err(unreadable(visit, &error.to_string())),
        }
    }

    fn refusal(&self, status: u16) -> Response {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = failure(status, "simulated", "the simulator was told to refuse");
        let waits = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        if let Some(wait) = self.fates.script().retry_after.filter(|_| waits) {
            let seconds = HeaderValue::from(wait.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// An error in the shape that the API has for them.
fn failure(status: StatusCode, kind: &str, message: &str) -> Response {
    #[derive(Serialize)]
    struct Failure<'a> {
        error: Words<'a>,
    }
    #[derive(Serialize)]
    struct Words<'a> {
        message: &'a str,
        r#type: &'a str,
    }
    let error = Words {
        message,
        r#type: kind,
    };
    (status, axum::Json(Failure { error })).into_response()
}

/// A request that cannot be read.
fn unreadable(visit: Visit, why: &str) -> Response {
    visit.refused();
    failure(StatusCode::BAD_REQUEST, "invalid_request_error", why)
}

/// A whole answer, sent through its fate.
fn whole(bytes: Bytes, content_type: &'static str, fate: &fate::Fate, visit: Visit) -> Response {
    let mut response = if fate.act == Act::Serve {
        // Of what comes whole the length is known beforehand, so that a caller notices a part that is missing.
        visit.served();
        bytes.into_response()
    } else {
        let pieces = futures_util::stream::once(async move { bytes });
        Body::from_stream(fate.befall(pieces, visit)).into_response()
    };
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

//! Somebody else's HTTP API on loopback that answers as a test tells it to and remembers what it was asked; it knows
//! the shapes of no API.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Its path, without a query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; null when it is no JSON.
    pub body: serde_json::Value,
}

impl Seen {
    /// A header's value; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// A running API; it ends with this value.
pub struct Api {
    /// Its base URL, as a setting has it: it ends with `/v1`.
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    left: watch::Receiver<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Dropped with the answer that holds it, which tells [`Api::left`] that its client is gone.
pub struct Presence(watch::Sender<usize>);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.send_modify(|left| *left += 1);
    }
}

/// What an API answers.
pub enum Answer {
    /// A whole answer.
    Whole {
        /// The HTTP status.
        status: u16,
        /// The headers.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: Bytes,
    },
    /// Chunks, after which the connection breaks off.
    Cut(Vec<String>),
    /// Chunks, after which nothing comes any more.
    Stalled(Vec<String>, Presence),
    /// Not even a head.
    Silent(Presence),
    /// Zeros without an end.
    Endless(Presence),
}

impl Api {
    /// Answers every request with what `answer` makes of it. An answer that never ends holds the presence of its client.
    pub async fn start<A>(answer: A) -> Self
    where
        A: Fn(Seen, Presence) -> Answer + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (tell, left) = watch::channel(0);
        let (answer, remembered) = (Arc::new(answer), seen.clone());
        let router = Router::new().fallback(move |request: Request| {
            let (answer, remembered, presence) =
                (answer.clone(), remembered.clone(), Presence(tell.clone()));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let asked = Seen {
                    method: parts.method,
                    path: parts.uri.path().to_owned(),
                    headers: parts.headers,
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                };
                remembered.lock().unwrap().push(asked.clone());
                let answer = answer(asked, presence);
                Ok::<_, Infallible>(answer.into_response().await)
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            seen,
            left,
            task,
        }
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until so many clients have closed their connection before the end of an answer that holds their presence;
    /// `false` when they have not in time.
    pub async fn left(&self, count: usize, limit: Duration) -> bool {
        let mut left = self.left.clone();
        let waited = tokio::time::timeout(limit, left.wait_for(|left| *left >= count)).await;
        matches!(waited, Ok(Ok(_)))
    }
}

/// The base URL of an API that is not there.
pub async fn nowhere() -> String {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .unwrap();
    format!("http://{}/v1", listener.local_addr().unwrap())
}

impl Answer {
    /// A whole answer of this media type.
    pub fn whole(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::Whole {
            status,
            headers: vec![("content-type", content_type.into())],
            body: body.into(),
        }
    }

    /// A whole answer in JSON.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::whole(status, "application/json", body.to_string())
    }

    /// Sends the client elsewhere, with the same method and body.
    pub fn redirect(to: &str) -> Self {
        Self::Whole {
            status: 307,
            headers: vec![("location", to.into())],
            body: Bytes::new(),
        }
    }

    async fn into_response(self) -> Response {
        let chunks = |chunks: Vec<String>| {
            stream::iter(chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))))
        };
        let (status, headers, body) = match self {
            Self::Whole {
                status,
                headers,
                body,
            } => (status, headers, Body::from(body)),
            Self::Cut(told) => {
                let cut = stream::once(async {
                    // What was told before must be on its way when the connection breaks off.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    Err(std::io::Error::other("cut"))
                });
                (200, vec![], Body::from_stream(chunks(told).chain(cut)))
            }
            Self::Stalled(told, presence) => {
                let silence = stream::once(async move {
                    let _presence = presence;
                    std::future::pending::<Result<Bytes, std::io::Error>>().await
                });
                (200, vec![], Body::from_stream(chunks(told).chain(silence)))
            }
            Self::Silent(presence) => {
                let _presence = presence;
                std::future::pending().await
            }
            Self::Endless(presence) => {
                let zeros = stream::repeat(Bytes::from_static(&[0; 64 * 1024])).map(move |chunk| {
                    let _ = &presence;
                    Ok::<_, std::io::Error>(chunk)
                });
                (200, vec![], Body::from_stream(zeros))
            }
        };
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        response.body(body).unwrap()
    }
}

//! A peer behind one type: in this process over in-memory HTTP/2, or anywhere else, in one replica or in several; it is always a connection, never a direct call.
//!
//! Calling a peer's routes directly would be faster and would ignore deadlines; over a connection a peer in this
//! process behaves as one on another machine does.
//!
//! | room | what it is |
//! |---|---|
//! | `replicas` | where the replicas of a role are |
//! | `resolver` | which addresses a name stands for |
//! | `discovery` | who is there now: names are looked up again and again |
//! | `endpoint` | one replica: its connection is kept and its health asked |
//! | `standing` | what is known of it, and until when it is left out |
//! | `line` | one connection |
//! | `near` | a connection beside it for each core |
//! | `kept` | the body of a request, which can be sent again |
//! | `load` | how busy a replica is |
//! | `balancer` | who gets a call |

mod balancer;
mod discovery;
mod endpoint;
mod kept;
mod line;
mod load;
mod near;
mod replicas;
mod resolver;
mod standing;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::Service;
use url::Url;

use balancer::Balancer;
pub use balancer::Tried;
pub use kept::Kept;
pub use replicas::Replicas;
pub use resolver::{Resolve, SystemResolver};

use crate::call::{Call, GRPC_TIMEOUT, REQUEST_ID, TRACEPARENT};
use crate::config::ConfigError;
use crate::fault::{Fault, Kind};
use crate::identity::ServiceTokens;
use crate::inbound::parse_timeout;
use crate::network;
use crate::tls::MeshTls;

/// How much an in-memory connection holds before the writer waits.
const PIPE_BYTES: usize = 256 * 1024;
/// How many connections may wait to be accepted.
const PIPE_BACKLOG: usize = 64;

/// The calling end of an in-memory listener.
#[derive(Clone, Debug)]
pub struct Pipe(mpsc::Sender<DuplexStream>);

/// The listening end of an in-memory listener.
#[derive(Debug)]
pub struct PipeListener(pub(crate) mpsc::Receiver<DuplexStream>);

/// An in-memory listener: connections made through the pipe arrive at the listener.
pub fn pipe() -> (Pipe, PipeListener) {
    let (sender, receiver) = mpsc::channel(PIPE_BACKLOG);
    (Pipe(sender), PipeListener(receiver))
}

/// Where a role is.
#[derive(Clone, Debug)]
pub enum Route {
    /// In this process.
    Memory(Pipe),
    /// At a URL: `http://` for HTTP/2 with prior knowledge, `https://` for TLS with a host that the world trusts.
    Url(Url),
    /// At an `https://` URL, both sides with certificates of the mesh.
    Mesh(Url, MeshTls),
    /// At several URLs, or wherever their names lead.
    Replicas(Replicas),
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Route::Memory(_) => f.write_str("in memory"),
            Route::Url(url) | Route::Mesh(url, _) => {
                f.write_str(url.as_str().trim_end_matches('/'))
            }
            Route::Replicas(replicas) => replicas.fmt(f),
        }
    }
}

/// Marks a request that carries the identity of the calling service.
#[derive(Clone, Copy, Debug)]
pub struct AsService;

/// The links of one role to all others, made before any service and connected on the first call.
#[derive(Clone, Debug)]
pub struct Links {
    by_role: Arc<BTreeMap<String, Link>>,
}

impl Links {
    /// Links to each of `routes`; `tokens` speak for the calling role.
    pub fn new(
        routes: &BTreeMap<String, Route>,
        tokens: Option<ServiceTokens>,
    ) -> Result<Self, ConfigError> {
        let mut by_role = BTreeMap::new();
        for (role, route) in routes {
            by_role.insert(role.clone(), Link::new(role, route, tokens.clone())?);
        }
        Ok(Self {
            by_role: Arc::new(by_role),
        })
    }

    /// The link to a role. A role that was not given has a link too: every call on it is UNAVAILABLE.
    pub fn to(&self, role: &str) -> Link {
        self.by_role.get(role).cloned().unwrap_or_else(|| Link {
            way: Way::Nowhere,
            tokens: None,
            audience: role.into(),
        })
    }
}

/// How a call gets to its role.
#[derive(Clone)]
enum Way {
    /// Not at all.
    Nowhere,
    /// Over a pipe in this process.
    Memory(Channel),
    /// To one of its replicas.
    Balanced(Arc<Balancer>),
}

/// A link to one role; a tower service that generated clients take. Clones share the connections.
#[derive(Clone)]
pub struct Link {
    way: Way,
    tokens: Option<ServiceTokens>,
    audience: Arc<str>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({})", self.audience)
    }
}

impl Link {
    /// A lazy link: nothing is connected until the first call. From then on a lost connection is made again.
    pub fn new(
        audience: &str,
        route: &Route,
        tokens: Option<ServiceTokens>,
    ) -> Result<Self, ConfigError> {
        let balanced = |replicas: &Replicas| {
            let plan = replicas.plan(audience)?;
            Ok(Way::Balanced(Arc::new(Balancer::new(plan))))
        };
        let way = match route {
            Route::Memory(pipe) => Way::Memory(in_memory(pipe)),
            Route::Url(url) => balanced(&Replicas::at(vec![url.clone()]))?,
            Route::Mesh(url, tls) => {
                balanced(&Replicas::at(vec![url.clone()]).with_certificates(tls.clone()))?
            }
            Route::Replicas(replicas) => balanced(replicas)?,
        };
        Ok(Self {
            way,
            tokens,
            audience: audience.into(),
        })
    }
}

/// A channel over a pipe; there is nobody to choose from.
fn in_memory(pipe: &Pipe) -> Channel {
    let pipe = pipe.clone();
    // All calls share one connection. With a window for the whole of it, some callers who read no more would use it up
    // and stop everybody else; so only each stream is bounded.
    Endpoint::from_static("http://in-memory")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WHOLE_WINDOW)
        .connect_with_connector_lazy(tower::service_fn(move |_: http::Uri| {
            let pipe = pipe.clone();
            async move {
                let (near, far) = tokio::io::duplex(PIPE_BYTES);
                pipe.0.send(far).await.map_err(|_| {
                    std::io::Error::new(
                        std::io::ErrorKind::ConnectionRefused,
                        "the role has stopped",
                    )
                })?;
                Ok::<_, std::io::Error>(TokioIo::new(near))
            }
        }))
}

impl Service<Request<Body>> for Link {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        match &mut self.way {
            Way::Memory(channel) => channel
                .poll_ready(cx)
                .map_err(|error| from_transport(&error)),
            // Whoever is ready is found out by the call.
            Way::Balanced(_) | Way::Nowhere => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (head, body) = request.into_parts();
        if let Way::Memory(ready) = &mut self.way {
            // The clone that was polled ready is the one to call; the other takes its place.
            let mut channel = ready.clone();
            std::mem::swap(ready, &mut channel);
            let dressed = self.dressed(&head);
            return Box::pin(
                async move { over(channel, Request::from_parts(dressed?, body)).await },
            );
        }
        let link = self.clone();
        Box::pin(async move {
            let (body, mut tried) = (Kept::new(body), Tried::default());
            let sent = link.send(&head, &body, &mut tried);
            match deadline_of(&head) {
                Some(deadline) => tokio::time::timeout_at(deadline, sent)
                    .await
                    .unwrap_or_else(|_| Err(Fault::deadline_exceeded().into())),
                None => sent.await,
            }
        })
    }
}

impl Link {
    /// Sends a call, and remembers in `tried` to which replica, so that another one gets it if it is sent again. Until an
    /// answer begins it is tried for as long as there is hope; whoever awaits it sees to its deadline.
    ///
    /// UNAVAILABLE when nobody can be reached, or nobody any more; what an answer says is not looked at.
    pub async fn send(
        &self,
        head: &Parts,
        body: &Kept,
        tried: &mut Tried,
    ) -> Result<Response<Body>, Status> {
        match &self.way {
            Way::Nowhere => Err(Fault::new(
                Kind::Unavailable,
                "ROLE_UNKNOWN",
                format!("no address is known for {}", self.audience),
            )
            .into()),
            Way::Memory(channel) => {
                let mut channel = channel.clone();
                let ready = std::future::poll_fn(|cx| channel.poll_ready(cx)).await;
                ready.map_err(|error| from_transport(&error))?;
                let body = Body::new(body.again().ok_or_else(unreachable)?);
                over(channel, Request::from_parts(self.dressed(head)?, body)).await
            }
            Way::Balanced(balancer) => {
                let dressed = || self.dressed(head);
                balancer.call(dressed, body, tried, deadline_of(head)).await
            }
        }
    }

    /// The head of a request as it leaves, with what every hop carries: the remaining time, the trace, the request id, and
    /// who calls.
    fn dressed(&self, head: &Parts) -> Result<Parts, Fault> {
        let mut request = Request::new(());
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.version_mut() = head.version;
        let headers = request.headers_mut();
        headers.clone_from(&head.headers);
        // Room for what is added, so that it grows once.
        headers.reserve(8);
        // Nobody outside the mesh has a say in where a client is.
        headers.remove(network::HEADER);
        let header =
            |text: &str| HeaderValue::from_str(text).map_err(|error| Fault::internal(&error));
        if let Some(call) = head.extensions.get::<Call>() {
            let vouched = call.network.as_ref().zip(self.tokens.as_ref());
            if let Some(value) = vouched.and_then(|(from, tokens)| tokens.networks().tell(from)) {
                headers.insert(network::HEADER, value);
            }
            let remaining = call.remaining();
            if remaining.is_zero() {
                return Err(Fault::deadline_exceeded());
            }
            headers.insert(GRPC_TIMEOUT, header(&timeout_header(remaining))?);
            headers.insert(TRACEPARENT, header(&call.trace.child().header())?);
            headers.insert(REQUEST_ID, header(&call.id)?);
        }
        if head.extensions.get::<AsService>().is_some()
            && let Some(tokens) = &self.tokens
        {
            let token = tokens.token(&self.audience)?;
            let mut value = header(&format!("Bearer {token}"))?;
            value.set_sensitive(true);
            headers.insert(http::header::AUTHORIZATION, value);
        }
        Ok(request.into_parts().0)
    }
}

/// When a call that is sent now must be over.
fn deadline_of(head: &Parts) -> Option<Instant> {
    if let Some(call) = head.extensions.get::<Call>() {
        return Some(call.deadline.into());
    }
    let timeout = head.headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    Instant::now().checked_add(parse_timeout(timeout)?)
}

/// Calls over a pipe.
async fn over(mut channel: Channel, request: Request<Body>) -> Result<Response<Body>, Status> {
    use http_body_util::BodyExt as _;
    match channel.call(request).await {
        Ok(response) => {
            Ok(response.map(|body| Body::new(body.map_err(|status| from_body(&status)))))
        }
        Err(error) => Err(from_transport(&error)),
    }
}

/// What a stream may have in flight before its reader reads on.
const STREAM_WINDOW: u32 = 256 * 1024;
/// How much one frame may have; a message of the usual 64 KiB and its prefix is then in one.
pub(crate) const FRAME: u32 = 128 * 1024;
/// HTTP/2's largest window.
const WHOLE_WINDOW: u32 = (1 << 31) - 1;

/// A duration as a `grpc-timeout`: at most eight digits.
pub fn timeout_header(remaining: Duration) -> String {
    let micros = remaining.as_micros().max(1);
    if micros < 100_000_000 {
        format!("{micros}u")
    } else if micros < 100_000_000_000 {
        format!("{}m", micros / 1_000)
    } else {
        format!("{}S", (micros / 1_000_000).min(99_999_999))
    }
}

/// tonic answers an expired timer with CANCELLED and a lost connection with whatever it was doing: callers want the truth.
fn from_transport(error: &(dyn std::error::Error + 'static)) -> Status {
    let mut source = Some(error);
    while let Some(next) = source {
        if next.is::<tonic::TimeoutExpired>() {
            return Fault::deadline_exceeded().into();
        }
        if let Some(status) = next.downcast_ref::<Status>() {
            return status.clone();
        }
        source = next.source();
    }
    tracing::debug!(error = %crate::fault::chain(error), "a peer cannot be reached");
    unreachable()
}

/// A stream that broke in its middle because the connection did is UNAVAILABLE; a status that the peer sent stays.
fn from_body(status: &Status) -> Status {
    let broken = std::error::Error::source(status).is_some();
    if broken && status.details().is_empty() {
        return lost();
    }
    status.clone()
}

/// Nobody is there.
fn unreachable() -> Status {
    Fault::new(
        Kind::Unavailable,
        "PEER_UNREACHABLE",
        "a service that is needed cannot be reached",
    )
    .retry_after(Duration::from_secs(1))
    .into()
}

/// Somebody was there, in the middle of an answer.
fn lost() -> Status {
    Fault::new(
        Kind::Unavailable,
        "PEER_LOST",
        "the connection to a service was lost",
    )
    .retry_after(Duration::from_secs(1))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_at_most_eight_digits() {
        assert_eq!(timeout_header(Duration::from_micros(0)), "1u");
        assert_eq!(timeout_header(Duration::from_secs(99)), "99000000u");
        assert_eq!(timeout_header(Duration::from_secs(600)), "600000m");
        assert_eq!(timeout_header(Duration::from_secs(200_000)), "200000S");
        assert_eq!(timeout_header(Duration::MAX), "99999999S");
    }
}

//! One connection to one replica: made, used, and lost; whether it is used at all is decided elsewhere.
//!
//! It is hyper's own and not tonic's `Channel`: a channel makes a lost connection again behind one's back and keeps a
//! request that it could not send, so that nobody could take it elsewhere.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::uri::{Parts, PathAndQuery};
use http::{HeaderValue, Request, Response, Uri, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tonic::Status;
use tonic::body::Body;

use super::kept::{Kept, Reading};
use super::load::UnderWay;
use super::near::Near;
use super::replicas::{Security, Target};
use super::{FRAME, STREAM_WINDOW, WHOLE_WINDOW, lost};
use crate::tls;

/// A peer on another machine may be lost without a word: it is asked for a sign of life this often,
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// and has so long to give it.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// Who calls, where nobody else said it.
const OURSELVES: HeaderValue =
    HeaderValue::from_static(concat!("atelier/", env!("CARGO_PKG_VERSION")));

/// What is wrong with a connection that could not be made.
pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// An open connection. Clones are the same; when all are gone it closes, after the calls that are under way on it.
#[derive(Clone)]
pub(super) struct Line {
    id: u64,
    sender: SendRequest<Reading>,
    target: Arc<Target>,
    address: SocketAddr,
    proven: Arc<AtomicBool>,
    near: Arc<Near>,
}

/// Tells that a connection takes no more calls.
pub(super) type Closed = oneshot::Receiver<()>;

/// Why a call has no answer.
pub(super) enum Failed {
    /// Nothing of it was sent.
    Unsent,
    /// It was sent, and the replica says that it has not looked at it.
    Refused(hyper::Error),
    /// It may have been received.
    Lost(hyper::Error),
}

impl Line {
    /// Connects to a target at one of its addresses.
    pub(super) async fn open(
        target: &Arc<Target>,
        address: SocketAddr,
    ) -> Result<(Self, Closed), Broken> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (sender, closed) = connect(target, address).await?;
        let line = Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            sender,
            target: target.clone(),
            address,
            proven: Arc::default(),
            near: Arc::default(),
        };
        Ok((line, closed))
    }

    /// Which one it is.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether it takes no more calls: it is broken, or the replica told it to go away.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether anything was ever answered on it.
    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// Sends a request. Only its head is awaited: what follows is the body's.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Reading>,
    ) -> Result<Response<Incoming>, Failed> {
        address_to(&self.target, &mut request);
        if let Some(mut near) = self.near.sender(&self.target, self.address) {
            match self.try_send(&mut near, request).await {
                Err(Unanswered::Unsent(unsent)) => {
                    self.near.forget();
                    request = *unsent;
                }
                Err(Unanswered::Sent(failed)) => return Err(failed),
                Ok(response) => return Ok(response),
            }
        }
        let mut sender = self.sender.clone();
        match self.try_send(&mut sender, request).await {
            Err(Unanswered::Unsent(_)) => Err(Failed::Unsent),
            Err(Unanswered::Sent(failed)) => Err(failed),
            Ok(response) => Ok(response),
        }
    }

    async fn try_send(
        &self,
        sender: &mut SendRequest<Reading>,
        request: Request<Reading>,
    ) -> Result<Response<Incoming>, Unanswered> {
        match sender.try_send_request(request).await {
            Ok(response) => {
                if !self.is_proven() {
                    self.proven.store(true, Ordering::Relaxed);
                }
                Ok(response)
            }
            Err(mut error) => Err(match error.take_message() {
                Some(request) => Unanswered::Unsent(Box::new(request)),
                None => Unanswered::Sent(match error.into_error() {
                    error if was_refused(&error) => Failed::Refused(error),
                    error => Failed::Lost(error),
                }),
            }),
        }
    }
}

/// Why a connection gave no answer.
enum Unanswered {
    /// Nothing of it was sent, and another connection may take it.
    Unsent(Box<Request<Reading>>),
    /// It was sent.
    Sent(Failed),
}

/// One more connection to a target at one of its addresses; it is driven on the runtime that this is called on.
pub(super) async fn connect(
    target: &Target,
    address: SocketAddr,
) -> Result<(SendRequest<Reading>, Closed), Broken> {
    match &target.security {
        Security::Clear => {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            shake_hands(socket).await
        }
        Security::Mesh(certificates, role) => {
            shake_hands(tls::connect(certificates, role, address).await?).await
        }
        Security::World(config, name) => {
            shake_hands(tls::connect_as(config.clone(), name.clone(), address).await?).await
        }
    }
}

/// Writes where a request goes, and who calls.
fn address_to<B>(target: &Target, request: &mut Request<B>) {
    let path = request.uri().path_and_query().cloned();
    let mut parts = Parts::default();
    parts.scheme = Some(target.scheme.clone());
    parts.authority = Some(target.authority.clone());
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    // All three parts are there, which is all that could be wrong.
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request.headers_mut().entry(USER_AGENT).or_insert(OURSELVES);
}

/// Asks a connection for any answer at all: one that is hung up on before it gave any would lose the call that finds it out.
pub(super) async fn prove(
    target: &Target,
    sender: &mut SendRequest<Reading>,
) -> Result<(), Broken> {
    // A question for everybody's health; whoever knows no such service says that.
    const NO_FIELDS: Bytes = Bytes::from_static(&[0; 5]);
    let body = Kept::new(Body::new(Full::new(NO_FIELDS)));
    let body = body.again().ok_or("a body that was kept is gone")?;
    let mut question = Request::post("/grpc.health.v1.Health/Check")
        .version(Version::HTTP_2)
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .body(body)?;
    address_to(target, &mut question);
    sender.send_request(question).await?;
    Ok(())
}

async fn shake_hands<S>(socket: S) -> Result<(SendRequest<Reading>, Closed), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WHOLE_WINDOW)
        .max_frame_size(FRAME)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(SIGN_OF_LIFE)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(socket))
        .await?;
    let (over, closed) = oneshot::channel();
    // On its own, so that calls that are under way outlive whoever made the connection.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %crate::fault::chain(&error), "a connection broke");
        }
        let _ = over.send(());
    });
    Ok((sender, closed))
}

/// Whether the peer has told that it has done nothing with a call (RFC 9113, 8.7): its stream was refused, or it began
/// after the last one that a peer on its way out looks at.
fn was_refused(error: &hyper::Error) -> bool {
    let Some(error) = std::error::Error::source(error).and_then(|e| e.downcast_ref::<h2::Error>())
    else {
        return false;
    };
    let reason = match error.is_go_away() {
        true => h2::Reason::NO_ERROR,
        false => h2::Reason::REFUSED_STREAM,
    };
    error.is_remote() && error.reason() == Some(reason)
}

/// A line as generated clients take it.
impl tower::Service<Request<Body>> for Line {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut line = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = Kept::new(body).again().ok_or_else(super::unreachable)?;
            match line.send(Request::from_parts(head, body)).await {
                Ok(response) => Ok(response.map(Body::new)),
                Err(Failed::Lost(error) | Failed::Refused(error)) => {
                    Err(super::from_transport(&error))
                }
                Err(Failed::Unsent) => Err(super::unreachable()),
            }
        })
    }
}

/// An answer's body, which counts as a call under way until it ends.
pub(super) struct Counted {
    inner: Incoming,
    under_way: Option<UnderWay>,
}

impl Counted {
    pub(super) fn new(inner: Incoming, under_way: UnderWay) -> Self {
        Self {
            inner,
            under_way: Some(under_way),
        }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => Some(Ok(frame)),
            Some(Err(error)) => {
                self.under_way = None;
                tracing::debug!(error = %crate::fault::chain(&error), "an answer broke off");
                Some(Err(lost()))
            }
            None => {
                self.under_way = None;
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

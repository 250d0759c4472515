//! Listeners with safe settings, and their bounded end; what is served is a parameter.
//!
//! Each setting answers something that was measured on a server without it: `docs/listener.md` has the table.

mod abandoned;
mod guarded;
mod places;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::Connected;

use self::abandoned::Abandoned;
use self::guarded::Guarded;
use self::places::{Full, Place, Places};
use crate::cores::Cores;
use crate::link::{FRAME, PipeListener};
use crate::next::Answer;
use crate::tls::{self, Secured, ServerTls};

/// How long to wait when the system has nothing left to accept with, as in too many open files.
const BREATH: Duration = Duration::from_millis(100);
/// How many connections may wait to be accepted; what Linux allows a socket unless it is told otherwise.
const BACKLOG: u32 = 4096;
/// What a call's name, its token and its metadata have room in.
const HEADERS: u32 = 16 * 1024;
/// What a connection keeps at most of what it reads and of what it writes, for HTTP/1.1 in all and for HTTP/2 each stream.
const BUFFER: usize = 64 * 1024;

/// Where a server listens.
pub enum Listener {
    /// In this process.
    Memory(PipeListener),
    /// On a socket.
    Tcp(TcpListener),
    /// On a socket, with TLS.
    Tls(TcpListener, ServerTls),
}

/// Who is expected on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Strangers: browsers and shells, over HTTP/1.1 too.
    Edge,
    /// Services of the mesh.
    Inside,
}

/// What a listener bears of its connections.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How many connections there may be; one more is closed at once.
    pub connections: usize,
    /// How many of them one client's network may have.
    pub connections_of_one: usize,
    /// Whose connections are those of many clients, so that only `connections` counts.
    pub proxies: Vec<IpNet>,
    /// How long a TLS handshake may take, and then the first bytes of HTTP.
    pub opening: Duration,
    /// How long the head of an HTTP/1.1 request may take, the wait for it included.
    pub head: Duration,
    /// How long an HTTP/2 connection may be silent before it is asked whether it is still there, and how long it has
    /// to answer.
    pub silence: (Duration, Duration),
    /// How long nothing at all of what is written may be taken.
    pub stalled: Duration,
    /// How many calls a connection may abandon before they are answered, until it is told to go away; then it has as
    /// long as for an answer.
    pub abandoned: usize,
    /// After which time a connection is told to go away, so that callers spread anew.
    pub age: Duration,
    /// How long what runs on it then may take; for a listener that strangers reach.
    pub last: Duration,
}

impl Bounds {
    /// The usual ones. The other roles of a mesh come from few addresses, and what all their callers abandon comes over one connection.
    pub fn of(side: Side) -> Self {
        let usual = Self::default();
        match side {
            Side::Edge => usual,
            Side::Inside => Self {
                connections_of_one: usual.connections,
                abandoned: usize::MAX,
                ..usual
            },
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 16_384,
            connections_of_one: 1024,
            proxies: Vec::new(),
            opening: Duration::from_secs(10),
            head: Duration::from_secs(30),
            silence: (Duration::from_secs(30), Duration::from_secs(10)),
            stalled: Duration::from_secs(60),
            abandoned: 1024,
            age: Duration::from_secs(600),
            // The longest deadline of any method that is not for services alone.
            last: Duration::from_secs(1800),
        }
    }
}

/// Binds a socket for [`Listener::Tcp`], with room for those who come all at once: the usual 128 are too few for the callers
/// of a replica that was just started, and whoever finds no room is reset.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As `TcpListener::bind` does: a port is free as soon as its process has ended.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `closing`: then no connection is accepted, those there are told to go away, and running calls go
/// on until they end. Bound it from outside: a stream can last.
pub async fn serve(
    answers: impl Answer,
    listener: Listener,
    side: Side,
    closing: CancellationToken,
) {
    let bounds = Bounds::of(side);
    serve_within(answers, listener, side, bounds, &Cores::none(), closing).await;
}

/// The same, with other bounds than the usual ones, and with the connections of a socket spread over `cores`: each stays
/// where it is, with all that its calls take.
pub async fn serve_within(
    answers: impl Answer,
    listener: Listener,
    side: Side,
    bounds: Bounds,
    cores: &Cores,
    closing: CancellationToken,
) {
    let connections = TaskTracker::new();
    let house = Arc::new(House {
        http: http(side, &bounds),
        answers,
        side,
        bounds,
        closing,
    });
    match listener {
        Listener::Memory(PipeListener(mut receiver)) => loop {
            let pipe = tokio::select! {
                biased;
                () = house.closing.cancelled() => break,
                pipe = receiver.recv() => pipe,
            };
            let Some(pipe) = pipe else { break };
            connections.spawn(house.clone().attend(pipe));
        },
        Listener::Tcp(listener) => {
            house
                .accept(&listener, |socket, place, _| {
                    let house = house.clone();
                    spread(cores, &connections, socket, |socket| {
                        house.attend_guarded(socket, place)
                    });
                })
                .await;
        }
        Listener::Tls(listener, tls) => {
            house
                .accept(&listener, |socket, place, address| {
                    let (house, tls) = (house.clone(), tls.clone());
                    spread(cores, &connections, socket, async move |socket| {
                        if let Some(secured) = house.shake(socket, address, &tls).await {
                            house.attend_guarded(secured, place).await;
                        }
                    });
                })
                .await;
        }
    }
    // The listener is dropped by now: a newcomer is refused by the system and does not wait for the last stream.
    connections.close();
    connections.wait().await;
}

/// Serves a connection on the core that has the fewest, or here when there are no cores.
fn spread<Served: Future<Output = ()> + Send + 'static>(
    cores: &Cores,
    connections: &TaskTracker,
    socket: TcpStream,
    serve: impl FnOnce(TcpStream) -> Served + Send + 'static,
) {
    let Some(seat) = cores.take() else {
        connections.spawn(serve(socket));
        return;
    };
    // A socket is woken by the runtime that it was made on, so it is made anew on the other one.
    let runtime = seat.runtime().clone();
    let moved = async move {
        match socket.into_std().and_then(TcpStream::from_std) {
            Ok(socket) => serve(socket).await,
            Err(error) => tracing::debug!(%error, "a connection could not be taken to its core"),
        }
        drop(seat);
    };
    connections.spawn_on(moved, &runtime);
}

/// What the connections of a listener share.
struct House<A> {
    http: Builder<TokioExecutor>,
    answers: A,
    side: Side,
    bounds: Bounds,
    closing: CancellationToken,
}

/// What is spoken, within which bounds.
fn http(side: Side, bounds: &Bounds) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    if side == Side::Inside {
        http = http.http2_only();
    }
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(BUFFER);
    let (silence, answer) = bounds.silence;
    http.http2()
        .timer(TokioTimer::new())
        // Without a bound, one connection can send malformed streams forever and is never told to go away.
        .max_local_error_reset_streams(Some(1024))
        .max_pending_accept_reset_streams(Some(1024))
        .max_concurrent_streams(match side {
            Side::Edge => 200,
            Side::Inside => 1000,
        })
        .max_header_list_size(HEADERS)
        .max_frame_size(match side {
            Side::Edge => None,
            Side::Inside => Some(FRAME),
        })
        .max_send_buf_size(BUFFER)
        .keep_alive_interval(Some(silence))
        .keep_alive_timeout(answer);
    http
}

impl<A: Answer> House<A> {
    /// Accepts until the end; what comes beyond the bounds is closed at once.
    async fn accept(
        &self,
        listener: &TcpListener,
        mut with: impl FnMut(TcpStream, Place, SocketAddr),
    ) {
        let places = Places::new(self.bounds.clone());
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.closing.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (socket, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    sleep(BREATH).await;
                    continue;
                }
            };
            match places.take(address.ip()) {
                Ok(place) => {
                    let _ = socket.set_nodelay(true);
                    with(socket, place, address);
                }
                Err(full) => turn_away(full, address.ip()),
            }
        }
    }

    /// Shakes hands in a bounded time; whoever is slow waits alone, and not beyond the end.
    async fn shake(&self, socket: TcpStream, from: SocketAddr, tls: &ServerTls) -> Option<Secured> {
        let shaken = timeout(self.bounds.opening, tls::accept(socket, from, tls));
        let shaken = tokio::select! {
            shaken = shaken => shaken,
            () = self.closing.cancelled() => return None,
        };
        match shaken {
            Ok(Ok(secured)) => return Some(secured),
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
        None
    }

    /// A connection from elsewhere, which has a place until its end.
    async fn attend_guarded<IO>(self: Arc<Self>, io: IO, place: Place)
    where
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let from = io.connect_info();
        let guarded = Guarded::new(io, &self.bounds);
        // Behind a proxy it is many who abandon.
        let most = if place.is_of_one() {
            self.bounds.abandoned
        } else {
            usize::MAX
        };
        self.converse(guarded, from, most).await;
        drop(place);
    }

    /// A connection of this process to itself.
    async fn attend<IO>(self: Arc<Self>, io: IO)
    where
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let from = io.connect_info();
        self.converse(io, from, self.bounds.abandoned).await;
    }

    /// Serves a connection until its end, or until it has abandoned more calls than it may; every request carries where it is from.
    async fn converse<IO, From>(&self, io: IO, from: From, most_abandoned: usize)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        From: Clone + Send + Sync + 'static,
    {
        let (answers, abandoned) = (self.answers.clone(), Abandoned::default());
        let counted = abandoned.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(from.clone());
            let request = request.map(|body| Body::new(counted.body(body)));
            let answer = counted.watch(answers.clone().answer(request));
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(io), service));
        let last = tokio::select! {
            ended = connection.as_mut() => return tell(ended),
            () = self.closing.cancelled() => None,
            () = sleep(self.bounds.age) => (self.side == Side::Edge).then_some(self.bounds.last),
            () = abandoned.too_often(most_abandoned) => {
                tracing::debug!("a connection abandons what it asks for");
                // It need not say that it has heard of its end.
                Some(self.bounds.silence.1)
            }
        };
        // It takes no more calls, says so, and ends with the last that runs.
        connection.as_mut().graceful_shutdown();
        let Some(last) = last else {
            return tell(connection.await);
        };
        // A caller who takes nothing of what is sent would keep it for ever.
        match timeout(last, connection).await {
            Ok(ended) => tell(ended),
            Err(_) => tracing::debug!("a connection did not end and was cut"),
        }
    }
}

fn tell<E: std::fmt::Display>(ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection failed");
    }
}

fn turn_away(full: Full, address: IpAddr) {
    let reason = full.as_str();
    metrics::counter!("atelier_connections_refused_total", "reason" => reason).increment(1);
    tracing::debug!(%address, reason, "a connection was refused");
}

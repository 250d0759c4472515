//! What lies below a call in memory: the same way there and back with fewer and fewer things on it, to tell where the time goes.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bench_report::Spread;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_prost::ProstCodec;

use crate::call::SIZES;
use crate::echo::{Echo, FOR_ANYONE};
use crate::pace::{Trip, one_by_one};

/// How much an in-memory connection holds, as the kit has it.
const PIPE_BYTES: usize = 256 * 1024;

/// One step of the way, and what each round found.
pub struct Floor {
    /// What is on the way.
    pub name: &'static str,
    /// Of each round, what the trips took, in seconds.
    pub found: Vec<Spread>,
    way: Way,
}

enum Way {
    Tasks(Tasks),
    Pipe(Wire<DuplexStream>),
    Socket(Wire<TcpStream>),
    Http(Http),
    Tonic(Tonic),
}

impl Floor {
    /// All, from the one with the least on it. Each answers with the message it was sent, as the bare call does.
    pub async fn all() -> anyhow::Result<Vec<Self>> {
        let floor = |name, way| Self {
            name,
            found: Vec::new(),
            way,
        };
        Ok(vec![
            floor("two tasks and two channels", Way::Tasks(Tasks::start())),
            floor("two tasks and an in-memory pipe", Way::Pipe(pipe())),
            floor(
                "two tasks and a loopback socket",
                Way::Socket(socket().await?),
            ),
            floor(
                "HTTP/2 in memory: hyper alone",
                Way::Http(Http::start().await?),
            ),
            floor(
                "gRPC in memory: tonic as it comes",
                Way::Tonic(Tonic::start()),
            ),
        ])
    }

    /// Measures one round.
    pub async fn measure(&mut self, slice: Duration) -> anyhow::Result<()> {
        let way = std::mem::replace(&mut self.way, Way::Tasks(Tasks::start()));
        let (way, taken) = tokio::spawn(way.measure(slice)).await?;
        self.way = way;
        self.found.push(taken?);
        Ok(())
    }

    /// Forgets what was measured: it was for warming up.
    pub fn forget(&mut self) {
        self.found.clear();
    }
}

impl Way {
    async fn measure(mut self, slice: Duration) -> (Self, anyhow::Result<Spread>) {
        let taken = match &mut self {
            Self::Tasks(way) => one_by_one(way, slice).await,
            Self::Pipe(way) => one_by_one(way, slice).await,
            Self::Socket(way) => one_by_one(way, slice).await,
            Self::Http(way) => one_by_one(way, slice).await,
            Self::Tonic(way) => one_by_one(way, slice).await,
        };
        (self, taken)
    }
}

fn message() -> Bytes {
    Bytes::from(vec![7; SIZES[0]])
}

/// Two tasks that wake one another, and no more.
struct Tasks {
    there: mpsc::Sender<Bytes>,
    back: mpsc::Receiver<Bytes>,
}

impl Tasks {
    fn start() -> Self {
        let (there, mut arrived) = mpsc::channel(1);
        let (answer, back) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Some(message) = arrived.recv().await {
                if answer.send(message).await.is_err() {
                    break;
                }
            }
        });
        Self { there, back }
    }
}

impl Trip for Tasks {
    async fn make(&mut self) -> anyhow::Result<()> {
        self.there.send(message()).await?;
        self.back.recv().await.context("the other task has ended")?;
        Ok(())
    }
}

/// Two tasks with a wire between them.
struct Wire<W> {
    near: W,
    buffer: Vec<u8>,
}

impl<W: AsyncRead + AsyncWrite + Send + Unpin + 'static> Wire<W> {
    fn between(near: W, mut far: W) -> Self {
        let size = SIZES[0];
        tokio::spawn(async move {
            let mut buffer = vec![0; size];
            while far.read_exact(&mut buffer).await.is_ok() && far.write_all(&buffer).await.is_ok()
            {
            }
        });
        Self {
            near,
            buffer: vec![7; size],
        }
    }
}

impl<W: AsyncRead + AsyncWrite + Send + Unpin> Trip for Wire<W> {
    async fn make(&mut self) -> anyhow::Result<()> {
        self.near.write_all(&self.buffer).await?;
        self.near.read_exact(&mut self.buffer).await?;
        Ok(())
    }
}

fn pipe() -> Wire<DuplexStream> {
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    Wire::between(near, far)
}

async fn socket() -> anyhow::Result<Wire<TcpStream>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let (far, _) = listener.accept().await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok(Wire::between(near, far))
}

/// HTTP/2 over an in-memory pipe, with nothing of gRPC.
struct Http {
    sender: SendRequest<Full<Bytes>>,
}

impl Http {
    async fn start() -> anyhow::Result<Self> {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let answer = hyper::service::service_fn(|request: http::Request<Incoming>| async {
            let body = request.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>(http::Response::new(Full::new(body)))
        });
        tokio::spawn(
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(far), answer),
        );
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(near)).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }
}

impl Trip for Http {
    async fn make(&mut self) -> anyhow::Result<()> {
        let request = http::Request::post("http://in-memory/").body(Full::new(message()))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(body.len() == SIZES[0], "the answer is not the message");
        Ok(())
    }
}

/// tonic's own channel and server over an in-memory pipe, with nothing of the kit.
struct Tonic {
    grpc: Grpc<Channel>,
}

impl Tonic {
    fn start() -> Self {
        let (sender, receiver) = mpsc::channel::<DuplexStream>(1);
        let incoming = ReceiverStream::new(receiver).map(Ok::<_, std::io::Error>);
        tokio::spawn(
            Server::builder()
                .add_service(Echo)
                .serve_with_incoming(incoming),
        );
        let channel = Endpoint::from_static("http://in-memory").connect_with_connector_lazy(
            tower::service_fn(move |_: http::Uri| {
                let sender = sender.clone();
                async move {
                    let (near, far) = tokio::io::duplex(PIPE_BYTES);
                    sender.send(far).await.map_err(std::io::Error::other)?;
                    Ok::<_, std::io::Error>(TokioIo::new(near))
                }
            }),
        );
        Self {
            grpc: Grpc::new(channel),
        }
    }
}

impl Trip for Tonic {
    async fn make(&mut self) -> anyhow::Result<()> {
        self.grpc.ready().await?;
        let answer = self
            .grpc
            .unary(
                tonic::Request::new(message()),
                http::uri::PathAndQuery::from_static(FOR_ANYONE),
                ProstCodec::<Bytes, Bytes>::default(),
            )
            .await?;
        ensure!(
            answer.get_ref().len() == SIZES[0],
            "the answer is not the message"
        );
        Ok(())
    }
}

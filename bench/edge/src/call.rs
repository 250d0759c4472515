//! A call: what is asked, over which connection, and that its answer is the right one.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::ensure;
use bytes::Bytes;
use clap::ValueEnum;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::frames::{Frames, framed};
use crate::service::{MESSAGES, ONE_BY_ONE, STREAM, UNARY};
use crate::web::Web;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// One message of 100 bytes, and one back
    #[value(name = "unary-100")]
    Small,
    /// One message of 64 KiB, and one back
    #[value(name = "unary-64k")]
    Large,
    /// A hundred messages of 100 bytes back, as fast as they are taken
    Stream,
    /// The same, each in a frame of its own
    OneByOne,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 4] = [Self::Small, Self::Large, Self::Stream, Self::OneByOne];

    /// How the page calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "Unary, 100 bytes",
            Self::Large => "Unary, 64 KiB",
            Self::Stream => "A stream of 100 messages",
            Self::OneByOne => "A stream of 100 messages, one by one",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Small | Self::Large => UNARY,
            Self::Stream => STREAM,
            Self::OneByOne => ONE_BY_ONE,
        }
    }

    /// The message that is sent, and comes back.
    fn message(self) -> Bytes {
        let size = match self {
            Self::Large => 64 * 1024,
            Self::Small | Self::Stream | Self::OneByOne => 100,
        };
        // No byte is like all others, should anything on the way be tempted to compress.
        (0..size).map(|n: u32| (n * 31 % 251) as u8).collect()
    }

    /// How often it comes back.
    fn messages(self) -> usize {
        match self {
            Self::Small | Self::Large => 1,
            Self::Stream | Self::OneByOne => MESSAGES,
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// HTTP's status.
    pub http: u16,
    /// gRPC's.
    pub status: Option<u32>,
    /// What there was in it.
    pub frames: Frames,
}

impl Answer {
    /// Whether it says that nobody knows who calls: as gRPC does, or as HTTP does.
    pub fn is_for_nobody(&self) -> bool {
        self.http == 401 || self.status == Some(16)
    }

    /// Whether it says that there were too many calls.
    pub fn is_limited(&self) -> bool {
        self.http == 429 || self.status == Some(8)
    }
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC over HTTP/2 without TLS.
    Grpc,
    /// grpc-web over HTTP/1.1.
    Web,
}

/// Who is called, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// What is spoken.
    pub protocol: Protocol,
    /// What is asked.
    pub kind: Kind,
}

/// A connection, with the one call that is made over it.
pub struct Caller {
    kind: Kind,
    bytes: usize,
    line: Line,
}

enum Line {
    Web(Web, Vec<u8>),
    Grpc(http2::SendRequest<Full<Bytes>>, Request<Full<Bytes>>),
}

impl Caller {
    /// Connects somebody who has this token, as it stands in `authorization`, from a network of his own.
    pub async fn connect(to: &Target, number: u8, token: Option<&str>) -> anyhow::Result<Self> {
        let Target {
            address,
            protocol,
            kind,
        } = *to;
        let message = kind.message();
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::new(127, 0, 1, number), 0).into())?;
        let socket = socket.connect(address).await?;
        socket.set_nodelay(true)?;
        let line = match protocol {
            Protocol::Web => Line::Web(Web::new(socket), web(address, kind, &message, token)),
            Protocol::Grpc => grpc(socket, address, kind, &message).await?,
        };
        Ok(Self {
            kind,
            bytes: message.encoded_len() * kind.messages(),
            line,
        })
    }

    /// A call, and that its answer has what it must have.
    pub async fn call(&mut self) -> anyhow::Result<()> {
        let answer = self.ask(Frames::default()).await?;
        self.check(&answer)
    }

    fn check(&self, answer: &Answer) -> anyhow::Result<()> {
        let found = (
            answer.http,
            answer.status,
            answer.frames.messages,
            answer.frames.bytes,
        );
        let asked = (200, Some(0), self.kind.messages(), self.bytes);
        ensure!(
            found == asked,
            "status of HTTP and of gRPC, messages and bytes are {found:?} instead of {asked:?}"
        );
        Ok(())
    }

    /// A call, and that its answer is the message itself, byte for byte.
    pub async fn prove(&mut self) -> anyhow::Result<()> {
        let answer = self.ask(Frames::keeping()).await?;
        self.check(&answer)?;
        let message = self.kind.message().encode_to_vec();
        let kept = answer.frames.kept.unwrap_or_default();
        let is_same = kept.chunks(message.len()).all(|part| part == message);
        ensure!(is_same, "the answer is not the message");
        Ok(())
    }

    /// A call, whatever comes back.
    pub async fn ask(&mut self, frames: Frames) -> anyhow::Result<Answer> {
        match &mut self.line {
            Line::Web(web, request) => web.call(request, frames).await,
            Line::Grpc(sender, request) => {
                sender.ready().await?;
                let response = sender.send_request(request.clone()).await?;
                read(response, frames).await
            }
        }
    }
}

/// A request of grpc-web, as it is sent: what a client that is no browser says, and no more.
fn web(to: SocketAddr, kind: Kind, message: &Bytes, token: Option<&str>) -> Vec<u8> {
    let body = framed(message);
    let token = token.map_or(String::new(), |token| format!("authorization: {token}\r\n"));
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\n{token}\
         content-length: {}\r\n\r\n",
        kind.path(),
        body.len()
    );
    [head.into_bytes(), body].concat()
}

async fn grpc(
    socket: TcpStream,
    to: SocketAddr,
    kind: Kind,
    message: &Bytes,
) -> anyhow::Result<Line> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(1 << 24)
        .handshake(TokioIo::new(socket))
        .await?;
    tokio::spawn(connection);
    let request = Request::post(format!("http://{to}{}", kind.path()))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/grpc"))
        .header(TE, HeaderValue::from_static("trailers"))
        .body(Full::new(framed(message).into()))?;
    Ok(Line::Grpc(sender, request))
}

async fn read(
    response: http::Response<hyper::body::Incoming>,
    mut frames: Frames,
) -> anyhow::Result<Answer> {
    let status = |headers: &http::HeaderMap| -> Option<u32> {
        headers.get("grpc-status")?.to_str().ok()?.parse().ok()
    };
    let http = response.status().as_u16();
    let mut told = status(response.headers());
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        if let Some(data) = frame.data_ref() {
            frames.take(data)?;
        } else if let Some(trailers) = frame.trailers_ref() {
            told = told.or(status(trailers));
        }
    }
    ensure!(frames.are_whole(), "an answer ended within a frame");
    Ok(Answer {
        http,
        status: told,
        frames,
    })
}

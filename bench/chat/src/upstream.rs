//! The fake upstream: an OpenAI-shaped API that does as little as one can, so that it bounds nobody. The name of the model
//! says what is answered, see [`Kind`]; it is a process of its own.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::time::{Instant, Sleep};

/// What every piece of a reply is. It is what the load program counts, so it stands nowhere else.
pub const WORD: &str = "amber";

/// How many pieces of a burst leave together: then the upstream lets its connection write.
const TOGETHER: usize = 10;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One piece: what a whole answer costs.
    Call,
    /// A hundred pieces as fast as they are taken, ten at a time.
    Burst,
    /// Twenty pieces at twenty in a second.
    Paced,
    /// A minute's worth of pieces at twenty in a second.
    Minute,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 4] = [Self::Call, Self::Burst, Self::Paced, Self::Minute];

    /// The name of the model that answers so.
    pub fn model(self) -> &'static str {
        match self {
            Self::Call => "bench-call",
            Self::Burst => "bench-burst",
            Self::Paced => "bench-paced",
            Self::Minute => "bench-minute",
        }
    }

    /// How many pieces the reply has.
    pub fn pieces(self) -> usize {
        match self {
            Self::Call => 1,
            Self::Burst => 100,
            Self::Paced => 20,
            Self::Minute => 1200,
        }
    }

    /// How long lies between two of them.
    fn gap(self) -> Option<Duration> {
        matches!(self, Self::Paced | Self::Minute).then_some(Duration::from_millis(50))
    }
}

/// What of a request is read.
#[derive(Deserialize)]
struct Asked {
    model: String,
    #[serde(default)]
    stream: bool,
}

/// The parts of the answers of one model, made once.
struct Parts {
    kind: Kind,
    whole: Bytes,
    first: Bytes,
    piece: Bytes,
    last: Bytes,
}

impl Parts {
    fn new(kind: Kind) -> Self {
        let model = kind.model();
        let (pieces, begin) = (
            kind.pieces(),
            format!(
                r#"{{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"{model}","choices":"#
            ),
        );
        let event = |choices: &str| format!("data: {begin}{choices}}}\n\n");
        let usage = format!(
            r#""usage":{{"prompt_tokens":8,"completion_tokens":{pieces},"total_tokens":{}}}"#,
            pieces + 8
        );
        let text = format!("{WORD} ").repeat(pieces);
        Self {
            kind,
            whole: format!(
                r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"{model}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],{usage}}}"#
            )
            .into(),
            first: event(r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]"#).into(),
            piece: event(&format!(
                r#"[{{"index":0,"delta":{{"content":"{WORD} "}},"finish_reason":null}}]"#
            ))
            .into(),
            last: format!(
                "{}data: {begin}[],{usage}}}\n\ndata: [DONE]\n\n",
                event(r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#)
            )
            .into(),
        }
    }
}

/// A streamed reply.
struct Reply {
    parts: Arc<Parts>,
    /// How many frames have been given.
    given: usize,
    /// Whether the connection has written what it was given so far.
    rested: bool,
    begun: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Reply {
    fn new(parts: Arc<Parts>) -> Self {
        let begun = Instant::now();
        let sleep = parts
            .kind
            .gap()
            .map(|_| Box::pin(tokio::time::sleep_until(begun)));
        Self {
            parts,
            given: 0,
            rested: false,
            begun,
            sleep,
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let (parts, at) = (self.parts.clone(), self.given);
        let pieces = parts.kind.pieces();
        if at > pieces + 1 {
            return Poll::Ready(None);
        }
        if (1..=pieces).contains(&at) {
            let (begun, step) = (self.begun, u32::try_from(at).unwrap_or(u32::MAX));
            if let (Some(sleep), Some(gap)) = (&mut self.sleep, parts.kind.gap()) {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                // From the beginning, so that what comes late once does not make all the rest late.
                sleep.as_mut().reset(begun + gap * step);
            } else if at.is_multiple_of(TOGETHER) && !self.rested {
                self.rested = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.rested = false;
        self.given += 1;
        let data = match at {
            0 => &parts.first,
            at if at <= pieces => &parts.piece,
            _ => &parts.last,
        };
        Poll::Ready(Some(Ok(Frame::data(data.clone()))))
    }
}

type Answer = Response<Either<Full<Bytes>, Reply>>;

async fn answer(
    parts: Arc<Vec<Arc<Parts>>>,
    request: Request<Incoming>,
) -> Result<Answer, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let asked: Option<Asked> = serde_json::from_slice(&body).ok();
    let found = asked.and_then(|asked| {
        let parts = parts
            .iter()
            .find(|parts| parts.kind.model() == asked.model)?;
        Some((parts.clone(), asked.stream))
    });
    let (content_type, status, body) = match found {
        Some((parts, true)) => ("text/event-stream", 200, Either::Right(Reply::new(parts))),
        Some((parts, false)) => (
            "application/json",
            200,
            Either::Left(Full::new(parts.whole.clone())),
        ),
        None => (
            "application/json",
            400,
            Either::Left(Full::new(Bytes::from_static(
                br#"{"error":{"message":"no such model"}}"#,
            ))),
        ),
    };
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

/// Answers on a port of this machine until the process is ended.
pub async fn serve(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let parts: Arc<Vec<Arc<Parts>>> = Arc::new(
        Kind::ALL
            .into_iter()
            .map(|kind| Arc::new(Parts::new(kind)))
            .collect(),
    );
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let parts = parts.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| answer(parts.clone(), request));
            // Whoever goes away in the middle is no concern of the upstream's.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

//! One connection of the load program, and one call over it. All ways are read by the same eyes: what counts the pieces of
//! a reply looks for its word in the bytes, whatever is around it, so that no way is measured with a dearer client.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use memchr::memmem::Finder;
use prost::Message;
use tokio::net::TcpStream;

use crate::upstream::WORD;

/// How long a call may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// JSON and server-sent events over HTTP/1.1.
    Json,
    /// gRPC over HTTP/2.
    Grpc,
    /// grpc-web over HTTP/1.1.
    Web,
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

/// A connection.
pub struct Line {
    protocol: Protocol,
    sender: Sender,
    authority: String,
    authorization: Option<HeaderValue>,
}

/// How a reply came.
#[derive(Clone, Debug)]
pub struct Reply {
    /// From the request to the first piece, in seconds; not a number without one.
    pub first: f64,
    /// From the request to the end, in seconds.
    pub whole: f64,
    /// How many pieces there were.
    pub pieces: usize,
    /// How long each piece came after the one before, in seconds; empty unless it was asked for.
    pub gaps: Vec<f32>,
}

impl Line {
    /// Connects.
    pub async fn connect(
        to: SocketAddr,
        protocol: Protocol,
        token: Option<&str>,
    ) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(to).await?;
        socket.set_nodelay(true)?;
        let io = TokioIo::new(socket);
        let sender = if protocol == Protocol::Grpc {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(1 << 20)
                .initial_connection_window_size(1 << 24)
                .handshake(io)
                .await?;
            tokio::spawn(connection);
            Sender::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            Sender::One(sender)
        };
        let authorization = token
            .map(|token| HeaderValue::from_str(&format!("Bearer {token}")))
            .transpose()?;
        Ok(Self {
            protocol,
            sender,
            authority: to.to_string(),
            authorization,
        })
    }

    async fn send(&mut self, path: &str, body: Bytes) -> anyhow::Result<http::Response<Incoming>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        let content_type = match self.protocol {
            Protocol::Json => "application/json",
            Protocol::Grpc => "application/grpc",
            Protocol::Web => "application/grpc-web+proto",
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let response = match &mut self.sender {
            Sender::One(sender) => {
                headers.insert(header::HOST, HeaderValue::from_str(&self.authority)?);
                *request.uri_mut() = path.parse()?;
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Two(sender) => {
                headers.insert(header::TE, HeaderValue::from_static("trailers"));
                *request.uri_mut() = Uri::builder()
                    .scheme("http")
                    .authority(self.authority.as_str())
                    .path_and_query(path)
                    .build()?;
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        ensure!(response.status() == 200, "answered {}", response.status());
        no_refusal(response.headers())?;
        Ok(response)
    }

    /// One unary call of gRPC.
    pub async fn unary<R: Message + Default>(
        &mut self,
        path: &str,
        request: &impl Message,
    ) -> anyhow::Result<R> {
        let response = self.send(path, framed(request)).await?;
        let collected = response.into_body().collect().await?;
        if let Some(trailers) = collected.trailers() {
            no_refusal(trailers)?;
        }
        let body = collected.to_bytes();
        let message = body.get(5..).context("an answer without a message")?;
        let length = u32::from_be_bytes(body[1..5].try_into()?) as usize;
        let message = message.get(..length).context("an answer cut short")?;
        Ok(R::decode(message)?)
    }

    /// A reply, read to its end.
    pub async fn reply(
        &mut self,
        path: &str,
        body: Bytes,
        streamed: bool,
        gaps: bool,
    ) -> anyhow::Result<Reply> {
        tokio::time::timeout(PATIENCE, self.read(path, body, streamed, gaps))
            .await
            .context("a reply did not end")?
    }

    async fn read(
        &mut self,
        path: &str,
        body: Bytes,
        streamed: bool,
        gaps: bool,
    ) -> anyhow::Result<Reply> {
        let begun = Instant::now();
        let mut answer = self.send(path, body).await?.into_body();
        let mut eyes = Eyes::new(self.protocol, begun, gaps);
        while let Some(frame) = answer.frame().await {
            let frame = frame?;
            match (frame.data_ref(), frame.trailers_ref()) {
                (Some(data), _) => eyes.see(data),
                (_, Some(trailers)) => eyes.trailers(trailers)?,
                _ => {}
            }
        }
        let whole = begun.elapsed().as_secs_f64();
        if streamed || self.protocol != Protocol::Json {
            ensure!(eyes.ended, "a reply ended without its end");
        }
        Ok(Reply {
            first: eyes.first.unwrap_or(f64::NAN),
            whole,
            pieces: eyes.pieces,
            gaps: eyes.gaps.unwrap_or_default(),
        })
    }
}

/// A message in its frame.
pub fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = Vec::with_capacity(5 + length);
    frame.push(0);
    frame.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&message.encode_to_vec());
    frame.into()
}

fn no_refusal(headers: &HeaderMap) -> anyhow::Result<()> {
    match headers.get("grpc-status") {
        Some(status) if status != "0" => {
            bail!(
                "refused: {status:?}, {:?}",
                headers
                    .get("grpc-message")
                    .cloned()
                    .unwrap_or(HeaderValue::from_static(""))
            )
        }
        _ => Ok(()),
    }
}

/// Counts the words of a reply in its bytes, and notices its good end.
struct Eyes {
    word: Finder<'static>,
    end: Finder<'static>,
    begun: Instant,
    first: Option<f64>,
    latest: Option<Instant>,
    pieces: usize,
    gaps: Option<Vec<f32>>,
    ended: bool,
    /// The last bytes that were seen: a word may be cut in two.
    tail: Vec<u8>,
}

impl Eyes {
    fn new(protocol: Protocol, begun: Instant, gaps: bool) -> Self {
        // Over HTTP/2 the end is in the trailers.
        let end = match protocol {
            Protocol::Json => "data: [DONE]",
            Protocol::Grpc | Protocol::Web => "grpc-status:0",
        };
        Self {
            word: Finder::new(WORD),
            end: Finder::new(end),
            begun,
            first: None,
            latest: None,
            pieces: 0,
            gaps: gaps.then(Vec::new),
            ended: false,
            tail: Vec::with_capacity(64),
        }
    }

    fn see(&mut self, data: &[u8]) {
        // The seam first: the end of what was seen and the beginning of this.
        let kept = self.tail.len();
        let mut count = 0;
        if kept > 0 {
            self.tail
                .extend_from_slice(&data[..data.len().min(END_BYTES)]);
            let across = |at: usize, length: usize| at < kept && at + length > kept;
            count += self
                .word
                .find_iter(&self.tail)
                .filter(|at| across(*at, WORD.len()))
                .count();
            self.ended |= self.end.find(&self.tail).is_some();
        }
        count += self.word.find_iter(data).count();
        self.ended |= self.end.find(data).is_some();
        // The seam of the next one.
        self.tail.truncate(kept);
        self.tail
            .extend_from_slice(&data[data.len().saturating_sub(END_BYTES)..]);
        let surplus = self.tail.len().saturating_sub(END_BYTES);
        self.tail.drain(..surplus);
        if count > 0 {
            self.note(count);
        }
    }

    fn note(&mut self, count: usize) {
        let now = Instant::now();
        self.first
            .get_or_insert_with(|| (now - self.begun).as_secs_f64());
        if let Some(gaps) = &mut self.gaps {
            let zeros = match self.latest {
                // Those that come with another one come no later than it.
                Some(before) => {
                    gaps.push((now - before).as_secs_f32());
                    count - 1
                }
                None => count - 1,
            };
            gaps.extend(std::iter::repeat_n(0.0, zeros));
            self.latest = Some(now);
        }
        self.pieces += count;
    }

    fn trailers(&mut self, trailers: &HeaderMap) -> anyhow::Result<()> {
        no_refusal(trailers)?;
        self.ended |= trailers.contains_key("grpc-status");
        Ok(())
    }
}

/// The longest of what is looked for, less one.
const END_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_however_the_bytes_are_cut() {
        let text = format!(
            "{}data: [DONE]\n\n",
            format!("data: {WORD} x\n\n").repeat(7)
        );
        for cut in 1..text.len() {
            let mut eyes = Eyes::new(Protocol::Json, Instant::now(), true);
            text.as_bytes()
                .chunks(cut)
                .for_each(|piece| eyes.see(piece));
            assert_eq!((eyes.pieces, eyes.ended), (7, true), "in pieces of {cut}");
            assert_eq!(eyes.gaps.unwrap().len(), 6);
        }
    }

    #[test]
    fn a_reply_that_is_cut_off_has_no_end() {
        let mut eyes = Eyes::new(Protocol::Json, Instant::now(), false);
        eyes.see(format!("data: {WORD}\n\ndata: [DON").as_bytes());
        assert_eq!((eyes.pieces, eyes.ended), (1, false));
    }
}

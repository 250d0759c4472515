//! An answer of gRPC as one of grpc-web: its messages as they come, and its trailers as a last frame of the body.

use std::pin::Pin;
use std::task::{Context, Poll};

use atelier_kit::fault::{Fault, Kind};
use atelier_kit::inbound::trailers_of;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use tonic::Status;

use super::Form;

/// What stands before a message: a flag and four bytes of length.
const PREFIX: usize = 5;
/// The flag of the frame that has the trailers.
const TRAILERS: u8 = 0x80;

/// The answer broke off within a message: nothing that is written behind it would be read as what it is.
#[derive(Debug)]
struct Torn;

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer broke off within a message")
    }
}

impl std::error::Error for Torn {}

pub(super) struct Answer {
    inner: Body,
    form: Form,
    place: Place,
    /// What ends the answer, once it is known.
    last: Option<HeaderMap>,
    over: bool,
}

impl Answer {
    pub(super) fn new(inner: Body, form: Form) -> Self {
        Self {
            inner,
            form,
            place: Place::default(),
            last: None,
            over: false,
        }
    }

    fn written(&self, bytes: Bytes) -> Frame<Bytes> {
        Frame::data(match self.form {
            Form::Binary => bytes,
            // Padded here and now: what waited for a better end would not be there in time.
            Form::Text => STANDARD.encode(&bytes).into(),
        })
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let mut ready = Ready::default();
        while self.last.is_none() {
            let last = match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Pending if ready.is_empty() => return Poll::Pending,
                // Whatever is there leaves now, and what follows wakes the reader.
                Poll::Pending => return Poll::Ready(Some(Ok(self.written(ready.take())))),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(mut chunk) => {
                        if let Err(at) = self.place.pass(&chunk) {
                            // Whatever it is, a client would take it for trailers.
                            chunk.truncate(at);
                            self.last = Some(trailers_of(&unreadable()));
                        }
                        ready.push(chunk);
                        if ready.is_enough() {
                            return Poll::Ready(Some(Ok(self.written(ready.take()))));
                        }
                        continue;
                    }
                    Err(frame) => frame.into_trailers().unwrap_or_default(),
                },
                Poll::Ready(Some(Err(error))) => {
                    trailers_of(&Status::from_error(error.into_inner()))
                }
                Poll::Ready(None) => HeaderMap::new(),
            };
            self.last = Some(if last.contains_key("grpc-status") {
                last
            } else {
                trailers_of(&unreadable())
            });
        }
        let frame = match &self.last {
            Some(last) if !self.place.is_within() => frame_of(last),
            _ => None,
        };
        match frame {
            Some(frame) => ready.push(frame),
            // Before it is said that it is torn, all that is whole leaves.
            None if !ready.is_empty() => {
                return Poll::Ready(Some(Ok(self.written(ready.take()))));
            }
            None => {
                self.over = true;
                return Poll::Ready(Some(Err(axum::Error::new(Torn))));
            }
        }
        self.over = true;
        Poll::Ready(Some(Ok(self.written(ready.take()))))
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }
}

/// What is there already, to leave together: a piece on its own costs a chunk of HTTP/1.1 or a frame of HTTP/2, and of small
/// ones that is most of it. Nothing is waited for.
#[derive(Default)]
struct Ready {
    first: Bytes,
    all: BytesMut,
}

impl Ready {
    /// One that comes first and is as large as this leaves at once, uncopied.
    const LARGE: usize = 4 * 1024;
    /// No more is added to pieces that are as much as this together.
    const ENOUGH: usize = 16 * 1024;

    fn push(&mut self, piece: Bytes) {
        if self.is_empty() {
            self.first = piece;
            return;
        }
        if self.all.is_empty() {
            self.all.reserve(Self::LARGE);
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&piece);
    }

    fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    fn is_enough(&self) -> bool {
        self.first.len() >= Self::LARGE || self.all.len() >= Self::ENOUGH
    }

    fn take(self) -> Bytes {
        match self.all.is_empty() {
            true => self.first,
            false => self.all.freeze(),
        }
    }
}

/// Where in its frames an answer is.
#[derive(Default)]
struct Place {
    prefix: [u8; PREFIX],
    /// How many bytes of a prefix are there; five while its message goes by.
    have: usize,
    /// How many bytes of the message are still to come.
    left: usize,
}

impl Place {
    /// Follows a chunk. The error is where in it a frame begins that is none of gRPC.
    fn pass(&mut self, chunk: &[u8]) -> Result<(), usize> {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            if self.have < PREFIX {
                if self.have == 0 && byte > 1 {
                    return Err(at);
                }
                if let Some(place) = self.prefix.get_mut(self.have) {
                    *place = byte;
                }
                self.have += 1;
                at += 1;
                if self.have < PREFIX {
                    continue;
                }
                let [_, a, b, c, d] = self.prefix;
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
            }
            let taken = self.left.min(chunk.len() - at);
            at += taken;
            self.left -= taken;
            if self.left == 0 {
                self.have = 0;
            }
        }
        Ok(())
    }

    fn is_within(&self) -> bool {
        self.have > 0
    }
}

/// Trailers as a frame; `None` if they are larger than a frame can say.
fn frame_of(trailers: &HeaderMap) -> Option<Bytes> {
    let mut block = Vec::with_capacity(128);
    for (name, value) in trailers {
        block.extend_from_slice(name.as_str().as_bytes());
        block.push(b':');
        block.extend_from_slice(value.as_bytes());
        block.extend_from_slice(b"\r\n");
    }
    let length = u32::try_from(block.len()).ok()?;
    let mut frame = Vec::with_capacity(PREFIX + block.len());
    frame.push(TRAILERS);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.append(&mut block);
    Some(frame.into())
}

fn unreadable() -> Status {
    Fault::new(
        Kind::Unavailable,
        "PEER_UNREADABLE",
        "a service answered with something that is no gRPC",
    )
    .into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use http_body_util::{BodyExt as _, StreamBody};
    use proptest::prelude::*;
    use tonic::Code;

    /// Bytes in chunks of these sizes, over and over, and what follows them.
    pub(crate) fn chunked(
        bytes: &[u8],
        sizes: &[usize],
        end: Option<Result<Frame<Bytes>, Status>>,
    ) -> Body {
        let mut frames = Vec::new();
        let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            frames.push(Ok(Frame::data(Bytes::copy_from_slice(chunk))));
            rest = after;
        }
        frames.extend(end);
        Body::new(StreamBody::new(futures_util::stream::iter(frames)))
    }

    fn message(bytes: &[u8]) -> Vec<u8> {
        let mut frame = vec![0];
        frame.extend((bytes.len() as u32).to_be_bytes());
        frame.extend(bytes);
        frame
    }

    fn ok() -> Option<Result<Frame<Bytes>, Status>> {
        Some(Ok(Frame::trailers(trailers_of(&Status::ok("")))))
    }

    /// All bytes of an answer, and what its last frame says.
    fn told(body: Body, form: Form) -> Result<(Vec<u8>, Status), axum::Error> {
        let collected = Answer::new(body, form).collect().now_or_never().unwrap()?;
        assert!(collected.trailers().is_none());
        let mut bytes = collected.to_bytes().to_vec();
        if form == Form::Text {
            let groups = bytes.chunks(4).map(|four| STANDARD.decode(four).unwrap());
            bytes = groups.collect::<Vec<_>>().concat();
        }
        let mut place = Place::default();
        let at = place.pass(&bytes).unwrap_err();
        let block = bytes.split_off(at);
        let text = std::str::from_utf8(&block[PREFIX..]).unwrap();
        assert_eq!(block[0], TRAILERS);
        assert_eq!(block[1..PREFIX], (text.len() as u32).to_be_bytes());
        let lines = text.split_terminator("\r\n").map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (
                name.parse::<http::HeaderName>().unwrap(),
                value.parse::<http::HeaderValue>().unwrap(),
            )
        });
        let status = Status::from_header_map(&lines.collect()).unwrap();
        Ok((bytes, status))
    }

    proptest! {
        #[test]
        fn messages_pass_as_they_are_and_the_status_follows(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..5),
            sizes in prop::collection::vec(1usize..20, 1..6),
            text: bool,
        ) {
            let form = if text { Form::Text } else { Form::Binary };
            let bytes = messages.iter().flat_map(|m| message(m)).collect::<Vec<u8>>();
            let (passed, status) = told(chunked(&bytes, &sizes, ok()), form).unwrap();
            prop_assert_eq!(passed, bytes);
            prop_assert_eq!(status.code(), Code::Ok);
        }

        #[test]
        fn no_answer_of_a_service_makes_the_edge_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            sizes in prop::collection::vec(1usize..20, 1..6),
        ) {
            // Either it can be read to its last frame, or it is said to be torn.
            if let Ok((passed, _)) = told(chunked(&bytes, &sizes, ok()), Form::Binary) {
                prop_assert!(bytes.starts_with(&passed));
            }
        }
    }

    #[test]
    fn every_end_has_a_status() {
        let whole = message(b"abc");
        let gone = Status::not_found("gone");
        for (end, code) in [
            (None, Code::Unavailable),
            (
                Some(Ok(Frame::trailers(HeaderMap::new()))),
                Code::Unavailable,
            ),
            (Some(Err(gone.clone())), Code::NotFound),
            (
                Some(Ok(Frame::trailers(trailers_of(&gone)))),
                Code::NotFound,
            ),
        ] {
            let (passed, status) = told(chunked(&whole, &[3], end), Form::Binary).unwrap();
            assert_eq!((passed, status.code()), (whole.clone(), code));
        }
    }

    #[test]
    fn nothing_is_written_into_a_message_that_broke_off() {
        let whole = message(b"abc");
        for cut in 1..whole.len() {
            assert!(
                told(chunked(&whole[..cut], &[3], ok()), Form::Binary).is_err(),
                "{cut}"
            );
        }
    }

    #[test]
    fn a_service_cannot_write_trailers_into_a_body() {
        let forged = [message(b"abc"), vec![TRAILERS, 0, 0, 0, 1, b'x']].concat();
        for sizes in [&[1][..], &[100]] {
            let (passed, status) = told(chunked(&forged, sizes, ok()), Form::Binary).unwrap();
            assert_eq!(
                (passed, status.code()),
                (message(b"abc"), Code::Unavailable)
            );
        }
    }

    #[tokio::test]
    async fn a_chunk_is_not_kept_until_the_next() {
        let first = Frame::data(Bytes::from(message(b"abc")));
        let frames = futures_util::StreamExt::chain(
            futures_util::stream::iter([Ok::<_, Status>(first)]),
            futures_util::stream::pending(),
        );
        let mut answer = Answer::new(Body::new(StreamBody::new(frames)), Form::Text);
        let frame = answer.frame().now_or_never().unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), STANDARD.encode(message(b"abc")));
    }
}

//! Bounds the request to one message of the size that the policy allows; a larger one is refused by its declared
//! length, before anybody works on the call. It looks at frames and never into a message.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use tonic::Status;

use super::{Method, refuse};
use crate::fault::{Fault, Kind};

/// A gRPC frame: a compression flag, four bytes of length, and the message.
const PREFIX: usize = 5;

pub(super) async fn limit(request: Request, next: Next) -> Response {
    let Some(Method(policy)) = request.extensions().get::<Method>().cloned() else {
        return refuse(super::mapping::unknown_method());
    };
    let (parts, body) = request.into_parts();
    // Every method of the contract takes one message, so the message's bound is the body's.
    let (message, mut broken) = match OneMessage::open(body, policy.max_request_bytes).await {
        Ok(opened) => opened,
        Err(status) => return status.into_http(),
    };
    let call = next.run(Request::from_parts(parts, Body::new(message)));
    tokio::pin!(call);
    // Whoever reads the body may hide why it ended (a connection to a peer does): what broke it is told here.
    tokio::select! {
        biased;
        Ok(status) = &mut broken => status.into_http(),
        response = &mut call => response,
    }
}

/// A body of exactly one frame; anything else is an error, told to its reader and to the layer.
struct OneMessage {
    inner: Body,
    /// The chunk that was read for its prefix.
    first: Option<Bytes>,
    /// How many bytes of the message are still to come after `first`.
    left: usize,
    broken: Option<oneshot::Sender<Status>>,
}

impl OneMessage {
    /// Reads as far as the declared length.
    async fn open(
        mut inner: Body,
        limit: usize,
    ) -> Result<(Self, oneshot::Receiver<Status>), Status> {
        let mut first = Bytes::new();
        while first.len() < PREFIX {
            let Some(frame) = inner.frame().await else {
                return Err(malformed("the request has no whole message"));
            };
            let frame = frame.map_err(|error| Status::from_error(error.into_inner()))?;
            let Ok(data) = frame.into_data() else {
                return Err(malformed("the request has no whole message"));
            };
            first = if first.is_empty() {
                data
            } else {
                let mut joined = BytesMut::from(first);
                joined.extend_from_slice(&data);
                joined.freeze()
            };
        }
        let (prefix, message) = first.split_at(PREFIX);
        let &[flag, a, b, c, d] = prefix else {
            return Err(malformed("the request has no whole message"));
        };
        if flag > 1 {
            return Err(malformed("the frame's flag is neither 0 nor 1"));
        }
        let declared = u32::from_be_bytes([a, b, c, d]) as usize;
        if declared > limit {
            return Err(too_large(limit));
        }
        let Some(left) = declared.checked_sub(message.len()) else {
            return Err(malformed("something follows the message"));
        };
        let (sender, receiver) = oneshot::channel();
        let message = Self {
            inner,
            first: Some(first),
            left,
            broken: Some(sender),
        };
        Ok((message, receiver))
    }

    fn fail(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(broken) = self.broken.take() {
            // Nobody listens once the answer has begun.
            let _ = broken.send(status.clone());
        }
        Poll::Ready(Some(Err(status)))
    }
}

impl HttpBody for OneMessage {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if self.broken.is_none() {
            return Poll::Ready(None);
        }
        match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            None if self.left > 0 => self.fail(malformed("the message is cut short")),
            None => Poll::Ready(None),
            Some(Err(error)) => self.fail(Status::from_error(error.into_inner())),
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match self.left.checked_sub(length) {
                    Some(left) => {
                        self.left = left;
                        Poll::Ready(Some(Ok(frame)))
                    }
                    None => self.fail(malformed("something follows the message")),
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none()
            && (self.broken.is_none() || (self.left == 0 && self.inner.is_end_stream()))
    }
}

fn malformed(what: &str) -> Status {
    Fault::new(Kind::Invalid, "MALFORMED_MESSAGE", what).into()
}

fn too_large(limit: usize) -> Status {
    Fault::new(
        Kind::Exhausted,
        "MESSAGE_TOO_LARGE",
        format!("the request message may have at most {limit} bytes"),
    )
    .with("max_bytes", limit.to_string())
    .into()
}

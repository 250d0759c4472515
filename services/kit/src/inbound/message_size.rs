//! Bounds each message of a request to the size that the policy allows; a larger one is refused by its declared
//! length, before anybody works on it. It looks at frames and never into a message.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use tonic::Status;

use super::body::Interrupted;
use super::frames::{Frames, PREFIX};
use super::{CallersFault, Method, refuse};
use crate::next::Next;

pub(super) async fn limit(request: Request, next: impl Next) -> Response {
    let Some(Method(policy)) = request.extensions().get::<Method>().cloned() else {
        return refuse(super::mapping::unknown_method());
    };
    let (parts, body) = request.into_parts();
    let many = policy.client_streaming;
    let frames = Frames::new(policy.max_request_bytes, many, &parts.headers);
    let (sender, mut broken) = oneshot::channel();
    let body = if many {
        Body::new(Messages::new(body, frames, sender))
    } else {
        match OneMessage::open(body, frames, sender).await {
            Ok(message) => Body::new(message),
            Err(status) => return refused(status),
        }
    };
    let call = next.run(Request::from_parts(parts, body));
    tokio::pin!(call);
    // Whoever reads the body may hide why it ended (a connection to a peer does): what broke it is told here.
    let response = tokio::select! {
        biased;
        Ok(status) = &mut broken => return refused(status),
        response = &mut call => response,
    };
    // It may have broken on another thread while the answer that this led to was asked for.
    if let Ok(status) = broken.try_recv() {
        return refused(status);
    }
    if !many || broken.is_terminated() || response.body().is_end_stream() {
        return response;
    }
    // An answer that has begun before the request has ended.
    response.map(|body| Body::new(Interrupted::new(body, broken)))
}

/// What was sent is at fault, whatever gRPC calls it.
fn refused(status: Status) -> Response {
    let mut response = status.into_http();
    response.extensions_mut().insert(CallersFault);
    response
}

/// A body of any number of messages; what breaks it is told to its reader and to the layer.
struct Messages {
    inner: Body,
    frames: Frames,
    broken: Option<oneshot::Sender<Status>>,
}

impl Messages {
    fn new(inner: Body, frames: Frames, broken: oneshot::Sender<Status>) -> Self {
        Self {
            inner,
            frames,
            broken: Some(broken),
        }
    }

    fn fail(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(broken) = self.broken.take() {
            // Nobody listens once the call has ended.
            let _ = broken.send(status.clone());
        }
        Poll::Ready(Some(Err(status)))
    }
}

impl HttpBody for Messages {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.broken.is_none() {
            return Poll::Ready(None);
        }
        match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            None => match self.frames.end() {
                Ok(()) => Poll::Ready(None),
                Err(fault) => self.fail(fault.into()),
            },
            Some(Err(error)) => self.fail(Status::from_error(error.into_inner())),
            Some(Ok(frame)) => match self
                .frames
                .pass(frame.data_ref().map_or(&[], Bytes::as_ref))
            {
                Ok(()) => Poll::Ready(Some(Ok(frame))),
                Err(fault) => self.fail(fault.into()),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() || (self.frames.end().is_ok() && self.inner.is_end_stream())
    }
}

/// A body of one message, of which enough was read to know its declared length.
struct OneMessage {
    first: Option<Bytes>,
    rest: Messages,
}

impl OneMessage {
    async fn open(
        inner: Body,
        frames: Frames,
        broken: oneshot::Sender<Status>,
    ) -> Result<Self, Status> {
        let mut rest = Messages::new(inner, frames, broken);
        let mut first = Bytes::new();
        while first.len() < PREFIX {
            let Some(frame) = rest.frame().await else {
                // Said by the frames before, unless the body says it has ended while it has not.
                rest.frames.end()?;
                break;
            };
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            first = if first.is_empty() {
                data
            } else {
                let mut joined = BytesMut::from(first);
                joined.extend_from_slice(&data);
                joined.freeze()
            };
        }
        Ok(Self {
            first: Some(first),
            rest,
        })
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
        Pin::new(&mut self.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }
}

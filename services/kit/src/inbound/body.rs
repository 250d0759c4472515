//! Bodies that hold something, end in time, or tell of their end; none of them looks into a message.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::oneshot;

use super::arrival::code_of;
use super::lease::{Expired, Leased};
use super::meter::Ending;

/// Tells the status of its trailers.
pub(super) struct Watched {
    inner: Body,
    ending: Ending,
}

impl Watched {
    pub(super) fn new(inner: Body, ending: Ending) -> Self {
        Self { inner, ending }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.ending.tell(code_of(trailers));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Changes its trailers before they leave.
pub(super) struct Mapped {
    inner: Body,
    map: fn(http::HeaderMap) -> http::HeaderMap,
}

impl Mapped {
    pub(super) fn new(inner: Body, map: fn(http::HeaderMap) -> http::HeaderMap) -> Self {
        Self { inner, map }
    }
}

impl HttpBody for Mapped {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Poll::Ready(match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => Some(Ok(match frame.into_trailers() {
                Ok(trailers) => Frame::trailers((self.map)(trailers)),
                Err(frame) => frame,
            })),
            end => end,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Holds a value, a place in a queue for example, for as long as the body lives.
pub(super) struct Held<T> {
    inner: Body,
    _held: T,
}

impl<T> Held<T> {
    pub(super) fn new(inner: Body, held: T) -> Self {
        Self { inner, _held: held }
    }
}

impl<T: Unpin> HttpBody for Held<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Ends with DEADLINE_EXCEEDED in its trailers when the time is over.
pub(super) struct Timed(Leased);

impl Timed {
    pub(super) fn new(leased: Leased) -> Self {
        Self(leased)
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let error = match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
            Some(Err(error)) => error.into_inner(),
            frame => return Poll::Ready(frame),
        };
        if !error.is::<Expired>() {
            return Poll::Ready(Some(Err(axum::Error::new(error))));
        }
        let trailers = trailers_of(&crate::fault::Fault::deadline_exceeded().into());
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Ends with a status in its trailers as soon as it is told one.
pub(super) struct Interrupted {
    inner: Option<Body>,
    told: Option<oneshot::Receiver<tonic::Status>>,
}

impl Interrupted {
    pub(super) fn new(inner: Body, told: oneshot::Receiver<tonic::Status>) -> Self {
        Self {
            inner: Some(inner),
            told: Some(told),
        }
    }
}

impl HttpBody for Interrupted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(mut inner) = self.inner.take() else {
            return Poll::Ready(None);
        };
        if let Some(told) = self.told.as_mut() {
            match Pin::new(told).poll(cx) {
                Poll::Ready(Ok(status)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers_of(&status)))));
                }
                // Nothing will be told any more.
                Poll::Ready(Err(_)) => self.told = None,
                Poll::Pending => {}
            }
        }
        let frame = Pin::new(&mut inner).poll_frame(cx);
        self.inner = Some(inner);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

/// A status as trailers.
pub fn trailers_of(status: &tonic::Status) -> http::HeaderMap {
    let mut trailers = http::HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // A message that is no header value; the code alone can always be written.
        trailers.insert("grpc-status", http::HeaderValue::from(status.code() as i32));
    }
    trailers
}

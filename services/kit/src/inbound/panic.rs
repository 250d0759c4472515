//! Contains a panic: the call that panicked ends with INTERNAL, and all others go on; nothing of it is told to the caller.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::refuse;
use crate::fault::Fault;
use crate::next::Next;

pub(super) async fn contain(request: Request, next: impl Next) -> Response {
    // Unwind safety: what the panic left half done belongs to this call alone and is dropped with it.
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response.map(|body| Body::new(Contained { inner: Some(body) })),
        Err(_) => refuse(panicked()),
    }
}

/// The message of the panic is on standard error already, where the runtime writes it with its place.
fn panicked() -> Fault {
    Fault::internal(&std::io::Error::other("a handler panicked"))
}

/// A body whose panic becomes its trailers.
struct Contained {
    inner: Option<Body>,
}

impl HttpBody for Contained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(inner) = self.inner.as_mut() else {
            return Poll::Ready(None);
        };
        match std::panic::catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(cx))) {
            Ok(frame) => frame,
            Err(_) => {
                self.inner = None;
                let mut trailers = http::HeaderMap::new();
                if tonic::Status::from(panicked())
                    .add_header(&mut trailers)
                    .is_err()
                {
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

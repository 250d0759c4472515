//! Reads what nobody wants of a request over HTTP/1.1: a call can be answered before all of its body is there, and a
//! connection that is closed then reaches a client that is still sending as a broken pipe instead of as the answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use atelier_kit::next::Next;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::Version;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

/// Twice the largest message of any method. A client that sends more has to live with the closed connection.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// And so has one that takes longer.
const LONGEST: Duration = Duration::from_secs(5);

pub(crate) async fn read(request: Request, next: impl Next) -> Response {
    // A stream of HTTP/2 is one request's own: it can be ended without the others.
    if request.version() == Version::HTTP_2 || request.body().is_end_stream() {
        return next.run(request).await;
    }
    next.run(request.map(|body| Body::new(Remainder(Some(body)))))
        .await
}

/// A body that is read to its end in the background when it is dropped before.
struct Remainder(Option<Body>);

impl HttpBody for Remainder {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = self.0.as_mut() else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(cx);
        if let Poll::Ready(None | Some(Err(_))) = frame {
            self.0 = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .as_ref()
            .map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for Remainder {
    fn drop(&mut self) {
        let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        // At the very end of a process there is no runtime, and no connection either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(LONGEST, finish(body)));
        }
    }
}

async fn finish(mut body: Body) {
    let mut left = MOST_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(less) => left = less,
            None => return,
        }
    }
}

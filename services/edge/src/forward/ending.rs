//! An answer that always ends with a status: a stream that breaks behind the edge is told to the caller in trailers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use atelier_kit::fault::{Fault, Kind};
use atelier_kit::inbound::trailers_of;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use tonic::Status;
use tonic::body::Body;

/// A body of gRPC frames whose every end has trailers. Without them a browser could not tell a broken stream from
/// a finished one, and over HTTP/2 the reset would hide the reason.
pub(super) struct Ending {
    inner: Option<Body>,
}

impl Ending {
    pub(super) fn new(inner: Body) -> Self {
        Self { inner: Some(inner) }
    }
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(inner) = self.inner.as_mut() else {
            return Poll::Ready(None);
        };
        let trailers = match ready!(Pin::new(inner).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_trailers() {
                Ok(trailers) if trailers.contains_key("grpc-status") => trailers,
                Ok(_) => trailers_of(&lost()),
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            },
            // The link has told what it knows; what it does not know is how HTTP/2 names things.
            Some(Err(status)) if !status.details().is_empty() => trailers_of(&status),
            Some(Err(_)) | None => trailers_of(&lost()),
        };
        self.inner = None;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_none()
    }
}

fn lost() -> Status {
    Fault::new(
        Kind::Unavailable,
        "PEER_LOST",
        "the connection to a service was lost",
    )
    .retry_after(Duration::from_secs(1))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_kit::fault::reason_of;
    use http::HeaderMap;
    use http_body_util::{BodyExt as _, StreamBody};
    use tonic::Code;

    async fn end_of(frames: Vec<Result<Frame<Bytes>, Status>>) -> (usize, Status) {
        let inner = StreamBody::new(futures_util::stream::iter(frames));
        let collected = Ending::new(Body::new(inner)).collect().await.unwrap();
        let status = Status::from_header_map(collected.trailers().unwrap()).unwrap();
        (collected.to_bytes().len(), status)
    }

    #[tokio::test]
    async fn every_way_to_end_has_a_status() {
        let data = || Ok(Frame::data(Bytes::from_static(b"12345")));
        let (bytes, status) = end_of(vec![data()]).await;
        assert_eq!((bytes, status.code()), (5, Code::Unavailable));
        assert_eq!(reason_of(&status).as_deref(), Some("PEER_LOST"));

        let (bytes, status) = end_of(vec![data(), Err(Status::internal("h2 stream error"))]).await;
        assert_eq!((bytes, status.code()), (5, Code::Unavailable));

        let told = Fault::new(Kind::Deadline, "DEADLINE_EXCEEDED", "over").into();
        let (_, status) = end_of(vec![data(), Err(told)]).await;
        assert_eq!(status.code(), Code::DeadlineExceeded);

        let mut trailers = HeaderMap::new();
        Status::not_found("gone").add_header(&mut trailers).unwrap();
        let (_, status) = end_of(vec![data(), Ok(Frame::trailers(trailers))]).await;
        assert_eq!((status.code(), status.message()), (Code::NotFound, "gone"));
    }
}

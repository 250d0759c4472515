//! The body of a request, kept as it passes so that it can be sent again; nothing waits for it to be whole, and what is large is not kept.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use tonic::Status;
use tonic::body::Body;

/// The most that is kept of one body, in bytes.
const MOST: usize = 64 * 1024;

/// A body that can be read again from its beginning, as long as no more than 64 KiB of it have passed.
#[derive(Clone)]
pub struct Kept(Arc<Mutex<Source>>);

/// Where the body comes from, and what has passed of it.
struct Source {
    inner: Body,
    passed: Vec<Bytes>,
    bytes: usize,
    /// Something passed that is not in `passed`.
    is_cut: bool,
    has_ended: bool,
    /// Which reading is the last one. Whoever reads for an attempt that was given up gets no more.
    reading: usize,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

impl Kept {
    /// Keeps this body; nothing is read yet.
    pub fn new(inner: Body) -> Self {
        Self(Arc::new(Mutex::new(Source {
            inner,
            passed: Vec::new(),
            bytes: 0,
            is_cut: false,
            has_ended: false,
            reading: 0,
        })))
    }

    /// Whether it can be read again.
    pub fn is_whole(&self) -> bool {
        !locked(&self.0).is_cut
    }

    /// The body from its beginning, for one attempt more; `None` when its beginning is no longer there. Whoever reads
    /// for an attempt before this one gets no more.
    pub(super) fn again(&self) -> Option<Reading> {
        let number = {
            let mut source = locked(&self.0);
            if source.is_cut {
                return None;
            }
            source.reading += 1;
            source.reading
        };
        Some(Reading {
            source: self.0.clone(),
            number,
            next: 0,
        })
    }
}

fn locked(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source {
    fn keep(&mut self, data: &Bytes) {
        self.bytes = self.bytes.saturating_add(data.len());
        if self.is_cut || self.bytes > MOST {
            self.cut();
        } else {
            self.passed.push(data.clone());
        }
    }

    /// From now on it cannot be sent again.
    fn cut(&mut self) {
        self.is_cut = true;
        self.passed = Vec::new();
    }
}

/// The body, as one attempt reads it.
pub(super) struct Reading {
    source: Arc<Mutex<Source>>,
    number: usize,
    /// Which of the pieces that have passed is the next one.
    next: usize,
}

impl HttpBody for Reading {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let mut source = locked(&this.source);
        if source.reading != this.number {
            return Poll::Ready(Some(Err(Status::cancelled("another attempt is made"))));
        }
        if let Some(data) = source.passed.get(this.next) {
            this.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
        }
        if source.has_ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut source.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => match frame.data_ref() {
                Some(data) => {
                    source.keep(data);
                    this.next += 1;
                }
                // gRPC has no trailers in a request.
                None => source.cut(),
            },
            Some(Err(_)) => source.cut(),
            None => source.has_ended = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let source = locked(&self.source);
        let is_last = source.reading == self.number && self.next >= source.passed.len();
        is_last && (source.has_ended || source.inner.is_end_stream())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use http_body_util::{BodyExt as _, StreamBody};

    fn body(pieces: Vec<Result<Bytes, Status>>) -> Body {
        let frames = pieces.into_iter().map(|piece| piece.map(Frame::data));
        Body::new(StreamBody::new(futures_util::stream::iter(frames)))
    }

    fn piece(length: usize, of: u8) -> Result<Bytes, Status> {
        Ok(Bytes::from(vec![of; length]))
    }

    async fn whole(body: Reading) -> Vec<u8> {
        body.collect().await.unwrap().to_bytes().to_vec()
    }

    #[tokio::test]
    async fn what_has_passed_comes_again_and_then_what_follows() {
        let kept = Kept::new(body(vec![piece(3, 1), piece(3, 2), piece(3, 3)]));
        let mut first = kept.again().unwrap();
        first.frame().await.unwrap().unwrap();
        first.frame().await.unwrap().unwrap();
        let all = [1, 1, 1, 2, 2, 2, 3, 3, 3];
        assert_eq!(whole(kept.again().unwrap()).await, all);
        // Whoever still read for the first attempt takes nothing from the others.
        assert!(first.frame().await.unwrap().is_err());
        let last = kept.again().unwrap();
        assert!(!last.is_end_stream());
        assert_eq!(whole(last).await, all);
    }

    #[tokio::test]
    async fn the_limit_is_kept_and_one_byte_more_passes_once() {
        let kept = Kept::new(body(vec![piece(MOST - 1, 1), piece(1, 2)]));
        assert_eq!(whole(kept.again().unwrap()).await.len(), MOST);
        assert_eq!(whole(kept.again().unwrap()).await.len(), MOST);

        let kept = Kept::new(body(vec![piece(MOST, 1), piece(1, 2), piece(5, 3)]));
        assert_eq!(whole(kept.again().unwrap()).await.len(), MOST + 6);
        assert!(kept.again().is_none());
    }

    #[tokio::test]
    async fn a_body_that_broke_is_not_sent_again() {
        let broken = Err(Status::data_loss("it broke"));
        let kept = Kept::new(body(vec![piece(3, 1), broken]));
        let first = kept.again().unwrap();
        assert!(first.collect().await.is_err());
        assert!(kept.again().is_none());
    }

    #[tokio::test]
    async fn an_empty_body_has_ended_each_time() {
        let kept = Kept::new(Body::empty());
        for _ in 0..2 {
            let again = kept.again().unwrap();
            assert!(again.is_end_stream());
            assert_eq!(whole(again).await, Vec::<u8>::new());
        }
    }
}

//! The calls of a connection that their caller has abandoned before they were answered. A few are a change of mind; who
//! asks and abandons without end has us work and never waits (CVE-2023-44487, "rapid reset"). The HTTP library bounds
//! those that it has not handed over yet, and knows nothing of the others.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::Notify;

/// How many there were on one connection.
#[derive(Clone, Default)]
pub(super) struct Abandoned(Arc<Count>);

#[derive(Default)]
struct Count {
    so_far: AtomicUsize,
    more: Notify,
}

impl Count {
    fn one_more(&self) {
        self.so_far.fetch_add(1, Ordering::Relaxed);
        self.more.notify_one();
    }
}

/// A call that has no answer yet.
struct Open(Option<Arc<Count>>);

impl Open {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(count) = self.0.take() {
            count.one_more();
        }
    }
}

/// The body of a request, which counts when it breaks: whoever reads it then answers, and nobody waits for that.
pub(super) struct Awaited {
    inner: Incoming,
    count: Arc<Count>,
}

impl Body for Awaited {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Err(_))) = &frame {
            self.count.one_more();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Abandoned {
    /// The body of a call, watched too.
    pub(super) fn body(&self, inner: Incoming) -> Awaited {
        Awaited {
            inner,
            count: self.0.clone(),
        }
    }

    /// Passes a call's answer on, and counts it if nobody waits for it any more.
    pub(super) fn watch<F: Future>(&self, call: F) -> impl Future<Output = F::Output> + use<F> {
        let open = Open(Some(self.0.clone()));
        async move {
            let answer = call.await;
            open.answered();
            answer
        }
    }

    /// Returns when there were more than so many.
    pub(super) async fn too_often(&self, most: usize) {
        while self.0.so_far.load(Ordering::Relaxed) <= most {
            self.0.more.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_is_abandoned_counts() {
        let abandoned = Abandoned::default();
        for _ in 0..10 {
            abandoned.watch(std::future::ready(())).await;
        }
        drop(abandoned.watch(std::future::pending::<()>()));
        assert_eq!(abandoned.0.so_far.load(Ordering::Relaxed), 1);
        let told = abandoned.clone();
        let told = tokio::spawn(async move { told.too_often(2).await });
        for _ in 0..2 {
            drop(abandoned.watch(std::future::pending::<()>()));
        }
        told.await.unwrap();
    }
}

//! A connection that has to begin in a bounded time, and that ends when nobody takes what is written; what the HTTP
//! library does not bound itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::Bounds;

/// The length of HTTP/2's preface; until it is there the library waits, and no keepalive runs.
const PREFACE: usize = 24;

/// What has to make progress.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Write,
    Flush,
    Shutdown,
}

/// See above.
pub(super) struct Guarded<IO> {
    io: IO,
    /// Until the first bytes are there.
    opening: Option<Pin<Box<Sleep>>>,
    read: usize,
    /// Since when nothing of it was taken.
    stalled: Option<(Doing, Pin<Box<Sleep>>)>,
    patience: Duration,
}

impl<IO> Guarded<IO> {
    pub(super) fn new(io: IO, bounds: &Bounds) -> Self {
        Self {
            io,
            opening: Some(Box::pin(sleep(bounds.opening))),
            read: 0,
            stalled: None,
            patience: bounds.stalled,
        }
    }

    /// Passes an outcome on; one that stays away too long becomes an error.
    fn watch<T>(
        &mut self,
        doing: Doing,
        outcome: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            // A socket can always be flushed: that says nothing of a write.
            if self.stalled.as_ref().is_some_and(|(of, _)| *of == doing) {
                self.stalled = None;
            }
            return outcome;
        }
        let patience = self.patience;
        let (_, timer) = self
            .stalled
            .get_or_insert_with(|| (doing, Box::pin(sleep(patience))));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(late("nobody takes what is written")))
    }
}

fn late(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<IO: AsyncRead + Unpin> AsyncRead for Guarded<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.io).poll_read(cx, buf);
        let Some(opening) = &mut self.opening else {
            return outcome;
        };
        if outcome.is_pending() {
            ready!(opening.as_mut().poll(cx));
            return Poll::Ready(Err(late("nothing was asked for")));
        }
        self.read += buf.filled().len() - before;
        if self.read >= PREFACE {
            self.opening = None;
        }
        outcome
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Guarded<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(cx, buf);
        self.watch(Doing::Write, outcome, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.watch(Doing::Write, outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_flush(cx);
        self.watch(Doing::Flush, outcome, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch(Doing::Shutdown, outcome, cx)
    }
}

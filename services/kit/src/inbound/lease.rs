//! Bodies on loan: when the time of one is over it is dropped with all it holds, even if nobody reads it any more, so that a
//! caller who stops reading keeps nothing behind it busy.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use slab::Slab;
use tokio::time::{Instant, Sleep};

/// How often those that nobody reads are looked through. Who reads hears of the end in time; this is for the others.
const ROUND: Duration = Duration::from_millis(250);

/// All bodies that are on loan together. One task ends those that nobody reads, and it runs while there are any: a task for
/// each would cost as much as the rest of a short call.
#[derive(Clone, Debug, Default)]
pub struct Leases(Arc<Mutex<Register>>);

#[derive(Debug, Default)]
struct Register {
    loans: Slab<Weak<Mutex<Loan>>>,
    is_watched: bool,
}

#[derive(Debug)]
struct Loan {
    lent: Lent,
    until: Instant,
}

#[derive(Debug)]
enum Lent {
    Out(Body),
    /// Its time is over, and its reader has not heard of it.
    Over,
    /// There is nothing more to hear.
    Done,
}

impl Leases {
    /// Lends a body until a timer rings. Whoever still reads gets an error then.
    pub fn lend(&self, body: Body, timer: Pin<Box<Sleep>>) -> Leased {
        let loan = Arc::new(Mutex::new(Loan {
            lent: Lent::Out(body),
            until: timer.deadline(),
        }));
        let mut register = locked(&self.0);
        let number = register.loans.insert(Arc::downgrade(&loan));
        if !register.is_watched {
            register.is_watched = true;
            tokio::spawn(self.clone().watch());
        }
        Leased {
            loan,
            timer,
            number,
            leases: self.clone(),
        }
    }

    async fn watch(self) {
        loop {
            tokio::time::sleep(ROUND).await;
            let now = Instant::now();
            // What a body holds is dropped when nothing is locked.
            let over: Vec<Arc<Mutex<Loan>>> = {
                let mut register = locked(&self.0);
                if register.loans.is_empty() {
                    register.is_watched = false;
                    return;
                }
                let lent = register.loans.iter().filter_map(|(_, loan)| loan.upgrade());
                lent.filter(|loan| locked(loan).until <= now).collect()
            };
            for loan in over {
                let ended = locked(&loan).end();
                drop(ended);
            }
        }
    }
}

impl Loan {
    /// Takes the body back; whoever reads hears of it.
    fn end(&mut self) -> Option<Body> {
        match std::mem::replace(&mut self.lent, Lent::Done) {
            Lent::Out(body) => {
                self.lent = Lent::Over;
                Some(body)
            }
            other => {
                self.lent = other;
                None
            }
        }
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A body on loan.
pub struct Leased {
    loan: Arc<Mutex<Loan>>,
    timer: Pin<Box<Sleep>>,
    number: usize,
    leases: Leases,
}

/// The time of a [`Leased`] body is over.
#[derive(Debug, thiserror::Error)]
#[error("the time for this body is over")]
pub(super) struct Expired;

impl Drop for Leased {
    fn drop(&mut self) {
        locked(&self.leases.0).loans.try_remove(self.number);
    }
}

impl HttpBody for Leased {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let mut loan = locked(&this.loan);
        let is_over = Instant::now() >= loan.until;
        match &mut loan.lent {
            Lent::Done => return Poll::Ready(None),
            Lent::Over => {}
            // One that always has more would never ask the timer.
            Lent::Out(_) if is_over => {}
            Lent::Out(body) => match Pin::new(body).poll_frame(cx) {
                Poll::Ready(None) => {
                    loan.lent = Lent::Done;
                    return Poll::Ready(None);
                }
                Poll::Ready(frame) => return Poll::Ready(frame),
                Poll::Pending => ready!(this.timer.as_mut().poll(cx)),
            },
        }
        let ended = std::mem::replace(&mut loan.lent, Lent::Done);
        drop(loan);
        drop(ended);
        Poll::Ready(Some(Err(axum::Error::new(Expired))))
    }

    fn is_end_stream(&self) -> bool {
        match &locked(&self.loan).lent {
            Lent::Out(body) => body.is_end_stream(),
            Lent::Over => false,
            Lent::Done => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &locked(&self.loan).lent {
            Lent::Out(body) => body.size_hint(),
            Lent::Over | Lent::Done => SizeHint::default(),
        }
    }
}

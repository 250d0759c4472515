//! Turns at work: so many at once, the others in the order they came; knows nothing of what is done in a turn.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

type Permit = Result<OwnedSemaphorePermit, AcquireError>;

/// The turns of one process.
pub(crate) struct Turns {
    permits: Arc<Semaphore>,
    waiting: Arc<Mutex<usize>>,
}

/// A place in the queue, given up when it is dropped.
pub(crate) struct Ticket {
    /// How many were waiting before this one when it came.
    pub(crate) position: u32,
    turn: Pin<Box<dyn Future<Output = Permit> + Send>>,
    place: Option<Place>,
}

/// Counts as waiting for as long as it is there.
struct Place(Arc<Mutex<usize>>);

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}

impl Turns {
    pub(crate) fn new(at_once: usize) -> Self {
        let permits = at_once.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            permits: Arc::new(Semaphore::new(permits)),
            waiting: Arc::default(),
        }
    }

    /// Queues now, and not when the ticket is first waited for: the order is that of these calls.
    pub(crate) fn take(&self) -> Ticket {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut turn: Pin<Box<dyn Future<Output = Permit> + Send>> =
            Box::pin(self.permits.clone().acquire_owned());
        // The first look puts it into the semaphore's queue, which serves in the order of coming.
        if let Some(permit) = turn.as_mut().now_or_never() {
            return Ticket {
                position: 0,
                turn: Box::pin(std::future::ready(permit)),
                place: None,
            };
        }
        let position = u32::try_from(*waiting).unwrap_or(u32::MAX);
        *waiting += 1;
        Ticket {
            position,
            turn,
            place: Some(Place(self.waiting.clone())),
        }
    }
}

impl Ticket {
    /// Waits for the turn, which lasts until the permit is dropped. The semaphore is never closed.
    pub(crate) async fn turn(self) -> Permit {
        let permit = self.turn.await;
        drop(self.place);
        permit
    }
}

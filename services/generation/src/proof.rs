//! The proof of a lease: for how long an owner may believe that it still has its generation, by its own clock.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// When the record last said that the lease holds. Somebody else may have it one lease after that: an owner that was paused
/// learns at its next checkpoint, and must tell nothing before.
pub(crate) struct Proof {
    lease: Duration,
    last: Mutex<Instant>,
    renewed: Notify,
}

impl Proof {
    /// The lease holds now, and for so long.
    pub(crate) fn new(lease: Duration) -> Self {
        Self {
            lease,
            last: Mutex::new(Instant::now()),
            renewed: Notify::new(),
        }
    }

    /// A write that was begun at this time found the lease held.
    pub(crate) fn renew(&self, begun: Instant) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = begun;
        self.renewed.notify_waiters();
    }

    /// Returns at once while the lease holds, and else when it is proved anew; never, when it is lost.
    pub(crate) async fn holds(&self) {
        loop {
            let renewed = self.renewed.notified();
            if !self.has_lapsed() {
                return;
            }
            renewed.await;
        }
    }

    fn has_lapsed(&self) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.elapsed() >= self.lease
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_lease_lapses_by_itself_and_is_proved_by_a_write_that_began_in_time() {
        let lease = Duration::from_millis(50);
        let proof = Proof::new(lease);
        assert!(proof.holds().now_or_never().is_some());
        tokio::time::sleep(lease).await;
        assert!(proof.holds().now_or_never().is_none());
        // A write that took longer than the lease proves nothing.
        proof.renew(Instant::now() - lease);
        assert!(proof.holds().now_or_never().is_none());
        let waits = proof.holds();
        tokio::pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none());
        proof.renew(Instant::now());
        assert!(waits.now_or_never().is_some());
    }
}

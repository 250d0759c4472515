//! Trying again while the store is away: the work is done, or about to be sent, and would be lost.

use std::time::{Duration, Instant};

use crate::engine::Generations;

/// The first pause; those after it are longer.
const FIRST: Duration = Duration::from_millis(50);
/// How long a store may be away before what waits for it is given up. Nobody else can have it meanwhile: whoever would take it
/// over needs the same store.
const AWAY: Duration = Duration::from_secs(600);

/// The pauses between tries.
pub(crate) struct Pauses {
    begun: Instant,
    /// When it was seen that the process ends.
    stopping: Option<Instant>,
    next: Duration,
}

impl Pauses {
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            stopping: None,
            next: FIRST,
        }
    }

    /// Waits for the next try, or says that there is none: the store has been away for too long, or the process ends and has
    /// waited for it for one lease.
    pub(crate) async fn pause(&mut self, engine: &Generations) -> bool {
        let lease = engine.lease();
        if engine.is_stopping() {
            self.stopping.get_or_insert_with(Instant::now);
        }
        let is_late = |since: Instant| since.elapsed() > lease;
        if self.begun.elapsed() > AWAY || self.stopping.is_some_and(is_late) {
            return false;
        }
        // Several tries in one lease: when the store is back, others wait so long before they take an owner for dead. Half of
        // each is left to chance, so that all who wait do not come back in the same moment.
        let next = self.next.min(lease / 4);
        tokio::time::sleep(next / 2 + next.mul_f64(fastrand::f64() / 2.0)).await;
        self.next = next * 2;
        true
    }
}

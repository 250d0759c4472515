//! Erases in the background what has passed; nothing depends on its being in time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::ports::{Clock, SessionStore};

/// Sweeps every so often until `stopped`.
pub(crate) async fn run(
    sessions: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    every: Duration,
    stopped: impl Future<Output = ()> + Send,
) {
    let mut ticks = interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => return,
            _ = ticks.tick() => {
                // A failed sweep is told and tried again; the rows it would have erased are refused by their times.
                if let Err(error) = sessions.sweep(clock.now()).await {
                    tracing::warn!(error = %atelier_kit::fault::chain(&error), "the sweep failed");
                }
            }
        }
    }
}

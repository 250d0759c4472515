//! Asks each other service to erase its part of deleted accounts, in the background and until it has; nobody waits for it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use atelier_kit::fault::chain;
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::error::Error;
use crate::ports::{Clock, DeletionStore, Erasure, Peer};

/// How many accounts one service is asked about at once.
const AT_ONCE: i64 = 4;
/// How long an answer that is under way at the end is waited for. One that is cut off is asked for again by whoever starts
/// next.
const LAST: Duration = Duration::from_secs(2);

/// Asks one service. Each has an eraser of its own, so that one that is away keeps no other from it.
pub(crate) struct Eraser {
    pub(crate) deletions: Arc<dyn DeletionStore>,
    pub(crate) peer: Arc<dyn Peer>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Changes when a deletion has begun here.
    pub(crate) bell: watch::Receiver<u64>,
    /// How often it looks without having heard the bell: for what is to be asked again, and for what others began.
    pub(crate) every: Duration,
}

impl Eraser {
    /// Works until `stopped`.
    pub(crate) async fn run(self, stopped: impl Future<Output = ()> + Send) {
        let mut bell = self.bell.clone();
        tokio::pin!(stopped);
        loop {
            // Before the look, so that what begins during it is looked for again.
            bell.mark_unchanged();
            let round = self.round();
            tokio::pin!(round);
            let more = tokio::select! {
                more = &mut round => more,
                () = &mut stopped => {
                    let _ = tokio::time::timeout(LAST, round).await;
                    return;
                }
            };
            if more {
                continue;
            }
            tokio::select! {
                () = &mut stopped => return,
                // The desk that rings it lasts as long as the service does.
                Ok(()) = bell.changed() => {}
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }

    /// Asks about what is due; whether there may be more.
    async fn round(&self) -> bool {
        let role = self.peer.role();
        let due = match self.deletions.claim(role, self.clock.now(), AT_ONCE).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the deletions cannot be read");
                return false;
            }
        };
        for result in join_all(due.iter().map(|erasure| self.ask(erasure))).await {
            if let Err(error) = result {
                tracing::warn!(service = role, error = %chain(&error), "a receipt cannot be kept");
            }
        }
        !due.is_empty()
    }

    /// Asks about one account, and keeps the receipt.
    async fn ask(&self, erasure: &Erasure) -> Result<(), Error> {
        let (role, user_id) = (self.peer.role(), erasure.user_id.as_str());
        match self.peer.erase(user_id).await {
            Ok(receipt) => {
                tracing::info!(service = role, user_id, "a deleted account is erased");
                self.deletions
                    .erased(&erasure.deletion_id, role, &receipt, self.clock.now())
                    .await
            }
            Err(fault) => {
                tracing::warn!(service = role, user_id, attempts = erasure.attempts, error = %fault,
                    "a deleted account waits to be erased");
                Ok(())
            }
        }
    }
}

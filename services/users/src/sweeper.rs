//! Erases in the background what has passed; nothing depends on its being in time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use atelier_kit::moment::Micros;
use tokio::time::{MissedTickBehavior, interval};

use crate::accounts::Accounts;
use crate::error::Error;
use crate::ports::{AttemptStore, Clock, DeletionStore, MailStore, SessionStore, SignInStore};

/// Where something passes.
pub(crate) struct Swept {
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) mails: Arc<dyn MailStore>,
    pub(crate) attempts: Arc<dyn AttemptStore>,
    pub(crate) sign_ins: Arc<dyn SignInStore>,
    pub(crate) deletions: Arc<dyn DeletionStore>,
    /// Anonymous accounts, which are deleted like any other.
    pub(crate) accounts: Arc<Accounts>,
}

impl Swept {
    async fn sweep(&self, now: Micros) -> [Result<(), Error>; 7] {
        [
            self.sessions.sweep(now).await,
            self.mails.sweep(now).await,
            self.attempts.sweep(now).await,
            self.sign_ins.sweep(now).await,
            self.deletions.sweep(now).await,
            self.accounts.expire_anonymous().await,
            self.accounts.close_departed().await,
        ]
    }
}

/// Sweeps every so often until `stopped`.
pub(crate) async fn run(
    swept: Swept,
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
                for error in swept.sweep(clock.now()).await.into_iter().filter_map(Result::err) {
                    tracing::warn!(error = %atelier_kit::fault::chain(&error), "the sweep failed");
                }
            }
        }
    }
}

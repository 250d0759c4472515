//! How often something may be done: who is counted, for what, and how much; where a call draws is the inbound stack's to know.
//!
//! | room | what it is |
//! |---|---|
//! | `bucket` | the contract's rate buckets, and who is counted in them |
//! | `quota` | so many a minute, and how many at once |
//! | `table` | the limit of each bucket and scope: what is built in, and what a file says instead |
//! | `limiter` | the port: draws from some keys, all or none |
//! | `local` | the adapter of one process: GCRA over a bounded table |
//! | `redis` | the adapter that processes share: GCRA on a server, by its clock |
//! | `failover` | what holds while a shared store is away |
//! | `watch` | the file, read again when it changes |

mod bucket;
mod failover;
mod limiter;
mod local;
mod quota;
mod redis;
mod table;
mod time;
mod watch;

use std::sync::{Arc, PoisonError, RwLock};

pub use bucket::{Bucket, Scope};
pub use failover::FailoverLimiter;
pub use limiter::{Away, Draw, Drawn, Key, Limiter};
pub use local::LocalLimiter;
pub use quota::Quota;
pub use redis::RedisLimiter;
pub use table::Table;
pub use time::{SystemTime, Time};
pub use watch::follow;

use crate::config::Setting;

/// Where the limits are written.
pub const LIMITS: Setting = Setting::new(
    "ATELIER_LIMITS",
    "",
    "A TOML file that says how often what may be done (docs/limits.md); read again when it changes; the built-in limits when empty.",
);

/// Somebody who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted<'w> {
    /// As what.
    pub scope: Scope,
    /// Who: an account's id, or a network.
    pub who: &'w str,
}

/// What became of a draw, with what the caller is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the call may be made.
    pub drawn: Drawn,
    /// The limit that decided: the one that refused, else the one with the least left.
    pub quota: Quota,
    /// Who was counted there.
    pub scope: Scope,
}

/// The limits of a process: one for all its roles, so that a call is counted where it is drawn and nowhere twice.
pub struct Limits {
    table: RwLock<Arc<Table>>,
    limiter: Arc<dyn Limiter>,
    time: Arc<dyn Time>,
}

impl Limits {
    /// Counts in this process alone.
    pub fn local(table: Table) -> Self {
        Self::new(
            table,
            Arc::new(LocalLimiter::default()),
            Arc::new(SystemTime::new()),
        )
    }

    /// Counts on a server that other processes count on too, and alone while it is away.
    pub fn shared(table: Table, redis: crate::redis::Redis) -> Self {
        Self::new(
            table,
            Arc::new(FailoverLimiter::new(Arc::new(RedisLimiter::new(redis)))),
            Arc::new(SystemTime::new()),
        )
    }

    /// Counts with a limiter, at a time that is told.
    pub fn new(table: Table, limiter: Arc<dyn Limiter>, time: Arc<dyn Time>) -> Self {
        Self {
            table: RwLock::new(Arc::new(table)),
            limiter,
            time,
        }
    }

    /// The limits that hold now.
    pub fn table(&self) -> Arc<Table> {
        self.table
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Other limits from now on. What was drawn stays drawn; nobody waits longer than an empty bucket of the new limit
    /// takes to fill.
    pub fn change(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    /// Draws once for everybody who is counted, or for nobody when one of them has nothing left. `None` when nothing
    /// is limited here.
    pub async fn draw(&self, bucket: Bucket, counted: &[Counted<'_>]) -> Option<Verdict> {
        let table = self.table();
        let draws: Vec<Draw> = counted
            .iter()
            .filter_map(|counted| {
                let quota = table.quota(bucket, counted.scope)?;
                Some(Draw {
                    key: Key::of(bucket, counted),
                    quota,
                    alone: quota.shared(table.share()),
                })
            })
            .collect();
        if draws.is_empty() {
            return None;
        }
        let drawn = match self.limiter.draw(&draws, self.time.now()).await {
            Ok(drawn) => drawn,
            Err(Away) => {
                // Only a limiter without a fallback is ever away, and none is wired so. Still no open door.
                let retry_after = std::time::Duration::from_secs(1);
                Drawn::Refused { by: 0, retry_after }
            }
        };
        let decided = &draws[drawn.by().min(draws.len() - 1)];
        Some(Verdict {
            drawn,
            quota: decided.quota,
            scope: decided.key.scope,
        })
    }
}

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod redis_tests;
#[cfg(test)]
mod tests;

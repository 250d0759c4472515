//! What holds while a store that several processes share is away: each counts alone, with its share of every limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::limiter::{Away, Draw, Drawn, Limiter};
use super::local::LocalLimiter;

/// How long a store may take to answer: a call waits for it.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a store that was away is not asked again, so that not every call waits for nothing.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks a shared limiter, and counts in this process while it is away. Never an open door: what is not counted there is
/// counted here.
pub struct FailoverLimiter {
    shared: Arc<dyn Limiter>,
    local: LocalLimiter,
    /// Until when the store is not asked, in nanoseconds since the Unix epoch.
    away_until: AtomicU64,
}

impl FailoverLimiter {
    /// Counts in `shared`, and in memory while it is away.
    pub fn new(shared: Arc<dyn Limiter>) -> Self {
        Self {
            shared,
            local: LocalLimiter::default(),
            away_until: AtomicU64::new(0),
        }
    }

    async fn ask(&self, draws: &[Draw], now: Duration) -> Result<Drawn, Away> {
        if nanos(now) < self.away_until.load(Ordering::Relaxed) {
            return Err(Away);
        }
        let asked = tokio::time::timeout(PATIENCE, self.shared.draw(draws, now)).await;
        let drawn = asked.unwrap_or(Err(Away));
        if drawn.is_err() {
            self.away_until.store(nanos(now + PAUSE), Ordering::Relaxed);
            tracing::warn!("the shared limiter is away; limits are counted in this process alone");
        }
        drawn
    }
}

#[async_trait]
impl Limiter for FailoverLimiter {
    async fn draw(&self, draws: &[Draw], now: Duration) -> Result<Drawn, Away> {
        if let Ok(drawn) = self.ask(draws, now).await {
            return Ok(drawn);
        }
        metrics::counter!("atelier_rate_limiter_fallbacks_total").increment(1);
        let alone: Vec<Draw> = draws
            .iter()
            .map(|draw| Draw {
                quota: draw.alone,
                ..draw.clone()
            })
            .collect();
        self.local.draw(&alone, now).await
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

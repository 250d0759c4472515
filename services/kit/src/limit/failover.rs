//! What holds while a store that several processes share is away: each counts alone, with its share of every limit.
//!
//! No more is ever allowed than the limit, if the shares of all processes are no more than the whole. What was drawn before the
//! store was lost is known to nobody any more, so whoever counts alone begins with empty buckets, which fill as fast as its
//! share lets them; and what was counted alone is not known to the store when it is back, so its buckets begin empty too. A
//! store that is away costs patience, and opens no door.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
    is_away: AtomicBool,
    /// Whether anything was allowed here that the store does not know of.
    has_allowed: AtomicBool,
}

impl FailoverLimiter {
    /// Counts in `shared`, and in memory while it is away.
    pub fn new(shared: Arc<dyn Limiter>) -> Self {
        metrics::gauge!("atelier_rate_limiter_is_shared").set(1.0);
        Self {
            shared,
            local: LocalLimiter::default(),
            away_until: AtomicU64::new(0),
            is_away: AtomicBool::new(false),
            has_allowed: AtomicBool::new(false),
        }
    }

    async fn ask(&self, draws: &[Draw], now: Duration) -> Result<Drawn, Away> {
        if nanos(now) < self.away_until.load(Ordering::Relaxed) {
            return Err(Away);
        }
        if self.has_allowed.swap(false, Ordering::SeqCst) {
            self.shared.empty(now);
        }
        let asked = tokio::time::timeout(PATIENCE, self.shared.draw(draws, now)).await;
        let drawn = asked.unwrap_or(Err(Away));
        match drawn {
            Ok(_) => self.is_back(),
            Err(Away) => self.is_lost(now),
        }
        drawn
    }

    fn is_lost(&self, now: Duration) {
        self.away_until.store(nanos(now + PAUSE), Ordering::Relaxed);
        if self.is_away.swap(true, Ordering::SeqCst) {
            return;
        }
        self.local.empty(now);
        metrics::gauge!("atelier_rate_limiter_is_shared").set(0.0);
        tracing::warn!("the shared limiter is away; limits are counted in this process alone");
    }

    fn is_back(&self) {
        if self.is_away.swap(false, Ordering::SeqCst) {
            metrics::gauge!("atelier_rate_limiter_is_shared").set(1.0);
            tracing::info!("the shared limiter is there again");
        }
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
        let drawn = self.local.draw(&alone, now).await;
        if matches!(drawn, Ok(Drawn::Allowed { .. })) {
            self.has_allowed.store(true, Ordering::SeqCst);
        }
        drawn
    }

    fn empty(&self, now: Duration) {
        self.shared.empty(now);
        self.local.empty(now);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

//! The adapter of one process: the arithmetic is `governor`'s, the table of keys is bounded and ours.
//!
//! GCRA keeps one time a key: when its bucket is full again. That time means the same under every quota, so one table
//! serves all of them, and a limit that changes takes over what was drawn under the one before. `governor` keeps a
//! table for each quota instead, without a bound; so it is given one state at a time, counted from now.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use governor::RateLimiter;
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};

use super::limiter::{Away, Draw, Drawn, Key, Limiter};
use super::quota::Quota;

/// How many keys are kept, about 15 MB of them.
const MOST_KEYS: usize = 100_000;
/// Below so many a sweep is not worth its time.
const FEW_KEYS: usize = 1_024;
/// How long after a sweep that found no place the next one may be.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Counts in memory.
///
/// A key whose bucket is full again is as good as none and is swept away. When there are too many others, whoever has
/// no key yet shares one with everybody else like him in the same bucket: strangers crowd each other, those who are
/// known are not disturbed, and nobody is let in uncounted.
#[derive(Debug)]
pub struct LocalLimiter {
    keys: Mutex<Keys>,
}

impl Default for LocalLimiter {
    fn default() -> Self {
        Self::with_room(MOST_KEYS)
    }
}

impl LocalLimiter {
    /// Keeps at most so many keys, the shared ones aside, of which there is one for each bucket and scope.
    pub fn with_room(most: usize) -> Self {
        Self {
            keys: Mutex::new(Keys {
                full_at: HashMap::new(),
                most,
                sweep_at: most.min(FEW_KEYS),
                swept: Duration::ZERO,
                emptied: None,
            }),
        }
    }

    /// How many keys are kept.
    pub fn len(&self) -> usize {
        self.lock().full_at.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    // One lock for all: it is held for a hash and some arithmetic, two keys are drawn from as one, and a sweep of the
    // largest table takes a few milliseconds, once for as many new keys as it left.
    fn lock(&self) -> std::sync::MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Limiter for LocalLimiter {
    async fn draw(&self, draws: &[Draw], now: Duration) -> Result<Drawn, Away> {
        Ok(self.lock().draw(draws, now))
    }

    fn empty(&self, now: Duration) {
        self.lock().emptied = Some(now);
    }
}

#[derive(Debug)]
struct Keys {
    /// When each bucket is full again, since the Unix epoch.
    full_at: HashMap<Key, Duration>,
    most: usize,
    sweep_at: usize,
    swept: Duration,
    /// When every bucket was empty, whatever is known of it.
    emptied: Option<Duration>,
}

impl Keys {
    fn draw(&mut self, draws: &[Draw], now: Duration) -> Drawn {
        let mut least: Option<(usize, u32, Duration)> = None;
        let mut longest: Option<(usize, Duration)> = None;
        let mut after = Vec::with_capacity(draws.len());
        for (by, draw) in draws.iter().enumerate() {
            let key = self.place_of(&draw.key, now);
            let known = self.full_at.get(&key).copied();
            let at_most = self.emptied.map(|emptied| emptied + draw.quota.fill());
            match decide(known.max(at_most), draw.quota, now) {
                Ok((remaining, full_at)) => {
                    if least.is_none_or(|(_, least, _)| remaining < least) {
                        least = Some((by, remaining, full_at.saturating_sub(now)));
                    }
                    after.push((key, full_at));
                }
                Err(wait) => {
                    if longest.is_none_or(|(_, longest)| wait > longest) {
                        longest = Some((by, wait));
                    }
                }
            }
        }
        if let Some((by, retry_after)) = longest {
            return Drawn::Refused { by, retry_after };
        }
        self.full_at.extend(after);
        let (by, remaining, reset) = least.unwrap_or_default();
        Drawn::Allowed {
            by,
            remaining,
            reset,
        }
    }

    /// Where a key is counted: under its own name, while there is place for it.
    fn place_of(&mut self, key: &Key, now: Duration) -> Key {
        if self.full_at.contains_key(key) {
            return key.clone();
        }
        if self.full_at.len() >= self.sweep_at {
            self.sweep(now);
        }
        if self.full_at.len() < self.most {
            return key.clone();
        }
        metrics::counter!("atelier_rate_limiter_crowded_total", "bucket" => key.bucket.name())
            .increment(1);
        key.crowd()
    }

    /// Forgets whose bucket is full. The next sweep is when there are twice as many as are left, so that its cost for
    /// each new key stays the same however many there are.
    fn sweep(&mut self, now: Duration) {
        let is_full = self.full_at.len() >= self.most;
        if is_full && now < self.swept + SWEEP_PAUSE {
            return;
        }
        self.swept = now;
        self.full_at.retain(|_, full_at| *full_at > now);
        let twice = self.full_at.len().saturating_mul(2).max(FEW_KEYS);
        self.sweep_at = twice.min(self.most);
    }
}

/// Whether one may be drawn from a bucket that is full at a time: how many are left and when it is full then, or how
/// long the next one has to be waited for.
fn decide(
    full_at: Option<Duration>,
    quota: Quota,
    now: Duration,
) -> Result<(u32, Duration), Duration> {
    // A limit with a larger bucket may have held before: no more is owed than this one holds.
    let owed = full_at.map(|at| at.saturating_sub(now).min(quota.fill()));
    let state = One(Cell::new(owed));
    let governed =
        RateLimiter::<_, _, _, StateInformationMiddleware>::new(quota.governed(), state, Now);
    match governed.check() {
        Ok(snapshot) => {
            let owed = governed.into_state_store().0.get().unwrap_or_default();
            Ok((snapshot.remaining_burst_capacity(), now + owed))
        }
        Err(not_until) => Err(not_until.wait_time_from(Duration::ZERO)),
    }
}

/// The moment of the decision, from which all its times are counted.
struct Now;

impl Clock for Now {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

/// The state of one key, taken out of the table for one decision.
struct One(Cell<Option<Duration>>);

impl StateStore for One {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (outcome, state) = decide(self.0.get().map(Nanos::from))?;
        self.0.set(Some(state.into()));
        Ok(outcome)
    }
}

//! How busy an endpoint is: how long its first byte takes lately, times how many calls it has; peaks count at once, and
//! fade (peak-EWMA).
//!
//! `tower::load` has the same figure for a service, but one handle ends both the measured time and the call: of a
//! stream that is either its first byte and a call that is no longer counted, or its length and no latency. And it can
//! be compared only, where those who run the mesh want to read it.

use std::time::Duration;

use tokio::time::Instant;

/// How fast what was measured fades.
const FADING: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Load {
    /// In seconds; `None` until something was measured.
    first_byte: Option<f64>,
    measured: Instant,
    pub(super) in_flight: u32,
}

impl Load {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            first_byte: None,
            measured: now,
            in_flight: 0,
        }
    }

    fn kept(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.measured);
        (-since.as_secs_f64() / FADING.as_secs_f64()).exp()
    }

    /// A first byte took so long.
    pub(super) fn measure(&mut self, took: Duration, now: Instant) {
        let took = took.as_secs_f64();
        self.first_byte = Some(match self.first_byte {
            Some(before) if before > took => {
                let kept = self.kept(now);
                before * kept + took * (1.0 - kept)
            }
            _ => took,
        });
        self.measured = now;
    }

    /// How long the first byte takes lately.
    pub(super) fn latency(&self) -> Option<Duration> {
        self.first_byte.map(Duration::from_secs_f64)
    }

    /// What another call costs here: the less, the better. What was measured fades, so that one that was slow once is
    /// asked again some time.
    pub(super) fn cost(&self, now: Instant) -> f64 {
        // Of two that were never asked, the one with fewer calls.
        let first_byte = self.first_byte.unwrap_or_default() * self.kept(now);
        first_byte.max(1e-6) * f64::from(self.in_flight + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_count_at_once_and_fade_slowly() {
        let now = Instant::now();
        let mut load = Load::new(now);
        load.measure(Duration::from_millis(10), now);
        load.measure(Duration::from_secs(2), now);
        assert_eq!(load.latency(), Some(Duration::from_secs(2)));
        load.measure(Duration::from_millis(10), now + Duration::from_secs(1));
        let after_one = load.latency().unwrap();
        assert!(
            after_one > Duration::from_millis(1500) && after_one < Duration::from_secs(2),
            "{after_one:?}"
        );
        let before = load.cost(now + Duration::from_secs(1));
        assert!(load.cost(now + Duration::from_secs(60)) < before / 100.0);
    }

    #[test]
    fn more_calls_cost_more() {
        let now = Instant::now();
        let mut load = Load::new(now);
        let idle = load.cost(now);
        load.in_flight = 3;
        assert!((load.cost(now) / idle - 4.0).abs() < 1e-9);
    }
}

//! The time that limits are counted in: told, so that a test can move it.

use std::time::{Duration, Instant};

/// Where the time comes from.
pub trait Time: Send + Sync + 'static {
    /// The time since the Unix epoch; it never goes back.
    fn now(&self) -> Duration;
}

/// The system's: its time of day at the start, and from then on its steady clock, so that a corrected clock neither
/// empties a bucket nor fills it.
#[derive(Clone, Copy, Debug)]
pub struct SystemTime {
    day: Duration,
    start: Instant,
}

impl SystemTime {
    /// Begins now.
    pub fn new() -> Self {
        let day = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            day: day.unwrap_or_default(),
            start: Instant::now(),
        }
    }
}

impl Default for SystemTime {
    fn default() -> Self {
        Self::new()
    }
}

impl Time for SystemTime {
    fn now(&self) -> Duration {
        self.day + self.start.elapsed()
    }
}

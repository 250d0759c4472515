//! So many a minute, and how many at once.

use std::num::NonZeroU32;
use std::time::Duration;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    per_minute: NonZeroU32,
    burst: NonZeroU32,
}

impl Quota {
    /// The largest figure: far above what a process serves, and small enough that no sum of times overflows.
    pub const MOST: u32 = 1_000_000;

    /// So many a minute, and so many at once; `None` when a figure is not within 1 to [`Quota::MOST`].
    pub fn new(per_minute: u32, burst: u32) -> Option<Self> {
        let figure = |figure: u32| NonZeroU32::new(figure).filter(|_| figure <= Self::MOST);
        Some(Self {
            per_minute: figure(per_minute)?,
            burst: figure(burst)?,
        })
    }

    /// How many a minute.
    pub fn per_minute(self) -> u32 {
        self.per_minute.get()
    }

    /// How many at once, after a pause.
    pub fn burst(self) -> u32 {
        self.burst.get()
    }

    /// A part of it, of at least one.
    #[must_use]
    pub fn shared(self, share: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share is within 0 and 1, so the product is no larger than the figure"
        )]
        let part = |figure: NonZeroU32| {
            let part = (f64::from(figure.get()) * share.clamp(0.0, 1.0)) as u32;
            NonZeroU32::new(part).unwrap_or(NonZeroU32::MIN)
        };
        Self {
            per_minute: part(self.per_minute),
            burst: part(self.burst),
        }
    }

    /// How long one takes to come back.
    pub fn interval(self) -> Duration {
        self.governed().replenish_interval()
    }

    /// How long an empty bucket takes to fill.
    pub fn fill(self) -> Duration {
        self.interval() * self.burst.get()
    }

    /// As `governor` says it: of its constructors, `per_minute(n)` is n a minute; in `tower_governor` the same word
    /// would be one in n minutes.
    pub(super) fn governed(self) -> governor::Quota {
        governor::Quota::per_minute(self.per_minute).allow_burst(self.burst)
    }
}

//! The port: something that counts. It knows keys, figures and times, and no call.

use std::time::Duration;

use async_trait::async_trait;

use super::{Bucket, Counted, Quota, Scope};

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// For what.
    pub bucket: Bucket,
    /// As what.
    pub scope: Scope,
    /// Who; `None` is everybody for whom there is no place.
    pub who: Option<Box<str>>,
}

impl Key {
    /// The key of somebody.
    pub fn of(bucket: Bucket, counted: &Counted<'_>) -> Self {
        Self {
            bucket,
            scope: counted.scope,
            who: Some(counted.who.into()),
        }
    }

    /// The key that everybody shares for whom there is no place.
    #[must_use]
    pub fn crowd(&self) -> Self {
        Self { who: None, ..*self }
    }
}

/// One that is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// From whom.
    pub key: Key,
    /// The limit.
    pub quota: Quota,
    /// The limit while this process counts alone, in place of a store that all share.
    pub alone: Quota,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// All were drawn.
    Allowed {
        /// Which of the draws has the least left.
        by: usize,
        /// How many it has left.
        remaining: u32,
        /// When it is full again.
        reset: Duration,
    },
    /// None was drawn.
    Refused {
        /// Which of the draws has to be waited for longest.
        by: usize,
        /// How long.
        retry_after: Duration,
    },
}

impl Drawn {
    /// Which of the draws decided.
    pub fn by(&self) -> usize {
        match self {
            Drawn::Allowed { by, .. } | Drawn::Refused { by, .. } => *by,
        }
    }
}

/// Nobody could count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the limiter cannot be reached")]
pub struct Away;

/// Something that counts.
#[async_trait]
pub trait Limiter: Send + Sync + 'static {
    /// Draws one from each of several keys, or from none of them when one is refused; `draws` is not empty, and `now`
    /// is the time since the Unix epoch.
    async fn draw(&self, draws: &[Draw], now: Duration) -> Result<Drawn, Away>;

    /// What was drawn up to now is not all known to it: from now on every bucket begins empty, and fills as always. Where it
    /// cannot be told at once, it is told with the next draw.
    fn empty(&self, now: Duration);
}

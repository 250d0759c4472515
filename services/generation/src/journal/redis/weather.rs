//! How long the server is waited for. Whoever comes when it has been away for longer tries once, so that a long absence is told
//! at once; that it is away, and that it is back, are told once each.

use std::error::Error as StdError;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;

/// The first pause between two tries, and the longest.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Whether one kind of work goes well.
pub(super) struct Weather {
    work: &'static str,
    away_since: Mutex<Option<Instant>>,
}

impl Weather {
    pub(super) fn new(work: &'static str) -> Self {
        Self {
            work,
            away_since: Mutex::default(),
        }
    }

    /// It went well.
    pub(super) fn is_fair(&self) {
        let mut since = self
            .away_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = since.take() {
            let away = since.elapsed();
            tracing::info!(?away, "the journal is {} again", self.work);
        }
    }

    /// Tries that go on for so long.
    pub(super) fn tries(&self, within: Duration) -> Tries<'_> {
        Tries {
            weather: self,
            begun: Instant::now(),
            within,
            pause: None,
        }
    }

    fn is_foul(&self, why: &(dyn StdError + 'static)) -> Duration {
        let mut since = self
            .away_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if since.is_none() {
            let error = atelier_kit::fault::chain(why);
            tracing::warn!(%error, "the journal cannot be {}", self.work);
        }
        since.get_or_insert_with(Instant::now).elapsed()
    }
}

/// The tries of one who waits.
pub(super) struct Tries<'w> {
    weather: &'w Weather,
    begun: Instant,
    within: Duration,
    pause: Option<Duration>,
}

impl Tries<'_> {
    /// Whether something was tried before: it may have been done all the same.
    pub(super) fn is_repeated(&self) -> bool {
        self.pause.is_some()
    }

    /// Waits for the next try; the error is that there is none.
    pub(super) async fn again(
        &mut self,
        why: impl StdError + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let away = self.weather.is_foul(&why);
        if away.max(self.begun.elapsed()) >= self.within {
            return Err(Error::unavailable(why));
        }
        let pause = self
            .pause
            .map_or(PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        // Half of it is left to chance, so that all who wait do not come back in the same moment.
        tokio::time::sleep(pause / 2 + pause.mul_f64(fastrand::f64() / 2.0)).await;
        Ok(())
    }
}

//! Why a provider gave nothing, or broke off: one enum for every medium, and one table of what its owner is told.

use std::time::Duration;

use crate::ports::Failure;
use crate::reasons::{UPSTREAM_BUSY, UPSTREAM_GARBLED, UPSTREAM_REFUSED, UPSTREAM_UNAVAILABLE};

/// Why a provider gave nothing, or broke off.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It cannot be reached, or did not answer in time.
    #[error("the provider cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is busy, or its limit is reached.
    #[error("the provider is busy (HTTP {0})")]
    Busy(u16),
    /// It said when to come again, and this is how long that is off.
    #[error("the provider wants to be left alone for {} s", .0.as_secs_f64().ceil())]
    Resting(Duration),
    /// It refused the request, the key or the model.
    #[error("the provider refused the request (HTTP {status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said, cut short and without the key.
        message: String,
    },
    /// It sent something that is not what was asked for.
    #[error("the provider's answer cannot be used: {0}")]
    Garbled(String),
    /// The request itself cannot lead to a result here: told with this reason and this sentence.
    #[error("{message}")]
    Unfit {
        /// A constant in UPPER_SNAKE_CASE.
        reason: &'static str,
        /// A sentence for a person.
        message: String,
    },
    /// A built-in provider failed: a defect of ours.
    #[error("a built-in provider failed")]
    Inside(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        if let ProviderError::Inside(_) = &error {
            return Failure::internal(&error);
        }
        tracing::warn!(error = %atelier_kit::fault::chain(&error), "a provider failed");
        match error {
            ProviderError::Unreachable(_) => {
                Failure::passing(UPSTREAM_UNAVAILABLE, "the provider cannot be reached")
            }
            ProviderError::Busy(_) => Failure::passing(UPSTREAM_BUSY, "the provider is busy"),
            ProviderError::Resting(wait) => Failure::passing(
                UPSTREAM_BUSY,
                format!(
                    "the provider is busy; it can be asked again in {} s",
                    wait.as_secs_f64().ceil()
                ),
            )
            .not_before(wait),
            ProviderError::Refused { status, .. } => Failure::lasting(
                UPSTREAM_REFUSED,
                format!("the provider refused the request (HTTP {status})"),
            ),
            ProviderError::Garbled(_) => Failure::passing(
                UPSTREAM_GARBLED,
                "the provider gave an answer that cannot be used",
            ),
            ProviderError::Unfit { reason, message } => Failure::lasting(reason, message),
            ProviderError::Inside(_) => Failure::internal(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use atelier_kit::moment;

    use super::*;

    #[test]
    fn a_provider_that_said_when_to_come_again_is_quoted() {
        let (before, wait) = (moment::now(), Duration::from_secs(90));
        let failure = Failure::from(ProviderError::Resting(wait));
        let waits = failure.retry_time.unwrap() - before;
        assert!((90_000_000..95_000_000).contains(&waits), "{waits}");
        let busy = Failure::from(ProviderError::Busy(429));
        assert_eq!((busy.retryable, busy.retry_time), (true, None));
    }
}

//! What can go wrong around a generation; a failure of the generation itself is an event and no error.

use std::time::Duration;

use atelier_kit::fault::{Fault, Kind};

/// An error of the engine or of one of its ports.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such generation, or it belongs to another.
    #[error("no such generation")]
    NotFound,
    /// The `request_id` was used for another body.
    #[error("the request_id was used for another request")]
    RequestIdReused,
    /// Another owner has the lease, or the generation has ended.
    #[error("the lease is lost")]
    LeaseLost,
    /// The account has left.
    #[error("the account was erased")]
    Departed,
    /// Generations of an account that leaves have not ended yet, or are not counted.
    #[error("generations of the account are still ending")]
    StillEnding(Duration),
    /// The owner has as many waiting as may be; nothing was kept of this one.
    #[error("too many generations of the owner wait")]
    QueueFull,
    /// This process ends, and the generation goes on elsewhere.
    #[error("the generation was handed over")]
    HandedOver,
    /// The service's own rules refused to start it.
    #[error("refused: {0}")]
    Refused(Fault),
    /// A database or another engine is busy, full or away: what it was asked for may be asked for again. It may have been done
    /// all the same, where the answer alone was lost.
    #[error("the generation store is busy or away")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A database or another engine failed, and would fail again.
    #[error("the generation store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// What a store says, in whatever words: trouble that passes is told apart from a failure.
    pub fn store(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        if atelier_kit::fault::is_away(source.as_ref()) {
            Self::Unavailable(source)
        } else {
            Self::Store(source)
        }
    }

    /// An engine that is busy, full or away.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    /// Whether the same may go well as soon as an engine is there again.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Fault::not_found("generation"),
            Error::RequestIdReused => Fault::new(
                Kind::Precondition,
                "REQUEST_ID_REUSED",
                "this request_id was used for another request",
            ),
            Error::LeaseLost => Fault::new(
                Kind::Unavailable,
                "OWNER_CHANGED",
                "another replica has taken this generation over",
            ),
            Error::Departed => Fault::new(
                Kind::NotFound,
                "ACCOUNT_ERASED",
                "the account was deleted, and what it had is erased",
            ),
            Error::StillEnding(wait) => Fault::new(
                Kind::Unavailable,
                "STILL_ENDING",
                "what the account began is still ending; ask again",
            )
            .retry_after(wait),
            Error::QueueFull => Fault::new(
                Kind::Exhausted,
                "QUEUE_FULL",
                "too many of your generations wait for their turn; ask again when some of them have ended",
            )
            .with("limit", "waiting_generations")
            .retry_after(Duration::from_secs(5)),
            Error::HandedOver => Fault::new(
                Kind::Unavailable,
                "HANDED_OVER",
                "this process ends and the generation goes on; watch it again",
            )
            .retry_after(Duration::from_secs(1)),
            Error::Refused(fault) => fault,
            Error::Unavailable(source) => Fault::away(source.as_ref()),
            Error::Store(source) => Fault::internal(source.as_ref()),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}

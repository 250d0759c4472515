//! What can go wrong in analytics; how it looks on the wire is decided here and nowhere else in this crate.

use std::time::Duration;

use atelier_kit::fault::{Fault, Kind, is_away};

/// When to come again to a store that is busy or away.
const AGAIN: Duration = Duration::from_secs(1);

/// An error of this service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A service told of an event that another service made.
    #[error("a service records its own events alone: {caller} sent one of {named}")]
    SourceMismatch {
        /// The service that calls.
        caller: String,
        /// The source that the event names.
        named: String,
    },
    /// An account asked for what another used.
    #[error("an account sees its own usage alone")]
    NotOwnUsage,
    /// The store is busy, full or away; the call may be repeated.
    #[error("the usage store is busy or cannot be reached; try again")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store failed.
    #[error("the usage store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A failure of a store, from whatever its driver said; trouble that passes is told apart.
    pub fn store(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        if is_away(source.as_ref()) {
            Self::Unavailable(source)
        } else {
            Self::Store(source)
        }
    }

    /// A store that is busy, full or away, from whatever its driver said.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    /// What kind of error it is.
    pub fn kind(&self) -> Kind {
        match self {
            Error::SourceMismatch { .. } | Error::NotOwnUsage => Kind::Denied,
            Error::Unavailable(_) => Kind::Unavailable,
            Error::Store(_) => Kind::Internal,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        match &error {
            Error::SourceMismatch { caller, named } => {
                Fault::new(kind, "SOURCE_MISMATCH", error.to_string())
                    .with("caller", caller)
                    .with("source", named)
            }
            Error::NotOwnUsage => Fault::new(kind, "USAGE_OF_ANOTHER", error.to_string()),
            Error::Unavailable(source) => {
                let why = atelier_kit::fault::chain(source.as_ref());
                tracing::warn!(error = %why, "the store is busy or away");
                Fault::new(kind, "STORE_BUSY", error.to_string()).retry_after(AGAIN)
            }
            Error::Store(_) => Fault::internal(&error),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn a_store_that_is_away_may_be_asked_again_and_one_that_failed_is_ours() {
        let away = Fault::from(Error::store(sqlx::Error::PoolTimedOut));
        assert_eq!(
            (away.kind(), away.reason()),
            (Kind::Unavailable, "STORE_BUSY")
        );
        let status = tonic::Status::from(away);
        assert!(status.get_details_retry_info().is_some(), "{status:?}");
        let failed = Fault::from(Error::store(sqlx::Error::RowNotFound));
        assert_eq!(
            (failed.kind(), failed.reason()),
            (Kind::Internal, "INTERNAL")
        );
    }
}

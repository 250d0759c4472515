//! What can go wrong in analytics; how it looks on the wire is decided here and nowhere else in this crate.

use atelier_kit::fault::{Fault, Kind};

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
    /// The store failed.
    #[error("the usage store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A failure of the store, from whatever its driver said.
    pub fn store(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Store(source.into())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match &error {
            Error::SourceMismatch { caller, named } => {
                Fault::new(Kind::Denied, "SOURCE_MISMATCH", error.to_string())
                    .with("caller", caller)
                    .with("source", named)
            }
            Error::NotOwnUsage => Fault::new(Kind::Denied, "USAGE_OF_ANOTHER", error.to_string()),
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

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
    /// A failure of a store, from whatever its driver said.
    pub fn store(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Store(source.into())
    }

    /// What kind of error it is.
    pub fn kind(&self) -> Kind {
        match self {
            Error::SourceMismatch { .. } | Error::NotOwnUsage => Kind::Denied,
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
            Error::Store(_) => Fault::internal(&error),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}

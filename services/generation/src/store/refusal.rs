//! How a store says no: the service's own rows refused a change, or the driver failed.

use atelier_kit::fault::Fault;

use crate::error::Error;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::store(error)
    }
}

/// What the driver said.
pub(super) fn driver(error: &Error) -> Option<&sqlx::Error> {
    match error {
        Error::Unavailable(source) | Error::Store(source) => source.downcast_ref(),
        _ => None,
    }
}

/// Why a service's own rows refused a change that the record was about to make.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A rule of the service; nothing is written.
    #[error("{0}")]
    Rule(Fault),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Rule(fault)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rule(fault) => Error::Refused(fault),
            Refusal::Database(error) => error.into(),
        }
    }
}

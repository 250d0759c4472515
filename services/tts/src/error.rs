//! What can go wrong in this service, and what kind of error each is.

use std::time::Duration;

use atelier_kit::fault::{Fault, Kind};
use atelier_kit::objects::BlobError;

/// An error of this service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such conversion, or it belongs to another.
    #[error("no such conversion")]
    NoConversion,
    /// The conversion's generation did not end in time to be deleted.
    #[error("the text is still being spoken; try again")]
    StillRunning,
    /// The object store failed.
    #[error("the object store failed")]
    Objects(#[from] BlobError),
    /// The conversion store failed.
    #[error("the conversion store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match &error {
            Error::NoConversion => Fault::not_found("conversion"),
            Error::StillRunning => Fault::new(Kind::Conflict, "STILL_RUNNING", error.to_string()),
            Error::Objects(BlobError::Unavailable(_)) => Fault::new(
                Kind::Unavailable,
                "OBJECTS_UNAVAILABLE",
                "the object store cannot be reached",
            )
            .retry_after(Duration::from_secs(1)),
            Error::Objects(_) | Error::Store(_) => Fault::internal(&error),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}

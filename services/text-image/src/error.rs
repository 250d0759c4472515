//! What can go wrong in this service, and what kind of error each is.

use atelier_kit::fault::{Fault, Kind};
use atelier_kit::objects::BlobError;

/// An error of this service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such image, or it belongs to another.
    #[error("no such image")]
    NoImage,
    /// The image's generation did not end in time to be deleted.
    #[error("the image is still being made; try again")]
    StillRunning,
    /// The object store failed.
    #[error("the object store failed")]
    Objects(#[from] BlobError),
    /// The image store failed.
    #[error("the image store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The kind of error.
    pub fn kind(&self) -> Kind {
        match self {
            Error::NoImage => Kind::NotFound,
            Error::StillRunning => Kind::Conflict,
            Error::Objects(BlobError::Unavailable(_)) => Kind::Unavailable,
            Error::Objects(_) | Error::Store(_) => Kind::Internal,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.kind() {
            Kind::Internal => Fault::internal(&error),
            Kind::Conflict => Fault::new(Kind::Conflict, "STILL_RUNNING", error.to_string()),
            Kind::Unavailable => Fault::new(
                Kind::Unavailable,
                "OBJECTS_UNAVAILABLE",
                "the object store cannot be reached",
            ),
            _ => Fault::not_found("image"),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}

//! What can go wrong in this service, and what kind of error each is.

use std::time::Duration;

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

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match &error {
            Error::NoImage => Fault::not_found("image"),
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

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn a_store_that_is_away_may_be_asked_again_and_one_that_failed_is_ours() {
        let away = Fault::from(Error::from(sqlx::Error::PoolTimedOut));
        assert_eq!(
            (away.kind(), away.reason()),
            (Kind::Unavailable, "STORE_BUSY")
        );
        let status = tonic::Status::from(away);
        assert!(status.get_details_retry_info().is_some(), "{status:?}");
        let failed = Fault::from(Error::from(sqlx::Error::RowNotFound));
        assert_eq!(
            (failed.kind(), failed.reason()),
            (Kind::Internal, "INTERNAL")
        );
    }
}

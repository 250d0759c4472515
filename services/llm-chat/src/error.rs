//! What can go wrong in this service, and what kind of error each is.

use atelier_kit::fault::{Fault, Kind};

/// An error of this service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such conversation, or it belongs to another.
    #[error("no such conversation")]
    NoConversation,
    /// The `request_id` was used for another conversation.
    #[error("this request_id was used for another request")]
    RequestIdReused,
    /// Another reply in the conversation is being made.
    #[error("another reply in this conversation is being made")]
    ReplyInProgress,
    /// What keeps the generations says no: the account has left, or their store failed.
    #[error(transparent)]
    Generations(#[from] atelier_generation::Error),
    /// The store failed.
    #[error("the conversation store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let reason = match error {
            Error::Generations(source) => return source.into(),
            Error::Store(_) => return Fault::internal(&error),
            Error::NoConversation => return Fault::not_found("conversation"),
            Error::RequestIdReused => "REQUEST_ID_REUSED",
            Error::ReplyInProgress => "REPLY_IN_PROGRESS",
        };
        Fault::new(Kind::Precondition, reason, error.to_string())
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
        let away = Fault::from(Error::Store(Box::new(sqlx::Error::PoolTimedOut)));
        assert_eq!(
            (away.kind(), away.reason()),
            (Kind::Unavailable, "STORE_BUSY")
        );
        let status = tonic::Status::from(away);
        assert!(status.get_details_retry_info().is_some(), "{status:?}");
        let failed = Fault::from(Error::Store(Box::new(sqlx::Error::RowNotFound)));
        assert_eq!(
            (failed.kind(), failed.reason()),
            (Kind::Internal, "INTERNAL")
        );
    }
}

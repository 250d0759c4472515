//! What can go wrong in this service, and what kind of error each is.

use atelier_kit::fault::{Fault, Kind, is_away};

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
    /// The account has left.
    #[error(transparent)]
    Departed(atelier_generation::Error),
    /// The store is busy, full or away; the call may be repeated.
    #[error(transparent)]
    Unavailable(atelier_generation::Error),
    /// The store failed.
    #[error("the conversation store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A store that is busy, full or away, from whatever its driver said.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(atelier_generation::Error::unavailable(source))
    }

    /// The same, with what passes told apart from what does not.
    fn sorted(self) -> Self {
        match self {
            Error::Store(source) if is_away(source.as_ref()) => Self::unavailable(source),
            other => other,
        }
    }

    /// The kind of error.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Unavailable(_) => Kind::Unavailable,
            Error::Store(source) if is_away(source.as_ref()) => Kind::Unavailable,
            Error::NoConversation | Error::Departed(_) => Kind::NotFound,
            Error::RequestIdReused | Error::ReplyInProgress => Kind::Precondition,
            Error::Store(_) => Kind::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Error::NoConversation | Error::Departed(_) => "NOT_FOUND",
            Error::Unavailable(_) => "STORE_BUSY",
            Error::RequestIdReused => "REQUEST_ID_REUSED",
            Error::ReplyInProgress => "REPLY_IN_PROGRESS",
            Error::Store(_) => "INTERNAL",
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.sorted() {
            Error::Store(source) => Fault::internal(source.as_ref()),
            Error::Departed(source) | Error::Unavailable(source) => source.into(),
            other => Fault::new(other.kind(), other.reason(), other.to_string()),
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

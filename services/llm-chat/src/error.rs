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
    /// The account has left.
    #[error(transparent)]
    Departed(atelier_generation::Error),
    /// The store failed.
    #[error("the conversation store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The kind of error.
    pub fn kind(&self) -> Kind {
        match self {
            Error::NoConversation | Error::Departed(_) => Kind::NotFound,
            Error::RequestIdReused | Error::ReplyInProgress => Kind::Precondition,
            Error::Store(_) => Kind::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Error::NoConversation | Error::Departed(_) => "NOT_FOUND",
            Error::RequestIdReused => "REQUEST_ID_REUSED",
            Error::ReplyInProgress => "REPLY_IN_PROGRESS",
            Error::Store(_) => "INTERNAL",
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(source) => Fault::internal(source.as_ref()),
            Error::Departed(source) => source.into(),
            other => Fault::new(other.kind(), other.reason(), other.to_string()),
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}

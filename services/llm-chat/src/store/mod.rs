//! Where conversations are kept.

mod mongo;
mod projection;
mod sql;

pub use mongo::{MongoConversationStore, ReplyDocuments};
pub use projection::ReplyRows;
pub use sql::SqlConversationStore;

/// What the driver says is told to the rules as a failure of the store.
impl From<sqlx::Error> for crate::error::Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(Box::new(error))
    }
}

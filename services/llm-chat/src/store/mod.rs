//! Where conversations are kept.

mod projection;
mod sqlite;

pub use projection::ReplyRows;
pub use sqlite::SqliteConversationStore;

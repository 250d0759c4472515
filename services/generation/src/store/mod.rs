//! Durable records; each adapter writes the service's own rows in the same transaction, through a projection.

mod departed;
mod groups;
mod outboxes;
mod refusal;
mod rows;
mod sqlite;

pub use departed::{erase, has_departed, refuse_departed};
pub use refusal::Refusal;
pub use sqlite::{Projection, SqliteRecord, migrations};

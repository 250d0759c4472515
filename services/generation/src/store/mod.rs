//! Durable records; each adapter writes the service's own rows in the same transaction, through a projection.

mod refusal;
mod sqlite;

pub use refusal::Refusal;
pub use sqlite::{Projection, SqliteRecord, erase, has_departed, migrations, refuse_departed};

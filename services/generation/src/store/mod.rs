//! Durable records; each adapter writes the service's own rows in the same transaction, or the same document, through a
//! projection.

mod departed;
mod groups;
mod mongo;
mod outboxes;
mod refusal;
mod rows;
mod sql;

pub use departed::{erase, has_departed, refuse_departed};
pub use mongo::{Admission, Admissions, Change, MongoProjection, MongoRecord};
pub use refusal::Refusal;
pub use sql::{MIGRATIONS, Projection, SqlRecord};

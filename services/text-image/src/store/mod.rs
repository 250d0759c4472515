//! Where pictures are kept.

mod projection;
mod sqlite;

pub use projection::{ImageRows, SETTLING};
pub use sqlite::SqliteImageStore;

/// What the driver says is told to the rules as a failure of the store.
impl From<sqlx::Error> for crate::error::Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(Box::new(error))
    }
}

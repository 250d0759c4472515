//! Where pictures are kept.

mod projection;
mod sql;

pub use projection::{ImageRows, SETTLING};
pub use sql::SqlImageStore;

impl From<sqlx::Error> for crate::error::Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(Box::new(error))
    }
}

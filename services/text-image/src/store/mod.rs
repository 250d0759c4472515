//! Where pictures are kept.

mod projection;
mod sql;

pub use projection::{ImageRows, SETTLING};
pub use sql::SqlImageStore;

/// What the driver says is told to the rules as trouble that passes, or as a failure of the store.
impl From<sqlx::Error> for crate::error::Error {
    fn from(error: sqlx::Error) -> Self {
        if atelier_kit::sql::is_busy(&error) {
            Self::Unavailable(atelier_generation::Error::unavailable(error))
        } else {
            Self::Store(Box::new(error))
        }
    }
}

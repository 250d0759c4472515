//! Where pictures are kept.

mod projection;
mod sqlite;

pub use projection::ImageRows;
pub use sqlite::SqliteImageStore;

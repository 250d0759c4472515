//! Where conversions are kept.

mod projection;
mod sqlite;

pub use projection::ConversionRows;
pub use sqlite::SqliteConversionStore;

//! Where conversions are kept.

mod projection;
mod sql;

pub use projection::ConversionRows;
pub use sql::SqlConversionStore;

//! The stores of usage, each named by its technology; no rule is decided here.

mod sqlite;

pub use sqlite::SqliteUsageStore;

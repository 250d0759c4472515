//! The stores of usage, each named by its technology; no rule is decided here.

mod mongo;
mod sql;

pub use mongo::MongoUsageStore;
pub use sql::SqlUsageStore;

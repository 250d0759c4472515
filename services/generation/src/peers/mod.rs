//! The peers of a generation, over links: who counts what is used, and who pays for it.

mod analytics;
mod credits;

pub use analytics::AnalyticsCourier;
pub use credits::CreditsPurse;

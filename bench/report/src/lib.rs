//! What every bench writes: the page of a run with its tables, and the machine it ran on; it measures nothing itself.

mod machine;
mod numbers;
mod page;

pub use machine::{Watch, of_process, own_seconds, thread_seconds};
pub use numbers::{Spread, median, percentile};
pub use page::{Output, Page, Table, micros, millis, times};

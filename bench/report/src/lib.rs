//! What benches share: the page of a run with its tables, the machine it ran on, and processes that are measured; it measures
//! nothing itself.

mod machine;
mod numbers;
mod page;
mod process;

pub use machine::{Watch, of_process, own_seconds, thread_seconds};
pub use numbers::{Spread, median, percentile};
pub use page::{Output, Page, Table, micros, millis, times};
pub use process::{Launch, Process, allowed_cores, free_port, local, said, settle};

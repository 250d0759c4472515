//! Journals: bounded replay buffers of events; the truth is in the record.

mod memory;

pub use memory::{Bounds, MemoryJournal};

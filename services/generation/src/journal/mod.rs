//! Journals: bounded replay buffers of events; the truth is in the record.

mod memory;
mod redis;

pub use memory::{Bounds, MemoryJournal};
pub use redis::{Holds, RedisJournal, StreamBounds};

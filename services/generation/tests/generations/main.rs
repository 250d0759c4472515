//! What generations promise, shown on the real engine: a SQLite file, a journal in memory, and a provider on strings.

mod book;
mod cancels;
mod crashes;
mod departures;
mod ends;
mod fences;
mod groups;
mod journals;
mod lists;
mod money;
mod outboxes;
mod pauses;
mod paying;
mod puppet;
mod reading;
mod requests;
mod stage;
mod streams;
mod takeovers;
mod turns;

//! What generations promise, shown on the real engine: rows as `ATELIER_TEST_STORE` says, a journal as
//! `ATELIER_TEST_JOURNAL` says, and a provider on strings.

mod book;
mod cancels;
mod crashes;
mod departures;
mod ends;
mod fences;
mod fragile;
mod ground;
mod journal;
mod journals;
mod lists;
mod money;
mod outboxes;
mod pairs;
mod pauses;
mod paying;
mod points;
mod postgres_only;
mod puppet;
mod reading;
mod replicas;
mod requests;
mod slow;
mod sqlite_only;
mod stage;
mod streams;
mod takeovers;
mod troubles;
mod turns;

/// What is said of transactions and locks: MongoDB has none, and there these are left out by their name.
mod sql_only {
    mod groups;
    mod held;
}

//! One text of SQL on both engines: what the stores rely on, shown on whichever `ATELIER_TEST_STORE` says, and what is true of a
//! server alone.

#![allow(missing_docs, reason = "tests are named for what they show")]

mod away;
mod beside;
mod migrating;
mod stage;
mod statements;

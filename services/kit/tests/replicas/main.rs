//! Several replicas of a role behind one link: who gets a call, and what it costs when some are away, slow, leaving or lost.

#![allow(missing_docs, reason = "tests are named for what they show")]

mod choice;
mod failures;
mod leaving;
mod moving;
mod names;
mod near;
#[path = "../probe/mod.rs"]
mod probe;
mod refusals;
mod stage;

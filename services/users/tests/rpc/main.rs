//! The whole service behind its real client: an in-memory link, the full stack, and the service's own keys to verify with.

#![allow(missing_docs, reason = "tests are named for what they show")]

mod accounts;
mod admin;
mod house;
mod keeping;
mod refresh;
mod sessions;

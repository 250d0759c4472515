//! The whole service behind its real client: an in-memory link, the full stack, and the service's own keys to verify with.

#![allow(missing_docs, reason = "tests are named for what they show")]

mod accounts;
mod admin;
mod api_keys;
mod attempts;
mod emails;
mod house;
mod keeping;
mod keys;
mod operator;
mod refresh;
mod resets;
mod revocations;
mod second_factor;
mod sessions;
mod smtp;

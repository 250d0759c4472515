//! The whole service behind its real client: an in-memory link, the full stack, a real object store, and a provider on
//! loopback that can be as bad as any.

#![allow(missing_docs, reason = "tests are named for what they show")]

mod canary;
mod house;
mod keeping;
mod leaving;
mod models;
mod paid;
mod provider;
mod refusing;
mod speaking;
mod upstream;

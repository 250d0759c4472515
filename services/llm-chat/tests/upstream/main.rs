//! Replies of a real API over HTTP, which one on loopback plays: what is asked of it, and what becomes of everything
//! that can go wrong there.

mod canary;
mod failures;
mod models;
mod paid;
mod priced;
mod replies;
mod stage;
mod upstreams;

//! The RPCs over an in-memory link, with the real client and the whole stack around them.

mod conversations;
mod leaving;
mod listing;
mod paid;
mod refusals;
mod replies;
mod stage;

//! What each RPC of analytics promises, over an in-memory link with the real client and the whole stack.

mod counting;
mod crashes;
mod leaving;
mod listing;
mod record;
mod stage;
mod summary;

//! The RPCs over an in-memory link, with the real client and the whole stack around them, and a real object store
//! behind them; where an API of others is needed, one answers on loopback.

mod bounds;
mod canary;
mod leaving;
mod lists;
mod lives;
mod models;
mod objects;
mod paid;
mod painting;
mod refusals;
mod stage;
mod upstream;

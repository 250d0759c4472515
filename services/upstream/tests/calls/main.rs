//! Calls to other people's APIs over HTTP, which ones on loopback play: how they are made, made again, shared, and ended.

mod bounds;
mod choices;
mod ends;
mod keys;
mod repeats;
mod stage;

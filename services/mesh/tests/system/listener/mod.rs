//! What the edge's listener promises whoever is no friend of it, over raw sockets: what it answers, how much memory it takes at most,
//! and that others are served all the while. `just listener` makes a page of the table.

mod absent;
mod bodies;
mod crowd;
mod floods;
mod headers;
mod hpack;
mod plain;
mod stage;
mod wire;

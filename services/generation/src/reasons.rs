//! The reasons of failures that a provider is behind, each once, to be matched by programs.

/// It cannot be reached, did not answer in time, broke off, or is left alone because it failed too often. May pass.
pub const UPSTREAM_UNAVAILABLE: &str = "UPSTREAM_UNAVAILABLE";
/// It has too much to do, its limit is reached, or it is not paid for. May pass; the message says when, where that is known.
pub const UPSTREAM_BUSY: &str = "UPSTREAM_BUSY";
/// It refused the request, its key, or the model, or sent the call elsewhere. The same request is refused again.
pub const UPSTREAM_REFUSED: &str = "UPSTREAM_REFUSED";
/// What it sent is not what was asked for, is too much, or makes no sense. May pass.
pub const UPSTREAM_GARBLED: &str = "UPSTREAM_GARBLED";
/// It answered, and said nothing. May pass.
pub const UPSTREAM_EMPTY: &str = "UPSTREAM_EMPTY";

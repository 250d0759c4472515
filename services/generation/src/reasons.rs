//! The reasons of failures that a provider, the store or the purse is behind, each once, to be matched by programs.

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

/// The service's own store was away for too long. May pass.
pub const STORE_BUSY: &str = "STORE_BUSY";

/// The credits do not cover the most that it can cost. More credits help, time does not.
pub const INSUFFICIENT_CREDITS: &str = "INSUFFICIENT_CREDITS";
/// The account has had as many of the medium today as its plan allows. May pass, and when is told.
pub const QUOTA_EXHAUSTED: &str = "QUOTA_EXHAUSTED";
/// As many of the account, or of an anonymous account's network, are at work as may be. May pass.
pub const TOO_MANY_AT_ONCE: &str = "TOO_MANY_AT_ONCE";
/// What the operator lets all spend in this hour or day is spent. May pass, and when is told.
pub const SPENDING_STOPPED: &str = "SPENDING_STOPPED";
/// What the operator lets anonymous accounts cost in this day is spent. May pass, and when is told.
pub const ANONYMOUS_BUDGET_SPENT: &str = "ANONYMOUS_BUDGET_SPENT";
/// The account is not known where the credits are: it was deleted, or its guest session is over.
pub const ACCOUNT_UNKNOWN: &str = "ACCOUNT_UNKNOWN";
/// The service that keeps the credits cannot be asked. Nothing was sent: it is never free of charge. May pass.
pub const CREDITS_UNAVAILABLE: &str = "CREDITS_UNAVAILABLE";

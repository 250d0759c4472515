//! What can go wrong with a book; no driver's error type is named here.

use atelier_kit::moment::Micros;

/// Why money is not given. Nothing was changed by asking, but what was due.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The balance does not cover it.
    #[error("the credits do not cover it: {needed} are needed, {available} are there")]
    Insufficient {
        /// The most it can cost.
        needed: i64,
        /// What may be spent.
        available: i64,
    },
    /// There were as many of the medium today as there may be.
    #[error("the daily quota is used up")]
    QuotaExhausted {
        /// How many there may be.
        limit: u32,
        /// When all are there again.
        reset: Micros,
    },
    /// As many of the holder are at work as may be.
    #[error("{0} generations are at work already")]
    TooManyAtOnce(u32),
    /// As many of the network are at work as may be.
    #[error("{0} generations of this network are at work already")]
    NetworkTooManyAtOnce(u32),
    /// A bound for all is reached.
    #[error("no more may be spent for now")]
    SpendingStopped {
        /// When it begins anew.
        reset: Micros,
    },
    /// The bound for those who have no credits is reached.
    #[error("the budget for anonymous accounts is spent")]
    HouseBudgetSpent {
        /// When it begins anew.
        reset: Micros,
    },
    /// The end of the generation was told before.
    #[error("the generation has ended")]
    Ended,
}

/// Why the book was not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A figure or a price is below 0, or the cost is too large.
    #[error(transparent)]
    Overflow(#[from] crate::tariff::Overflow),
    /// No such generation was paid for here.
    #[error("no such generation was paid for")]
    Unknown,
    /// The generation was charged nothing, or not by its holder.
    #[error("the generation was charged nothing")]
    NotCharged,
    /// More than is left of its charge.
    #[error("only {0} of the charge are left")]
    RefundTooHigh(i64),
    /// The key gave other credits.
    #[error("the key was used for other credits")]
    KeyReused,
    /// Another has the book for too long; it may be tried again.
    #[error("the book is busy")]
    Busy,
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A failure of the store.
    pub fn store(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Store(source.into())
    }
}

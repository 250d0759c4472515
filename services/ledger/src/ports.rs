//! The one port: a book that is written whole or not at all.

use async_trait::async_trait;
use atelier_kit::moment::Micros;

use crate::error::Error;
use crate::known::{
    Ask, Balance, Entry, Grant, House, Medium, Month, NewGrant, Overdue, Refund, Reserved, Settled,
    Spent, Terms,
};
use crate::tariff::Amounts;

/// The book of credits. Each method that writes is one transaction: entries, balances, quotas and what was spent of the
/// bounds change together. `now` is the caller's clock; a day and an hour are UTC's.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Sets aside the most that a generation can cost, and counts it. The same generation again gets the same answer and
    /// is counted once, also when it has been settled since; [`crate::Refusal::Ended`] when it was released, or its end was told
    /// before anything was set aside for it.
    async fn reserve(&self, ask: &Ask, terms: &Terms, now: Micros) -> Result<Reserved, Error>;

    /// Charges what was used at the prices of the reservation, and gives the rest back. Again: the answer of the first
    /// time, also after a release. One that was never reserved is charged nothing, and can be reserved no more.
    async fn settle(&self, id: &str, used: &Amounts, now: Micros) -> Result<Settled, Error>;

    /// Gives all back, and counts it no more. One that was never reserved can be reserved no more; one that was settled
    /// stays as it is.
    async fn release(&self, id: &str, now: Micros) -> Result<(), Error>;

    /// Gives credits, or finds what the same key gave before; [`Error::KeyReused`] when that was something else.
    async fn grant(&self, grant: &NewGrant, now: Micros) -> Result<Grant, Error>;

    /// Gives back what a generation was charged, or a part of it, as credits that do not expire; or finds what the same key gave
    /// back before.
    async fn refund(&self, refund: &Refund, now: Micros) -> Result<Grant, Error>;

    /// What a holder may spend, after what is due was given and what has expired was taken.
    async fn balance(&self, holder: &str, due: &[NewGrant], now: Micros) -> Result<Balance, Error>;

    /// What the grants of this holder whose keys begin so have given together.
    async fn given(&self, holder: &str, key_prefix: &str) -> Result<i64, Error>;

    /// At most so many of a holder's entries before a number, the newest first.
    async fn entries(
        &self,
        holder: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>, Error>;

    /// At most so many of a holder's entries of a month after a number, the oldest first.
    async fn entries_of(
        &self,
        holder: &str,
        month: Month,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, Error>;

    /// What a holder could spend at a time: the balance after the last entry before it.
    async fn balance_at(&self, holder: &str, time: Micros) -> Result<i64, Error>;

    /// How many generations of each medium a holder has begun today; media without one are left out.
    async fn used_today(&self, holder: &str, now: Micros) -> Result<Vec<(Medium, u32)>, Error>;

    /// What was spent of the bounds.
    async fn spent(&self, now: Micros) -> Result<Spent, Error>;

    /// What stands in the house's accounts.
    async fn house(&self) -> Result<Vec<(House, i64)>, Error>;

    /// At most so many reservations whose time is over, those first that are over for longest.
    async fn overdue(&self, now: Micros, limit: u32) -> Result<Vec<Overdue>, Error>;

    /// Keeps a reservation until a later time; nothing for one that has ended.
    async fn keep(&self, id: &str, lease: Micros) -> Result<(), Error>;

    /// Takes what has expired from its holders, at most so many grants; how many there were.
    async fn expire(&self, now: Micros, limit: u32) -> Result<u32, Error>;

    /// A holder leaves: what may be spent is taken, and what was said of his grants is erased. Entries and amounts stay.
    /// What his generations hold is settled as ever; what comes back is taken at once. How many entries stay.
    async fn leave(&self, holder: &str, now: Micros) -> Result<u64, Error>;
}

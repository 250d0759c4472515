//! What the rules need from outside, in their own words; no database is named here.

use async_trait::async_trait;

use crate::error::Error;
use crate::summary::{SummaryQuery, SummaryRow};
use crate::usage::{Cursor, Event, Recorded};

/// Keeps usage events, and the sums of each hour beside them.
#[async_trait]
pub trait UsageStore: Send + Sync + 'static {
    /// Keeps the events whose (source, id) is new and adds them to their hours, all of it or nothing.
    ///
    /// The first event of a (source, id) stays as it is, also when the same batch holds another.
    async fn record(&self, events: &[Event]) -> Result<Recorded, Error>;

    /// At most `limit` events of an account, or of everybody, that come after the cursor: the newest first, and
    /// those of one moment by source and id downwards.
    async fn list(
        &self,
        user_id: Option<&str>,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Vec<Event>, Error>;

    /// How many events there are of an account.
    async fn count(&self, user_id: &str) -> Result<u64, Error>;

    /// At most `limit` rows of a summary, ordered by bucket, service, model and account upwards.
    async fn summarize(&self, query: &SummaryQuery, limit: i64) -> Result<Vec<SummaryRow>, Error>;
}

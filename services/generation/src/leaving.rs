//! An account that leaves: nothing of it begins any more, what runs is asked to end, and then all of it is forgotten.

use std::time::{Duration, Instant};

use crate::engine::Generations;
use crate::error::Error;
use crate::ports::GenerationRecord;

/// How many open generations are asked to end at once.
const OPEN: u32 = 200;
/// How many records are read at once: one may hold a megabyte.
const PAGE: u32 = 20;
/// How long one call waits for generations to end that it cancelled.
const ENDING: Duration = Duration::from_secs(5);
/// When to ask again after that.
const AGAIN: Duration = Duration::from_secs(1);

impl Generations {
    /// Lets an owner go: from the first call on nothing of this owner begins, and what runs is cancelled. Returns when all
    /// of it has ended and is counted, so that what the service keeps of it can be erased.
    ///
    /// [`Error::StillEnding`] when that takes longer than a call should.
    pub async fn depart(&self, owner: &str) -> Result<(), Error> {
        self.record().depart(owner).await?;
        let begun = Instant::now();
        loop {
            let open = self.record().open_of(owner, OPEN).await?;
            for id in &open {
                match self.cancel(owner, id).await {
                    Ok(_) | Err(Error::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            if open.is_empty() && self.outbox().waiting(owner).await? == 0 {
                return Ok(());
            }
            if begun.elapsed() > ENDING {
                return Err(Error::StillEnding(AGAIN));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The records of an owner after an id, in the order of their ids; none is the end of them.
    pub async fn records_of(
        &self,
        owner: &str,
        after: &str,
    ) -> Result<Vec<GenerationRecord>, Error> {
        self.record().of(owner, after, PAGE).await
    }

    /// Forgets all generations of an owner who has departed, journals included, once the service's own rows are erased.
    /// Returns how many there were.
    pub async fn forget_all(&self, owner: &str) -> Result<u64, Error> {
        let mut forgotten = 0;
        loop {
            let records = self.records_of(owner, "").await?;
            if records.is_empty() {
                return Ok(forgotten);
            }
            for record in records {
                if !self.record().forget(&record.id).await? {
                    // One that has not ended is of an owner who has not departed.
                    return Err(Error::StillEnding(AGAIN));
                }
                self.forget_journal(&record.id).await;
                forgotten += 1;
            }
        }
    }

    /// Drops what the journal knows of a generation; whoever watches it is told that nothing more comes.
    pub async fn forget_journal(&self, id: &str) {
        self.journal().forget(id).await;
    }
}

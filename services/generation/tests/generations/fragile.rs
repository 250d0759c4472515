//! A record that can be away, and whose answers can be lost, in front of the real one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use atelier_generation::{
    End, Error, GenerationRecord, Inserted, Lease, Listing, NewGeneration, Open, Outbox, Record,
    Repeat, Settlement, Settlements,
};
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::{Snapshot, State};

use crate::ground::Kept;

/// What is wrong with it.
#[derive(Default)]
pub struct Faults {
    /// Nobody is there: nothing is done, and everything is told so.
    pub away: AtomicBool,
    /// So many writes of an owner are done, and their answer does not come.
    pub unanswered: AtomicU32,
}

/// The record, its outbox and its settlements.
pub struct Fragile {
    pub record: Arc<dyn Kept>,
    pub faults: Arc<Faults>,
}

fn broken() -> Error {
    Error::unavailable(std::io::Error::other("nobody is there"))
}

impl Fragile {
    fn there(&self) -> Result<&dyn Kept, Error> {
        match self.faults.away.load(Ordering::SeqCst) {
            true => Err(broken()),
            false => Ok(&*self.record),
        }
    }

    fn answered<T>(&self, told: Result<T, Error>) -> Result<T, Error> {
        let left = &self.faults.unanswered;
        let lost = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        });
        match lost {
            Ok(_) => Err(broken()),
            Err(_) => told,
        }
    }
}

#[async_trait]
impl Record for Fragile {
    async fn insert(&self, new: &NewGeneration, state: State) -> Result<Inserted, Error> {
        self.there()?.insert(new, state).await
    }

    async fn repeated(&self, again: Repeat<'_>) -> Result<Option<GenerationRecord>, Error> {
        self.there()?.repeated(again).await
    }

    async fn find(&self, id: &str) -> Result<Option<GenerationRecord>, Error> {
        self.there()?.find(id).await
    }

    async fn checkpoint(
        &self,
        lease: &Lease,
        state: State,
        snapshot: &Snapshot,
        sequence: i64,
    ) -> Result<bool, Error> {
        let record = self.there()?;
        record.checkpoint(lease, state, snapshot, sequence).await
    }

    async fn finish(&self, lease: &Lease, end: &End) -> Result<(), Error> {
        let told = self.there()?.finish(lease, end).await;
        self.answered(told)
    }

    async fn request_cancel(&self, id: &str) -> Result<Option<State>, Error> {
        self.there()?.request_cancel(id).await
    }

    async fn beat(&self, leases: &[Lease]) -> Result<Vec<String>, Error> {
        self.there()?.beat(leases).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), Error> {
        self.there()?.release(leases).await
    }

    async fn cancelled(&self) -> Result<Vec<String>, Error> {
        self.there()?.cancelled().await
    }

    async fn open(&self) -> Result<Vec<Open>, Error> {
        self.there()?.open().await
    }

    async fn claim(&self, seen: &[Open]) -> Result<Vec<GenerationRecord>, Error> {
        self.there()?.claim(seen).await
    }

    async fn forget(&self, id: &str) -> Result<bool, Error> {
        self.there()?.forget(id).await
    }

    async fn depart(&self, owner: &str) -> Result<(), Error> {
        self.there()?.depart(owner).await
    }

    async fn of(
        &self,
        owner: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<GenerationRecord>, Error> {
        self.there()?.of(owner, after, limit).await
    }

    async fn list(
        &self,
        owner: &str,
        before: Option<&str>,
        open_only: bool,
        limit: i64,
    ) -> Result<Vec<Listing>, Error> {
        self.there()?.list(owner, before, open_only, limit).await
    }

    async fn open_of(&self, owner: &str, limit: u32) -> Result<Vec<String>, Error> {
        self.there()?.open_of(owner, limit).await
    }
}

#[async_trait]
impl Outbox for Fragile {
    async fn pending(&self, limit: u32) -> Result<Vec<UsageEvent>, Error> {
        self.there()?.pending(limit).await
    }

    async fn waiting(&self, owner: &str) -> Result<u64, Error> {
        self.there()?.waiting(owner).await
    }

    async fn acknowledge(&self, ids: &[String]) -> Result<(), Error> {
        self.there()?.acknowledge(ids).await
    }
}

#[async_trait]
impl Settlements for Fragile {
    async fn unsettled(&self, after: &str, limit: u32) -> Result<Vec<Settlement>, Error> {
        self.there()?.unsettled(after, limit).await
    }

    async fn owed(&self, id: &str) -> Result<Option<Settlement>, Error> {
        self.there()?.owed(id).await
    }

    async fn settled(&self, ids: &[String]) -> Result<(), Error> {
        self.there()?.settled(ids).await
    }
}

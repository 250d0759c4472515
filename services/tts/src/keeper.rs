//! The keeper of objects: clears away what belongs to no conversion any more.

use std::sync::Arc;
use std::time::Duration;

use atelier_kit::fault::chain;
use atelier_kit::moment;
use atelier_kit::objects::BlobStore;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::ports::ConversionStore;

const ROUND: Duration = Duration::from_secs(1);
const AT_ONCE: i64 = 100;

/// Looks after the objects.
#[derive(Clone)]
pub struct Keeper {
    store: Arc<dyn ConversionStore>,
    objects: Arc<dyn BlobStore>,
}

impl Keeper {
    /// Of the conversions in this store and the objects in that one.
    pub fn new(store: Arc<dyn ConversionStore>, objects: Arc<dyn BlobStore>) -> Self {
        Self { store, objects }
    }

    /// A round every second, until `stop`.
    pub async fn rounds(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(ROUND);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.round().await {
                // At the end of a process its own object store may be gone before a round is.
                if stop.is_cancelled() {
                    return;
                }
                tracing::warn!(error = %chain(&error), "objects wait for their keeper");
            }
        }
    }

    async fn round(&self) -> Result<(), Error> {
        for prefix in self.store.leftovers(moment::now(), AT_ONCE).await? {
            self.clear(&prefix).await?;
        }
        Ok(())
    }

    async fn clear(&self, prefix: &str) -> Result<(), Error> {
        self.delete(prefix).await?;
        self.store.cleared(prefix).await
    }

    /// Deletes all objects that begin with this, and returns how many there were.
    pub async fn delete(&self, prefix: &str) -> Result<u64, Error> {
        let mut deleted = 0;
        loop {
            let keys = self.objects.list(prefix, None).await?;
            for key in &keys {
                self.objects.delete(key).await?;
            }
            if keys.is_empty() {
                return Ok(deleted);
            }
            deleted += keys.len() as u64;
        }
    }
}

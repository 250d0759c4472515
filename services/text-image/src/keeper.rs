//! The keeper of objects: brings daily histories up to the table, and clears away what belongs to no picture any more.

use std::sync::Arc;
use std::time::Duration;

use atelier_kit::fault::chain;
use atelier_kit::moment;
use atelier_kit::objects::{BlobError, BlobStore};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::image::Image;
use crate::layout;
use crate::ports::{ImageStore, StaleHistory};

const ROUND: Duration = Duration::from_secs(1);
/// How much later than that a round may begin, by chance: keepers of two processes must not keep step and do all of it twice.
const STRAY: Duration = Duration::from_millis(400);
const AT_ONCE: i64 = 100;

/// Looks after the objects.
#[derive(Clone)]
pub struct Keeper {
    store: Arc<dyn ImageStore>,
    objects: Arc<dyn BlobStore>,
    /// Held while a history is written: one that was read before its owner left must not be written after.
    writing: Arc<Mutex<()>>,
}

impl Keeper {
    /// Of the pictures in this store and the objects in that one.
    pub fn new(store: Arc<dyn ImageStore>, objects: Arc<dyn BlobStore>) -> Self {
        Self {
            store,
            objects,
            writing: Arc::default(),
        }
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
            tokio::time::sleep(STRAY.mul_f64(fastrand::f64())).await;
            if let Err(error) = self.round().await {
                // At the end of a process its own object store may be gone before a round is.
                if stop.is_cancelled() {
                    return;
                }
                tracing::warn!(error = %chain(&error), "objects wait for their keeper");
            }
        }
    }

    pub(crate) async fn round(&self) -> Result<(), Error> {
        for stale in self.store.stale_histories(AT_ONCE).await? {
            pass_over(self.write_history(&stale).await)?;
        }
        for prefix in self.store.leftovers(moment::now(), AT_ONCE).await? {
            pass_over(self.clear(&prefix).await)?;
        }
        Ok(())
    }

    async fn write_history(&self, stale: &StaleHistory) -> Result<(), Error> {
        let _writing = self.writing.lock().await;
        let key = layout::history(&stale.user_id, stale.day)?;
        let images = self.store.history(&stale.user_id, stale.day).await?;
        if images.is_empty() {
            self.objects.delete(&key).await?;
        } else {
            let lines: String = images.iter().map(line).collect();
            self.objects
                .put(&key, lines.into(), "application/x-ndjson")
                .await?;
            // Another process on the same tables may have erased the owner meanwhile.
            if self.store.has_departed(&stale.user_id).await? {
                self.objects.delete(&key).await?;
            }
        }
        self.store.history_written(stale).await
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

    /// Deletes all histories of a user whose pictures are erased, and returns how many there were.
    pub async fn erase_histories(&self, user_id: &str) -> Result<u64, Error> {
        let _writing = self.writing.lock().await;
        let deleted = self.delete(&layout::histories(user_id)).await?;
        self.store.forget_histories(user_id).await?;
        Ok(deleted)
    }
}

/// One thing that cannot be looked after must not keep the others from it; a store that is away ends the round.
fn pass_over(done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Err(Error::Objects(error)) if !matches!(error, BlobError::Unavailable(_)) => {
            tracing::error!(error = %chain(&error), "an object cannot be looked after");
            Ok(())
        }
        done => done,
    }
}

/// One picture as a line of a history.
fn line(image: &Image) -> String {
    let line = serde_json::json!({
        "id": image.id,
        "prompt": image.commission.prompt,
        "size": format!("{}x{}", image.commission.width, image.commission.height),
        "style": image.commission.style,
        "seed": image.commission.seed,
        "provider": image.provider,
        "model": image.model,
        "s3_key": image.stored.as_ref().map(|stored| &stored.s3_key),
        "created_at": jiff::Timestamp::from_microsecond(image.create_time).map(|time| time.to_string()).ok(),
    });
    format!("{line}\n")
}

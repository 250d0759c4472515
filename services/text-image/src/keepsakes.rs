//! What is kept of an account: told to whoever takes it along, and erased when the account leaves. Objects go before the rows
//! that know of them, so that a crash in between leaves something to find them by.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use atelier_generation::Generations;
use atelier_kit::fault::Fault;
use atelier_kit::moment::{self, Micros};
use atelier_kit::objects::{Blob, BlobStore, ObjectKey};
use atelier_privacy::{Erased, Keepsakes, Parcel, time};
use futures_util::StreamExt as _;
use serde_json::json;

use crate::error::Error;
use crate::image::Image;
use crate::keeper::Keeper;
use crate::layout;
use crate::ports::ImageStore;

/// How many pictures are read, or erased, at once.
const PAGE: i64 = 100;

/// The pictures of accounts.
pub struct Pictures {
    pub(crate) store: Arc<dyn ImageStore>,
    pub(crate) objects: Arc<dyn BlobStore>,
    pub(crate) keeper: Keeper,
    pub(crate) generations: Generations,
}

#[async_trait]
impl Keepsakes for Pictures {
    async fn export(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault> {
        let mut before: Option<(Micros, String)> = None;
        loop {
            let images = self.store.list(Some(account), before.clone(), PAGE).await?;
            let Some(last) = images.last() else {
                return Ok(());
            };
            before = Some((last.create_time, last.id.clone()));
            for image in &images {
                self.tell(image, parcel).await?;
            }
        }
    }

    async fn erase(&self, account: &str) -> Result<Erased, Fault> {
        self.generations.depart(account).await?;
        let now = moment::now();
        // What was broken off may still put an object that was on its way.
        if let Some(until) = self.store.unsettled(account, now).await? {
            let wait = Duration::from_micros((until - now).unsigned_abs());
            return Err(atelier_generation::Error::StillEnding(wait).into());
        }
        let (mut images, mut objects) = (0, 0);
        loop {
            let page = self.store.list(Some(account), None, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for image in &page {
                objects += self.keeper.delete(&prefix(image)).await?;
            }
            let ids: Vec<String> = page.into_iter().map(|image| image.id).collect();
            self.store.erase(&ids).await?;
            for id in &ids {
                self.generations.forget_journal(id).await;
            }
            images += ids.len() as u64;
        }
        loop {
            let prefixes = self.store.leftovers_of(account, PAGE).await?;
            if prefixes.is_empty() {
                break;
            }
            for prefix in prefixes {
                objects += self.keeper.delete(&prefix).await?;
                self.store.cleared(&prefix).await?;
            }
        }
        let histories = self.keeper.erase_histories(account).await?;
        self.generations.forget_all(account).await?;
        self.store.write_back().await?;
        Ok(Erased::default()
            .erased("images", images)
            .erased("objects", objects)
            .erased("histories", histories))
    }
}

impl Pictures {
    /// Writes a picture, and before it what is known of it.
    async fn tell(&self, image: &Image, parcel: &mut Parcel) -> Result<(), Fault> {
        let object = match &image.stored {
            Some(stored) => self.open(&stored.s3_key).await?,
            None => None,
        };
        let file = image.stored.as_ref().map(|stored| {
            let end = stored.s3_key.rsplit('.').next().unwrap_or("png");
            format!("images/{}.{end}", image.id)
        });
        let told = json!({
            "id": image.id,
            "prompt": image.commission.prompt,
            "width": image.commission.width,
            "height": image.commission.height,
            "style": image.commission.style,
            "seed": image.commission.seed,
            "state": image.state.as_str_name(),
            "provider": image.provider,
            "model": image.model,
            "create_time": time(image.create_time),
            "update_time": time(image.update_time),
            "content_type": image.stored.as_ref().map(|stored| &stored.content_type),
            "size_bytes": image.stored.as_ref().map(|stored| stored.size_bytes),
            "sha256": image.stored.as_ref().map(|stored| &stored.sha256),
            "processing_micros": image.stored.as_ref().map(|stored| stored.processing_micros),
            "file": file,
            "is_missing": file.is_some() && object.is_none(),
        });
        parcel
            .json(&format!("images/{}.json", image.id), &told)
            .await?;
        if let (Some(file), Some(mut object)) = (file, object) {
            parcel.file(&file, &object.content_type).await?;
            while let Some(bytes) = object.body.next().await {
                parcel.write(bytes.map_err(Error::from)?).await?;
            }
        }
        Ok(())
    }

    /// Opens an object; `None` when it is gone although a row knows of it.
    async fn open(&self, key: &str) -> Result<Option<Blob>, Fault> {
        let key = ObjectKey::new(key).map_err(Error::from)?;
        Ok(self.objects.find(&key).await.map_err(Error::from)?)
    }
}

/// Where the objects of a picture are. One that was never stored has left its prefix behind when it ended.
fn prefix(image: &Image) -> String {
    match &image.stored {
        Some(stored) => layout::prefix_of(&stored.s3_key).to_owned(),
        None => layout::prefix(&image.id, image.create_time),
    }
}

#[cfg(test)]
#[path = "keepsakes_tests.rs"]
mod tests;

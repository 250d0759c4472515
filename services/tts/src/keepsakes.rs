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

use crate::conversion::{Conversion, format_name};
use crate::error::Error;
use crate::keeper::Keeper;
use crate::layout;
use crate::ports::ConversionStore;

/// How many conversions are read, or erased, at once.
const PAGE: i64 = 100;

/// The spoken texts of accounts.
pub struct SpokenTexts {
    pub(crate) store: Arc<dyn ConversionStore>,
    pub(crate) objects: Arc<dyn BlobStore>,
    pub(crate) keeper: Keeper,
    pub(crate) generations: Generations,
}

#[async_trait]
impl Keepsakes for SpokenTexts {
    async fn export(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault> {
        let mut before: Option<(Micros, String)> = None;
        loop {
            let page = self.store.list(account, before.clone(), PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            before = Some((last.order.create_time, last.id.clone()));
            for conversion in &page {
                self.tell(conversion, parcel).await?;
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
        let (mut conversions, mut objects) = (0, 0);
        loop {
            let page = self.store.list(account, None, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for conversion in &page {
                let prefix = layout::prefix(&conversion.id, conversion.order.create_time);
                objects += self.keeper.delete(&prefix).await?;
            }
            let ids: Vec<String> = page.into_iter().map(|conversion| conversion.id).collect();
            self.store.erase(&ids).await?;
            for id in &ids {
                self.generations.forget_journal(id).await;
            }
            conversions += ids.len() as u64;
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
        self.generations.forget_all(account).await?;
        self.store.write_back().await?;
        Ok(Erased::default()
            .erased("conversions", conversions)
            .erased("objects", objects))
    }
}

impl SpokenTexts {
    /// Writes the audio of a conversion, and before it what is known of it.
    async fn tell(&self, conversion: &Conversion, parcel: &mut Parcel) -> Result<(), Fault> {
        let (order, stored) = (&conversion.order, conversion.stored.as_ref());
        let object = match stored {
            Some(stored) => self.open(&stored.s3_key).await?,
            None => None,
        };
        let file = stored.map(|_| {
            let end = order.format.extension();
            format!("conversions/{}.{end}", conversion.id)
        });
        let told = json!({
            "id": conversion.id,
            "text": order.text,
            "voice": order.voice,
            "language": order.language,
            "format": format_name(order.format),
            "speed": order.speed,
            "pitch": order.pitch,
            "request_id": order.request_id,
            "state": conversion.state.as_str_name(),
            "provider": conversion.provider,
            "model": conversion.model,
            "create_time": time(order.create_time),
            "update_time": time(conversion.update_time),
            "content_type": stored.map(|stored| &stored.content_type),
            "size_bytes": stored.map(|stored| stored.size_bytes),
            "sha256": stored.map(|stored| &stored.sha256),
            "duration_micros": stored.map(|stored| stored.duration_micros),
            "processing_micros": stored.map(|stored| stored.processing_micros),
            "file": file,
            "is_missing": file.is_some() && object.is_none(),
        });
        let path = format!("conversions/{}.json", conversion.id);
        parcel.json(&path, &told).await?;
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

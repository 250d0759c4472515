//! What is kept of an account: usage events, told to whoever takes them along. They are ids, names of models, times and
//! amounts alone, so that an erasure leaves them: the id stands for nobody any more.

use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::fault::Fault;
use atelier_privacy::{Erased, Keepsakes, Parcel, time};
use serde_json::{Value, json};

use crate::ports::UsageStore;
use crate::usage::{Cursor, Event};

/// How many events are read at once.
const PAGE: i64 = 500;

/// The usage of accounts.
pub struct UsageOfAccounts {
    pub(crate) store: Arc<dyn UsageStore>,
}

#[async_trait]
impl Keepsakes for UsageOfAccounts {
    async fn export(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault> {
        parcel.lines("usage_events.jsonl").await?;
        let mut after: Option<Cursor> = None;
        loop {
            let page = self.store.list(Some(account), after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(Cursor {
                time: last.time,
                source: last.source.clone(),
                id: last.id.clone(),
            });
            for event in &page {
                parcel.line(&line(event)).await?;
            }
        }
    }

    async fn erase(&self, account: &str) -> Result<Erased, Fault> {
        let events = self.store.count(account).await?;
        Ok(Erased::default().kept("usage_events", events))
    }
}

fn line(event: &Event) -> Value {
    json!({
        "source": event.source,
        "id": event.id,
        "provider": event.provider,
        "model": event.model,
        "outcome": event.outcome.name(),
        "input_tokens": event.figures.input_tokens,
        "output_tokens": event.figures.output_tokens,
        "images": event.figures.images,
        "characters": event.figures.characters,
        "audio_millis": event.figures.audio_millis,
        "is_estimated": event.estimated,
        "duration_micros": event.duration,
        "time": time(event.time),
    })
}

//! What a provider tells its generation through; it numbers, journals and folds, and decides nothing.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use atelier_kit::moment;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{
    AudioChunk, GenerationEvent, ImagePreview, Progress, Snapshot, Started, TextDelta, Warning,
};
use bytes::Bytes;
use tokio::sync::{Mutex, MutexGuard};

use crate::error::Error;
use crate::fold::{base, fold};
use crate::measure::{Measure, Output};
use crate::ports::{Journal, Lease};
use crate::proof::Proof;

/// The largest audio chunk that is told at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The generation takes nothing more: it ends, or its lease is lost. The provider ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the generation takes nothing more")]
pub struct Stopped;

/// Tells events of one generation, in order. Clones tell of the same one.
#[derive(Clone)]
pub struct Emitter {
    inner: Arc<Inner>,
}

struct Inner {
    lease: Lease,
    journal: Arc<dyn Journal>,
    proof: Proof,
    measure: Measure,
    told: Mutex<Told>,
}

/// What was told so far.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) sequence: i64,
    pub(crate) snapshot: Snapshot,
    /// The end is being written, and the provider is not heard any more.
    closed: bool,
}

impl Emitter {
    /// Of an owner whose lease lasts so long without another word of the record.
    pub(crate) fn new(
        lease: Lease,
        journal: Arc<dyn Journal>,
        snapshot: Snapshot,
        lasts: Duration,
        output: Output,
    ) -> Self {
        let told = Mutex::new(Told {
            sequence: base(lease.epoch),
            snapshot,
            closed: false,
        });
        Self {
            inner: Arc::new(Inner {
                lease,
                journal,
                proof: Proof::new(lasts),
                measure: Measure::begin(output),
                told,
            }),
        }
    }

    /// More text; empty text is not told.
    pub async fn text(&self, text: &str) -> Result<(), Stopped> {
        if text.is_empty() {
            return Ok(());
        }
        self.tell(Event::TextDelta(TextDelta {
            text: text.to_owned(),
        }))
        .await
    }

    /// More bytes of an audio file of this media type.
    pub async fn audio(&self, mut data: Bytes, content_type: &str) -> Result<(), Stopped> {
        while !data.is_empty() {
            let chunk = data.split_to(data.len().min(CHUNK_BYTES));
            let mut told = self.listening().await?;
            let offset = told.snapshot.audio_bytes;
            let event = Event::AudioChunk(AudioChunk {
                data: chunk,
                offset,
                content_type: content_type.to_owned(),
            });
            self.journal(&mut told, event).await.map_err(|_| Stopped)?;
        }
        Ok(())
    }

    /// A small early look at a picture.
    pub async fn preview(&self, preview: ImagePreview) -> Result<(), Stopped> {
        self.tell(Event::ImagePreview(preview)).await
    }

    /// How far the work is, 0 to 1. A fraction that does not grow is not told.
    pub async fn progress(&self, fraction: f64) -> Result<(), Stopped> {
        let mut told = self.listening().await?;
        let fraction = fraction.clamp(0.0, 1.0);
        if fraction.is_nan() || fraction <= told.snapshot.fraction {
            return Ok(());
        }
        self.journal(&mut told, Event::Progress(Progress { fraction }))
            .await
            .map_err(|_| Stopped)
    }

    /// Something the owner should know that ends nothing.
    pub async fn warning(&self, reason: &str, message: impl Into<String>) -> Result<(), Stopped> {
        let warning = Warning {
            reason: reason.to_owned(),
            message: message.into(),
        };
        self.tell(Event::Warning(warning)).await
    }

    /// Another provider or model makes it from now on; who made it before is told already and not told again.
    pub async fn started(&self, provider: &str, model: &str) -> Result<(), Stopped> {
        let mut told = self.listening().await?;
        if (
            told.snapshot.provider.as_str(),
            told.snapshot.model.as_str(),
        ) == (provider, model)
        {
            return Ok(());
        }
        let started = Started {
            provider: provider.to_owned(),
            model: model.to_owned(),
            allowance: told.snapshot.allowance.clone(),
        };
        self.journal(&mut told, Event::Started(started))
            .await
            .map_err(|_| Stopped)
    }

    async fn tell(&self, event: Event) -> Result<(), Stopped> {
        let mut told = self.listening().await?;
        self.journal(&mut told, event).await.map_err(|_| Stopped)
    }

    async fn listening(&self) -> Result<MutexGuard<'_, Told>, Stopped> {
        // Before the lock: the checkpoint that proves the lease anew takes it too.
        self.inner.proof.holds().await;
        let told = self.inner.told.lock().await;
        if told.closed { Err(Stopped) } else { Ok(told) }
    }

    /// Numbers, journals and folds an event of the engine's own.
    pub(crate) async fn emit(&self, event: Event) -> Result<(), Error> {
        let mut told = self.inner.told.lock().await;
        self.journal(&mut told, event).await
    }

    async fn journal(&self, told: &mut Told, event: Event) -> Result<(), Error> {
        // Taken before the append, so that a number is never used twice when this future is dropped in between.
        told.sequence += 1;
        let sequence = told.sequence;
        let entry = GenerationEvent {
            generation_id: self.inner.lease.id.clone(),
            sequence,
            time: Some(moment::timestamp(moment::micros(SystemTime::now()))),
            event: Some(event.clone()),
        };
        self.inner.journal.append(&self.inner.lease, entry).await?;
        self.inner.measure.told(&event);
        fold(&mut told.snapshot, &event);
        Ok(())
    }

    /// What is seen of it.
    pub(crate) fn measure(&self) -> &Measure {
        &self.inner.measure
    }

    /// A write to the record that was begun at this time found the lease held.
    pub(crate) fn prove(&self, begun: Instant) {
        self.inner.proof.renew(begun);
    }

    /// What was told so far.
    pub(crate) async fn told(&self) -> Told {
        self.inner.told.lock().await.clone()
    }

    /// Hears the provider no more, whatever clones it left behind, so that the end that is written now stays true.
    /// Returns what was told.
    pub(crate) async fn close(&self) -> Told {
        let mut told = self.inner.told.lock().await;
        told.closed = true;
        told.clone()
    }
}

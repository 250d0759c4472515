//! What a provider tells its generation through; it numbers, journals and folds, and decides nothing.

use std::pin::Pin;
use std::sync::{Arc, Mutex as Lock, PoisonError};
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
/// How long an end waits for the journal to take what was being told. It is less than any lease in use, and an end is owed to
/// the record whether the journal is there or not.
const TAKEN_WITHIN: Duration = Duration::from_secs(2);

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
    /// Events are told one after the other; whoever tells one has this.
    telling: Mutex<Telling>,
    /// What was told so far. It is no part of the above: a checkpoint must not wait for a journal that is away.
    told: Lock<Told>,
}

/// The one event that is being told.
struct Telling {
    /// The last number that was taken, told or not.
    sequence: i64,
    /// The end is being written, and the provider is not heard any more.
    closed: bool,
    /// On its way into the journal. It is here and not with whoever tells it: where that future is dropped, the next one
    /// finds out what became of it, so that nothing is journalled that the record does not know.
    under_way: Option<UnderWay>,
}

struct UnderWay {
    sequence: i64,
    event: Event,
    taken: Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>,
}

/// What was told so far.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) sequence: i64,
    pub(crate) snapshot: Snapshot,
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
        let sequence = base(lease.epoch);
        let telling = Mutex::new(Telling {
            sequence,
            closed: false,
            under_way: None,
        });
        let told = Lock::new(Told { sequence, snapshot });
        Self {
            inner: Arc::new(Inner {
                lease,
                journal,
                proof: Proof::new(lasts),
                measure: Measure::begin(output),
                telling,
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
            let mut telling = self.listening().await?;
            let offset = self.so_far(|told| told.snapshot.audio_bytes);
            let event = Event::AudioChunk(AudioChunk {
                data: chunk,
                offset,
                content_type: content_type.to_owned(),
            });
            self.journal(&mut telling, event)
                .await
                .map_err(|_| Stopped)?;
        }
        Ok(())
    }

    /// A small early look at a picture.
    pub async fn preview(&self, preview: ImagePreview) -> Result<(), Stopped> {
        self.tell(Event::ImagePreview(preview)).await
    }

    /// How far the work is, 0 to 1. A fraction that does not grow is not told.
    pub async fn progress(&self, fraction: f64) -> Result<(), Stopped> {
        let mut telling = self.listening().await?;
        let fraction = fraction.clamp(0.0, 1.0);
        if fraction.is_nan() || fraction <= self.so_far(|told| told.snapshot.fraction) {
            return Ok(());
        }
        self.journal(&mut telling, Event::Progress(Progress { fraction }))
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
        let mut telling = self.listening().await?;
        let allowance = self.so_far(|told| {
            let known = (&*told.snapshot.provider, &*told.snapshot.model);
            (known != (provider, model)).then(|| told.snapshot.allowance.clone())
        });
        let Some(allowance) = allowance else {
            return Ok(());
        };
        let started = Started {
            provider: provider.to_owned(),
            model: model.to_owned(),
            allowance,
        };
        self.journal(&mut telling, Event::Started(started))
            .await
            .map_err(|_| Stopped)
    }

    async fn tell(&self, event: Event) -> Result<(), Stopped> {
        let mut telling = self.listening().await?;
        self.journal(&mut telling, event).await.map_err(|_| Stopped)
    }

    async fn listening(&self) -> Result<MutexGuard<'_, Telling>, Stopped> {
        // Before the turn: nobody waits in it for a proof that may never come.
        self.inner.proof.holds().await;
        let mut telling = self.inner.telling.lock().await;
        // What was being told before is told first, so that what is known so far is all of it.
        self.taken(&mut telling).await.map_err(|_| Stopped)?;
        if telling.closed {
            Err(Stopped)
        } else {
            Ok(telling)
        }
    }

    /// Numbers, journals and folds an event of the engine's own.
    pub(crate) async fn emit(&self, event: Event) -> Result<(), Error> {
        let mut telling = self.inner.telling.lock().await;
        self.journal(&mut telling, event).await
    }

    async fn journal(&self, telling: &mut Telling, event: Event) -> Result<(), Error> {
        self.taken(telling).await?;
        telling.sequence += 1;
        let sequence = telling.sequence;
        let entry = GenerationEvent {
            generation_id: self.inner.lease.id.clone(),
            sequence,
            time: Some(moment::timestamp(moment::micros(SystemTime::now()))),
            event: Some(event.clone()),
        };
        let (journal, lease) = (self.inner.journal.clone(), self.inner.lease.clone());
        telling.under_way = Some(UnderWay {
            sequence,
            event,
            taken: Box::pin(async move { journal.append(&lease, entry).await }),
        });
        self.taken(telling).await
    }

    /// Waits until the journal has taken what is under way, and knows it as told then.
    async fn taken(&self, telling: &mut Telling) -> Result<(), Error> {
        let Some(under_way) = &mut telling.under_way else {
            return Ok(());
        };
        let taken = under_way.taken.as_mut().await;
        let Some(UnderWay {
            sequence, event, ..
        }) = telling.under_way.take()
        else {
            return taken;
        };
        taken?;
        self.inner.measure.told(&event);
        self.so_far(|told| {
            told.sequence = sequence;
            fold(&mut told.snapshot, &event);
        });
        Ok(())
    }

    fn so_far<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(
            &mut self
                .inner
                .told
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
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
        self.so_far(|told| told.clone())
    }

    /// Hears the provider no more, whatever clones it left behind, so that the end that is written now stays true.
    /// Returns what was told; the numbers after it are free.
    pub(crate) async fn close(&self) -> Told {
        let mut telling = self.inner.telling.lock().await;
        // Refused, or the journal is away: then it was not told.
        if let Err(error) = tokio::time::timeout(TAKEN_WITHIN, self.taken(&mut telling))
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("the journal does not answer")))
        {
            tracing::debug!(generation = %self.inner.lease.id, %error, "the last event was not journalled");
        }
        telling.under_way = None;
        telling.closed = true;
        Told {
            sequence: telling.sequence,
            ..self.told().await
        }
    }
}

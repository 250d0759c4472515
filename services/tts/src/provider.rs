//! A spoken text as the work of a generation: spoken, stored with its checksum, and only then called done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_generation::{Emitter, Failure, Finish, Job, Provider, Quote};
use atelier_kit::moment;
use atelier_kit::objects::{BlobError, BlobStore, ObjectKey};
use atelier_proto::generation::v1::{Artifact, FinishReason, Snapshot, Usage};
use atelier_upstream::offers::{Begun, Unoffered, begin, quote};
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::conversion::{Order, Spoke, Stored};
use crate::layout;
use crate::ports::{Piece, Spoken};
use crate::voice::{Entry, Voices, longest_millis, usual_millis};

/// How long a link to the audio works.
pub const URL_LIFETIME: Duration = Duration::from_secs(3600);

/// Speaks texts and stores the audio.
pub struct SpeechProvider {
    voices: Arc<Voices>,
    objects: Arc<dyn BlobStore>,
}

impl SpeechProvider {
    /// By these voices, into this store.
    pub fn new(voices: Arc<Voices>, objects: Arc<dyn BlobStore>) -> Self {
        Self { voices, objects }
    }

    /// Speaks, telling the audio as it is made. Returns the file, who spoke, and for how long the voice worked.
    async fn speak(
        &self,
        order: &Order,
        out: &Emitter,
    ) -> Result<(Spoken, Arc<Entry>, Duration), Failure> {
        let asked = order.asked.as_ref().unwrap_or(&order.voice);
        let choice = self
            .voices
            .now()
            .choose(asked, moment::now())
            .map_err(gone)?;
        let begun = Instant::now();
        let ask = |entry: Arc<Entry>| {
            let order = entry.takes(order)?;
            Some(async move { Ok(entry.adapter.speak(&order)) })
        };
        let Begun { offer, mut pieces } = begin(choice, out, ask, |_| true).await?;
        while let Some(piece) = pieces.next().await {
            match piece? {
                Piece::Audio { bytes, spoken } => {
                    out.audio(bytes, order.format.content_type()).await?;
                    if let Some(spoken) = spoken {
                        out.progress(spoken).await?;
                    }
                }
                Piece::Done(spoken) => return Ok((spoken, offer, begun.elapsed())),
            }
        }
        Err(Failure::passing(
            "UPSTREAM_EMPTY",
            "the voice ended without any audio",
        ))
    }

    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<String, Failure> {
        match self.objects.put(key, bytes, content_type).await {
            Ok(stored) => Ok(stored.sha256_hex),
            Err(BlobError::Unavailable(source)) => {
                tracing::warn!(error = %source, "spoken audio cannot be stored");
                Err(Failure::passing(
                    "OBJECTS_UNAVAILABLE",
                    "the audio could not be stored",
                ))
            }
            Err(error) => Err(Failure::internal(&error)),
        }
    }

    async fn put_json(&self, key: &ObjectKey, value: &serde_json::Value) -> Result<(), Failure> {
        self.put(key, value.to_string().into(), "application/json")
            .await
            .map(drop)
    }
}

/// The word for it that callers of this service know.
fn gone(why: Unoffered) -> Failure {
    match why {
        Unoffered::Unknown(voice) => Failure::lasting(
            "VOICE_GONE",
            format!("the voice {voice} is not offered any more"),
        ),
        other => other.into(),
    }
}

#[async_trait]
impl Provider for SpeechProvider {
    /// At the prices of the voice that was chosen when it was asked for, whoever speaks in the end.
    async fn quote(&self, job: &Job) -> Result<Quote, Failure> {
        let order = Order::decode(&job.task).map_err(|error| Failure::internal(&error))?;
        let asked = order.asked.as_ref().unwrap_or(&order.voice);
        let menu = self.voices.now();
        let choice = menu.choose(asked, job.create_time).map_err(gone)?;
        let worst = Usage {
            characters: i64::try_from(order.text.chars().count()).unwrap_or(i64::MAX),
            audio_millis: longest_millis(&order.text, order.speed),
            ..Usage::default()
        };
        Ok(quote(&choice.offer.model, worst, job.create_time))
    }

    async fn run(&self, job: &Job, out: &Emitter) -> Result<Finish, Failure> {
        let order = Order::decode(&job.task).map_err(|error| Failure::internal(&error))?;
        let inside = |error: BlobError| Failure::internal(&error);
        let key = layout::original(&job.id, order.create_time, order.format).map_err(inside)?;
        let input = layout::input(&job.id, order.create_time).map_err(inside)?;
        let record = layout::record(&job.id, order.create_time).map_err(inside)?;
        let asked = serde_json::json!({
            "id": job.id, "user_id": job.owner, "model": job.model, "request": &order,
        });
        // At the same time: nobody waits for the first word because of a file.
        let ((), (spoken, voice, worked)) =
            tokio::try_join!(self.put_json(&input, &asked), self.speak(&order, out))?;
        if spoken.skipped > 0 {
            let message = format!(
                "{} characters that this voice cannot read were left out",
                spoken.skipped
            );
            out.warning("CHARACTERS_SKIPPED", message).await?;
        }
        let content_type = order.format.content_type();
        let size_bytes = i64::try_from(spoken.file.len()).unwrap_or(i64::MAX);
        let sha256 = self.put(&key, spoken.file, content_type).await?;
        let stored = Stored {
            s3_key: key.as_str().to_owned(),
            content_type: content_type.to_owned(),
            size_bytes,
            sha256,
            duration_micros: spoken.duration_micros,
            processing_micros: moment::span(worked),
            status_code: spoken.status_code,
            cost_usd: spoken.cost_usd,
        };
        let known = serde_json::json!({
            "id": job.id, "user_id": job.owner, "model": voice.model.id, "request": &order, "result": &stored,
        });
        self.put_json(&record, &known).await?;
        let artifact = Artifact {
            id: job.id.clone(),
            content_type: stored.content_type.clone(),
            size_bytes,
            sha256: stored.sha256.clone(),
            duration: Some(moment::duration(stored.duration_micros)),
            // The key stands in for the URL until it is presented.
            url: stored.s3_key.clone(),
            ..Artifact::default()
        };
        let usage = Usage {
            characters: i64::try_from(order.text.chars().count()).unwrap_or(i64::MAX),
            audio_millis: stored.duration_micros / 1000,
            ..Usage::default()
        };
        let spoke = Spoke {
            stored,
            voice: voice.voice.id.clone(),
            language: voice.language.clone(),
        };
        Ok(Finish {
            usage,
            reason: FinishReason::Stop,
            artifact: Some(artifact),
            details: serde_json::to_vec(&spoke)
                .map_err(|error| Failure::internal(&error))?
                .into(),
        })
    }

    /// As many characters as were spoken: by what the voice said of its progress, and all of them where it said nothing of
    /// what it delivered; and the audio that these usually are.
    async fn estimate(&self, job: &Job, delivered: &Snapshot) -> Usage {
        let Ok(order) = Order::decode(&job.task) else {
            return Usage::default();
        };
        let characters = spoken(order.text.chars().count(), delivered);
        Usage {
            characters,
            audio_millis: usual_millis(characters, order.speed),
            estimated: true,
            ..Usage::default()
        }
    }

    async fn present(&self, mut artifact: Artifact) -> Artifact {
        let signed = match ObjectKey::new(artifact.url.as_str()) {
            Ok(key) => self.objects.signed_url(&key, URL_LIFETIME).await,
            Err(error) => Err(error),
        };
        match signed {
            Ok(signed) => {
                artifact.url = signed.url;
                artifact.expire_time = Some(moment::timestamp(moment::micros(signed.expires)));
            }
            // The audio is there all the same; GetConversion gives a URL later.
            Err(error) => {
                tracing::warn!(%error, "an artifact has no URL");
                artifact.url.clear();
            }
        }
        artifact
    }
}

/// How many of so many characters are in the audio that was delivered.
fn spoken(characters: usize, delivered: &Snapshot) -> i64 {
    if delivered.audio_bytes == 0 {
        return 0;
    }
    let all = i64::try_from(characters).unwrap_or(i64::MAX);
    if delivered.fraction <= 0.0 {
        return all;
    }
    // A text has at most 5,000 characters, which a float counts exactly.
    let part = (characters as f64 * delivered.fraction).ceil();
    (part as i64).clamp(1, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spoken_is_counted_by_the_progress_of_the_voice() {
        let delivered = |audio_bytes, fraction| Snapshot {
            audio_bytes,
            fraction,
            ..Snapshot::default()
        };
        for (bytes, fraction, characters) in [
            (0, 0.0, 0),
            (0, 0.5, 0),
            (1000, 0.0, 200),
            (1000, 0.5, 100),
            (1000, 0.001, 1),
            (1000, 1.0, 200),
        ] {
            assert_eq!(spoken(200, &delivered(bytes, fraction)), characters);
        }
    }
}

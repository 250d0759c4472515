//! A picture as the work of a generation: painted, stored with its checksum, and only then called done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_generation::{Emitter, Failure, Finish, Job, Provider, Quote};
use atelier_kit::moment;
use atelier_kit::objects::{BlobError, BlobStore, ObjectKey};
use atelier_proto::generation::v1::{Artifact, FinishReason, ImagePreview, Usage};
use atelier_upstream::offers::{Begun, begin};
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::image::{Commission, Stored};
use crate::layout;
use crate::painter::{Entry, Studio};
use crate::ports::{Painted, Stroke};

/// How long a link to a picture works.
pub const URL_LIFETIME: Duration = Duration::from_secs(3600);
/// A preview is no larger than this.
const PREVIEW_BYTES: usize = 64 * 1024;

/// Paints pictures and stores them.
pub struct PictureProvider {
    painters: Arc<Studio>,
    objects: Arc<dyn BlobStore>,
}

impl PictureProvider {
    /// By these painters, into this store.
    pub fn new(painters: Arc<Studio>, objects: Arc<dyn BlobStore>) -> Self {
        Self { painters, objects }
    }

    async fn paint(
        &self,
        job: &Job,
        commission: Commission,
        out: &Emitter,
    ) -> Result<(Painted, Arc<Entry>), Failure> {
        let asked = commission.asked.as_ref().unwrap_or(&job.model);
        let choice = self.painters.now().choose(asked, moment::now())?;
        let ask = |entry: Arc<Entry>| {
            let fits = entry.takes(commission.width, commission.height);
            let commission = commission.clone();
            fits.then_some(async move {
                let name = &entry.model.upstream_name;
                Ok(entry.adapter.paint(name, commission))
            })
        };
        let Begun {
            offer,
            pieces: mut strokes,
        } = begin(choice, out, ask, |_| true).await?;
        while let Some(stroke) = strokes.next().await {
            match stroke? {
                Stroke::Progress(fraction) => out.progress(fraction).await?,
                Stroke::Preview(preview) if preview.bytes.len() <= PREVIEW_BYTES => {
                    out.preview(ImagePreview {
                        data: preview.bytes,
                        content_type: preview.content_type.to_owned(),
                        width: preview.width,
                        height: preview.height,
                    })
                    .await?;
                }
                Stroke::Preview(_) => {}
                Stroke::Done(painted) => return Ok((painted, offer)),
            }
        }
        Err(Failure::passing(
            "UPSTREAM_EMPTY",
            "the painter ended without a picture",
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
                tracing::warn!(error = %source, "a picture cannot be stored");
                Err(Failure::passing(
                    "OBJECTS_UNAVAILABLE",
                    "the picture could not be stored",
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

#[async_trait]
impl Provider for PictureProvider {
    /// At the prices of the model that was chosen when it was asked for, whoever paints in the end.
    async fn quote(&self, job: &Job) -> Result<Quote, Failure> {
        let commission =
            Commission::decode(&job.task).map_err(|error| Failure::internal(&error))?;
        let asked = commission.asked.as_ref().unwrap_or(&job.model);
        let choice = self.painters.now().choose(asked, job.create_time)?;
        Ok(choice.offer.quote(&commission, job.create_time))
    }

    async fn run(&self, job: &Job, out: &Emitter) -> Result<Finish, Failure> {
        let commission =
            Commission::decode(&job.task).map_err(|error| Failure::internal(&error))?;
        let begun = Instant::now();
        let inside = |error: BlobError| Failure::internal(&error);
        let input = layout::input(&job.id, job.create_time).map_err(inside)?;
        let asked = serde_json::json!({
            "id": job.id, "user_id": job.owner, "model": job.model, "request": &commission,
        });
        self.put_json(&input, &asked).await?;
        let (painted, offer) = self.paint(job, commission.clone(), out).await?;
        let processing_micros = moment::span(begun.elapsed());
        let key =
            layout::original(&job.id, job.create_time, painted.content_type).map_err(inside)?;
        let size_bytes = i64::try_from(painted.bytes.len()).unwrap_or(i64::MAX);
        let sha256 = self.put(&key, painted.bytes, painted.content_type).await?;
        let stored = Stored {
            s3_key: key.as_str().to_owned(),
            content_type: painted.content_type.to_owned(),
            size_bytes,
            sha256,
            width: painted.width,
            height: painted.height,
            processing_micros,
        };
        let record = layout::record(&job.id, job.create_time).map_err(inside)?;
        let known = serde_json::json!({
            "id": job.id, "user_id": job.owner, "model": offer.model.id, "request": &commission, "result": &stored,
        });
        self.put_json(&record, &known).await?;
        let artifact = Artifact {
            id: job.id.clone(),
            content_type: stored.content_type.clone(),
            size_bytes,
            sha256: stored.sha256.clone(),
            width: stored.width,
            height: stored.height,
            // The key stands in for the URL until it is presented.
            url: stored.s3_key.clone(),
            ..Artifact::default()
        };
        Ok(Finish {
            usage: Usage {
                images: 1,
                input_tokens: painted.input_tokens,
                output_tokens: painted.output_tokens,
                ..Usage::default()
            },
            reason: FinishReason::Stop,
            artifact: Some(artifact),
            details: serde_json::to_vec(&stored)
                .map_err(|error| Failure::internal(&error))?
                .into(),
        })
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
            // The picture is there all the same; GetImage gives a URL later.
            Err(error) => {
                tracing::warn!(%error, "an artifact has no URL");
                artifact.url.clear();
            }
        }
        artifact
    }
}

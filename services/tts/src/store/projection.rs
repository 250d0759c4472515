//! The row of a conversion, written in the transaction of its generation: queued → object → completed, never otherwise.

use async_trait::async_trait;
use atelier_generation::store::Projection;
use atelier_generation::{End, GenerationRecord, NewGeneration, Refusal};
use atelier_kit::fault::Fault;
use atelier_kit::moment::{self, Micros};
use atelier_kit::objects::{BlobError, Leftovers};
use atelier_kit::sql::{self, Writer};
use atelier_proto::generation::v1::State;

use crate::conversion::{Metadata, Order, Spoke, Stored, format_name};
use crate::layout;

/// How long after a failure its objects are cleared away: a put that was under way may still arrive.
const SETTLING: Micros = 10_000_000;

/// Writes conversions with their generations.
#[derive(Clone, Copy, Debug)]
pub struct ConversionRows;

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// What is kept beside a conversion, before and after its object is stored.
fn metadata(
    id: &str,
    provider: &str,
    order: &Order,
    stored: Option<&Stored>,
) -> Result<String, BlobError> {
    let mut metadata = Metadata {
        request_id: order.request_id.clone(),
        provider: provider.to_owned(),
        input_key: layout::input(id, order.create_time)?.as_str().to_owned(),
        ..Metadata::default()
    };
    if let Some(stored) = stored {
        metadata.latency_ms = Some(stored.processing_micros / 1000);
        metadata.status_code = stored.status_code;
        metadata.cost_usd = stored.cost_usd;
        metadata.record_key = Some(layout::record(id, order.create_time)?.as_str().to_owned());
    }
    Ok(serde_json::json!(metadata).to_string())
}

#[async_trait]
impl Projection for ConversionRows {
    async fn created(&self, writer: &mut Writer, new: &NewGeneration) -> Result<(), Refusal> {
        let order = Order::decode(&new.task).map_err(|error| Fault::internal(&error))?;
        let metadata = metadata(&new.id, &new.provider, &order, None)
            .map_err(|error| Fault::internal(&error))?;
        sql::query(
            "INSERT INTO tts_conversions (id, user_id, text, provider, model, voice, language, format, speed, pitch, \
             state, metadata, create_time, update_time) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
        )
        .bind(&new.id)
        .bind(&new.owner)
        .bind(&order.text)
        .bind(&new.provider)
        .bind(&new.model)
        .bind(&order.voice)
        .bind(&order.language)
        .bind(format_name(order.format))
        .bind(order.speed)
        .bind(order.pitch)
        .bind(i32::from(State::Queued))
        .bind(metadata)
        .bind(order.create_time)
        .execute(writer)
        .await?;
        Ok(())
    }

    async fn ended(
        &self,
        writer: &mut Writer,
        record: &GenerationRecord,
        end: &End,
    ) -> Result<(), sqlx::Error> {
        let now = moment::now();
        let order = Order::decode(&record.task).map_err(unreadable)?;
        if end.state != State::Completed {
            let sql = "UPDATE tts_conversions SET state = $1, update_time = $2, provider = $4, model = $5 WHERE id = $3";
            sql::query(sql)
                .bind(i32::from(end.state))
                .bind(now)
                .bind(&record.id)
                .bind(&record.provider)
                .bind(&record.model)
                .execute(&mut *writer)
                .await?;
            return Leftovers::leave(
                writer,
                &record.owner,
                &layout::prefix(&record.id, order.create_time),
                now + SETTLING,
            )
            .await;
        }
        let Spoke {
            stored,
            voice,
            language,
        } = serde_json::from_slice(&end.details).map_err(unreadable)?;
        let metadata =
            metadata(&record.id, &record.provider, &order, Some(&stored)).map_err(unreadable)?;
        sql::query(
            "UPDATE tts_conversions SET state = $1, s3_key = $2, file_size_bytes = $3, sha256 = $4, \
             duration_micros = $5, processing_micros = $6, metadata = $7, update_time = $8, provider = $10, model = $11, \
             voice = $12, language = $13 WHERE id = $9",
        )
        .bind(i32::from(State::Completed))
        .bind(&stored.s3_key)
        .bind(stored.size_bytes)
        .bind(&stored.sha256)
        .bind(stored.duration_micros)
        .bind(stored.processing_micros)
        .bind(metadata)
        .bind(now)
        .bind(&record.id)
        .bind(&record.provider)
        .bind(&record.model)
        .bind(voice)
        .bind(language)
        .execute(writer)
        .await
        .map(drop)
    }
}

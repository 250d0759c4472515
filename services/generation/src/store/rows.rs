//! Rows of the record as the domain has them, and how one is found.

use atelier_kit::sqlite::Writer;
use atelier_proto::generation::v1::{FinishReason, Snapshot, State};
use bytes::Bytes;
use prost::Message as _;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::error::Error;
use crate::ports::{Failure, GenerationRecord, Listing, Repeat};
use crate::queue::Priority;

pub(super) const COLUMNS: &str = "id, owner, kind, subject, priority, task, state, epoch, heartbeat, cancel_requested, \
     provider, model, snapshot, sequence, finish_reason, failure_reason, failure_message, retryable, retry_time, create_time, \
     end_time";

/// What a list reads: all but the work itself.
pub(super) const LISTED: &str = "id, subject, state, provider, model, snapshot, sequence, failure_reason, \
     failure_message, retryable, retry_time, create_time, end_time";

pub(super) struct Row(pub(super) GenerationRecord);

impl FromRow<'_, SqliteRow> for Row {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Row(GenerationRecord {
            id: row.try_get("id")?,
            owner: row.try_get("owner")?,
            kind: row.try_get("kind")?,
            subject: row.try_get("subject")?,
            priority: Priority::of_weight(row.try_get("priority")?),
            task: Bytes::from(row.try_get::<Vec<u8>, _>("task")?),
            state: state(row)?,
            epoch: row.try_get("epoch")?,
            heartbeat: row.try_get("heartbeat")?,
            cancel_requested: row.try_get("cancel_requested")?,
            provider: row.try_get("provider")?,
            model: row.try_get("model")?,
            snapshot: snapshot(row)?,
            sequence: row.try_get("sequence")?,
            finish_reason: FinishReason::try_from(row.try_get::<i32, _>("finish_reason")?)
                .unwrap_or(FinishReason::Unspecified),
            failure: failure(row)?,
            create_time: row.try_get("create_time")?,
            end_time: row.try_get("end_time")?,
        }))
    }
}

/// A row of a list. The snapshot is read for its usage, and let go.
pub(super) struct Listed(pub(super) Listing);

impl FromRow<'_, SqliteRow> for Listed {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Listed(Listing {
            id: row.try_get("id")?,
            subject: row.try_get("subject")?,
            state: state(row)?,
            provider: row.try_get("provider")?,
            model: row.try_get("model")?,
            sequence: row.try_get("sequence")?,
            usage: snapshot(row)?.usage,
            failure: failure(row)?,
            create_time: row.try_get("create_time")?,
            end_time: row.try_get("end_time")?,
        }))
    }
}

pub(super) fn digest(again: Repeat<'_>) -> Vec<u8> {
    atelier_kit::secret::digest(&[again.kind.as_bytes(), again.body]).to_vec()
}

pub(super) async fn read(
    writer: &mut Writer,
    id: &str,
) -> Result<Option<GenerationRecord>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM generations WHERE id = $1");
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .fetch_optional(writer)
        .await?;
    Ok(row.map(|row| row.0))
}

/// The one of the same `request_id`, if it asks for the same.
pub(super) async fn repeated(
    reader: &mut Writer,
    again: Repeat<'_>,
) -> Result<Option<GenerationRecord>, Error> {
    if again.request_id.is_empty() {
        return Ok(None);
    }
    let known: Option<(String, Vec<u8>)> =
        sqlx::query_as("SELECT id, digest FROM generations WHERE owner = $1 AND request_id = $2")
            .bind(again.owner)
            .bind(again.request_id)
            .fetch_optional(&mut *reader)
            .await?;
    let Some((id, before)) = known else {
        return Ok(None);
    };
    if before != digest(again) {
        return Err(Error::RequestIdReused);
    }
    Ok(read(reader, &id).await?)
}

fn state(row: &SqliteRow) -> Result<State, sqlx::Error> {
    Ok(State::try_from(row.try_get::<i32, _>("state")?).unwrap_or(State::Unspecified))
}

fn snapshot(row: &SqliteRow) -> Result<Snapshot, sqlx::Error> {
    Snapshot::decode(row.try_get::<&[u8], _>("snapshot")?)
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn failure(row: &SqliteRow) -> Result<Option<Failure>, sqlx::Error> {
    let reason: Option<String> = row.try_get("failure_reason")?;
    let message: Option<String> = row.try_get("failure_message")?;
    let retryable = row.try_get("retryable")?;
    let retry_time = row.try_get("retry_time")?;
    Ok(reason.map(|reason| Failure {
        reason,
        message: message.unwrap_or_default(),
        retryable,
        retry_time,
    }))
}

//! Rows of the record as the domain has them, and how one is found.

use atelier_kit::sql::{self, Cells, Writer};
use atelier_proto::generation::v1::{FinishReason, Snapshot, State};
use bytes::Bytes;
use prost::Message as _;

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

impl<'r, R: sqlx::Row + Cells> sqlx::FromRow<'r, R> for Row {
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Row(GenerationRecord {
            id: row.cell("id")?,
            owner: row.cell("owner")?,
            kind: row.cell("kind")?,
            subject: row.cell("subject")?,
            priority: Priority::of_weight(row.cell("priority")?),
            task: Bytes::from(row.cell::<Vec<u8>>("task")?),
            state: state(row)?,
            epoch: row.cell("epoch")?,
            heartbeat: row.cell("heartbeat")?,
            cancel_requested: row.cell("cancel_requested")?,
            provider: row.cell("provider")?,
            model: row.cell("model")?,
            snapshot: snapshot(row)?,
            sequence: row.cell("sequence")?,
            finish_reason: FinishReason::try_from(row.cell::<i32>("finish_reason")?)
                .unwrap_or(FinishReason::Unspecified),
            failure: failure(row)?,
            create_time: row.cell("create_time")?,
            end_time: row.cell("end_time")?,
        }))
    }
}

/// A row of a list. The snapshot is read for its usage, and let go.
pub(super) struct Listed(pub(super) Listing);

impl<'r, R: sqlx::Row + Cells> sqlx::FromRow<'r, R> for Listed {
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Listed(Listing {
            id: row.cell("id")?,
            subject: row.cell("subject")?,
            state: state(row)?,
            provider: row.cell("provider")?,
            model: row.cell("model")?,
            sequence: row.cell("sequence")?,
            usage: snapshot(row)?.usage,
            failure: failure(row)?,
            create_time: row.cell("create_time")?,
            end_time: row.cell("end_time")?,
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
    let row: Option<Row> = sql::query_as(sqlx::AssertSqlSafe(sql))
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
        sql::query_as("SELECT id, digest FROM generations WHERE owner = $1 AND request_id = $2")
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

fn state(row: &impl Cells) -> Result<State, sqlx::Error> {
    Ok(State::try_from(row.cell::<i32>("state")?).unwrap_or(State::Unspecified))
}

fn snapshot(row: &impl Cells) -> Result<Snapshot, sqlx::Error> {
    Snapshot::decode(row.cell::<Vec<u8>>("snapshot")?.as_slice())
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn failure(row: &impl Cells) -> Result<Option<Failure>, sqlx::Error> {
    let reason: Option<String> = row.cell("failure_reason")?;
    let message: Option<String> = row.cell("failure_message")?;
    let retryable = row.cell("retryable")?;
    let retry_time = row.cell("retry_time")?;
    Ok(reason.map(|reason| Failure {
        reason,
        message: message.unwrap_or_default(),
        retryable,
        retry_time,
    }))
}

//! Records and outbox in SQLite, in the service's own file and in one transaction with the service's own rows.

use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::moment;
use atelier_kit::sqlite::{Database, Writer};
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::{FinishReason, Snapshot, State};
use bytes::Bytes;
use prost::Message as _;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use super::refusal::Refusal;
use crate::error::Error;
use crate::fold::base;
use crate::ports::{
    End, Failure, GenerationRecord, Inserted, Lease, NewGeneration, Outbox, Record,
};

/// The migrations of this room have a table of their own, beside the service's.
const MIGRATIONS_TABLE: &str = "_generation_migrations";

/// The migrations of the generation tables; apply them before the service's own.
pub fn migrations() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    migrator
}

/// The service's own rows, written in the transaction of the record they belong to.
#[async_trait]
pub trait Projection: Send + Sync + 'static {
    /// A generation is about to be; a refusal leaves nothing behind.
    async fn created(&self, writer: &mut Writer, new: &NewGeneration) -> Result<(), Refusal>;
    /// A generation is about to end.
    async fn ended(
        &self,
        writer: &mut Writer,
        record: &GenerationRecord,
        end: &End,
    ) -> Result<(), sqlx::Error>;
}

/// Keeps records and outbox in one SQLite file.
#[derive(Clone)]
pub struct SqliteRecord {
    database: Database,
    projection: Arc<dyn Projection>,
}

impl SqliteRecord {
    /// Records in this file; it must have the tables of [`migrations`].
    pub fn new(database: Database, projection: Arc<dyn Projection>) -> Self {
        Self {
            database,
            projection,
        }
    }
}

const COLUMNS: &str = "id, owner, kind, task, state, epoch, heartbeat, cancel_requested, provider, model, snapshot, \
     sequence, finish_reason, failure_reason, failure_message, retryable, create_time, end_time";

struct Row(GenerationRecord);

impl FromRow<'_, SqliteRow> for Row {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let decoded = |error: prost::DecodeError| sqlx::Error::Decode(Box::new(error));
        let failure: Option<String> = row.try_get("failure_reason")?;
        let message: Option<String> = row.try_get("failure_message")?;
        let retryable: bool = row.try_get("retryable")?;
        Ok(Row(GenerationRecord {
            id: row.try_get("id")?,
            owner: row.try_get("owner")?,
            kind: row.try_get("kind")?,
            task: Bytes::from(row.try_get::<Vec<u8>, _>("task")?),
            state: State::try_from(row.try_get::<i32, _>("state")?).unwrap_or(State::Unspecified),
            epoch: row.try_get("epoch")?,
            heartbeat: row.try_get("heartbeat")?,
            cancel_requested: row.try_get("cancel_requested")?,
            provider: row.try_get("provider")?,
            model: row.try_get("model")?,
            snapshot: Snapshot::decode(row.try_get::<&[u8], _>("snapshot")?).map_err(decoded)?,
            sequence: row.try_get("sequence")?,
            finish_reason: FinishReason::try_from(row.try_get::<i32, _>("finish_reason")?)
                .unwrap_or(FinishReason::Unspecified),
            failure: failure.map(|reason| Failure {
                reason,
                message: message.unwrap_or_default(),
                retryable,
            }),
            create_time: row.try_get("create_time")?,
            end_time: row.try_get("end_time")?,
        }))
    }
}

fn digest(new: &NewGeneration) -> Vec<u8> {
    atelier_kit::secret::digest(&[new.kind.as_bytes(), &new.body]).to_vec()
}

async fn read(writer: &mut Writer, id: &str) -> Result<Option<GenerationRecord>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM generations WHERE id = $1");
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .fetch_optional(writer)
        .await?;
    Ok(row.map(|row| row.0))
}

#[async_trait]
impl Record for SqliteRecord {
    async fn insert(&self, new: &NewGeneration) -> Result<Inserted, Error> {
        let digest = digest(new);
        let mut tx = self.database.begin().await?;
        refuse_departed(&mut tx, &new.owner).await?;
        if let Some(request_id) = &new.request_id {
            let known: Option<(String, Vec<u8>)> = sqlx::query_as(
                "SELECT id, digest FROM generations WHERE owner = $1 AND request_id = $2",
            )
            .bind(&new.owner)
            .bind(request_id)
            .fetch_optional(&mut *tx)
            .await?;
            if let Some((id, before)) = known {
                if before != digest {
                    return Err(Error::RequestIdReused);
                }
                let record = read(&mut tx, &id).await?.ok_or(Error::NotFound)?;
                return Ok(Inserted::Existing(Box::new(record)));
            }
        }
        self.projection.created(&mut tx, new).await?;
        let now = moment::now();
        let snapshot = Snapshot {
            state: State::Queued.into(),
            model: new.model.clone(),
            ..Snapshot::default()
        };
        sqlx::query(
            "INSERT INTO generations (id, owner, request_id, digest, kind, task, state, epoch, heartbeat, provider, \
             model, snapshot, sequence, create_time) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 0, $8, $9, $10, $11, $12)",
        )
        .bind(&new.id)
        .bind(&new.owner)
        .bind(&new.request_id)
        .bind(&digest)
        .bind(new.kind)
        .bind(new.task.as_ref())
        .bind(i32::from(State::Queued))
        .bind(&new.provider)
        .bind(&new.model)
        .bind(snapshot.encode_to_vec())
        .bind(base(1))
        .bind(now)
        .execute(&mut *tx)
        .await?;
        let record = read(&mut tx, &new.id).await?.ok_or(Error::NotFound)?;
        tx.commit().await?;
        Ok(Inserted::New(Box::new(record)))
    }

    async fn find(&self, id: &str) -> Result<Option<GenerationRecord>, Error> {
        let mut reader = self.database.read().acquire().await?;
        Ok(read(&mut reader, id).await?)
    }

    async fn checkpoint(
        &self,
        lease: &Lease,
        state: State,
        snapshot: &Snapshot,
        sequence: i64,
    ) -> Result<bool, Error> {
        let mut tx = self.database.begin().await?;
        let cancel: Option<(bool,)> = sqlx::query_as(
            "UPDATE generations SET state = $1, snapshot = $2, sequence = $3, heartbeat = heartbeat + 1 \
             WHERE id = $4 AND epoch = $5 AND end_time IS NULL RETURNING cancel_requested",
        )
        .bind(i32::from(state))
        .bind(snapshot.encode_to_vec())
        .bind(sequence)
        .bind(&lease.id)
        .bind(lease.epoch)
        .fetch_optional(&mut *tx)
        .await?;
        let (cancel,) = cancel.ok_or(Error::LeaseLost)?;
        tx.commit().await?;
        Ok(cancel)
    }

    async fn finish(&self, lease: &Lease, end: &End) -> Result<(), Error> {
        let mut tx = self.database.begin().await?;
        let now = moment::now();
        let failure = end.failure.as_ref();
        let done = sqlx::query(
            "UPDATE generations SET state = $1, snapshot = $2, sequence = $3, finish_reason = $4, \
             failure_reason = $5, failure_message = $6, retryable = $7, end_time = $8, heartbeat = heartbeat + 1 \
             WHERE id = $9 AND epoch = $10 AND end_time IS NULL",
        )
        .bind(i32::from(end.state))
        .bind(end.snapshot.encode_to_vec())
        .bind(end.sequence)
        .bind(i32::from(end.finish_reason))
        .bind(failure.map(|failure| failure.reason.as_str()))
        .bind(failure.map(|failure| failure.message.as_str()))
        .bind(failure.is_some_and(|failure| failure.retryable))
        .bind(now)
        .bind(&lease.id)
        .bind(lease.epoch)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::LeaseLost);
        }
        let record = read(&mut tx, &lease.id).await?.ok_or(Error::LeaseLost)?;
        self.projection.ended(&mut tx, &record, end).await?;
        sqlx::query(
            "INSERT INTO generation_outbox (id, event, create_time, owner) VALUES ($1, $2, $3, $4)",
        )
        .bind(&lease.id)
        .bind(end.usage_event.encode_to_vec())
        .bind(now)
        .bind(&record.owner)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn request_cancel(&self, id: &str) -> Result<Option<State>, Error> {
        let mut tx = self.database.begin().await?;
        let state: Option<(i32,)> = sqlx::query_as(
            "UPDATE generations SET cancel_requested = (cancel_requested OR end_time IS NULL) \
             WHERE id = $1 RETURNING state",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(state.map(|(state,)| State::try_from(state).unwrap_or(State::Unspecified)))
    }

    async fn open(&self) -> Result<Vec<(Lease, i64)>, Error> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT id, epoch, heartbeat FROM generations WHERE end_time IS NULL LIMIT 10000",
        )
        .fetch_all(self.database.read())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(id, epoch, heartbeat)| (Lease { id, epoch }, heartbeat))
            .collect())
    }

    async fn claim(&self, seen: &Lease, heartbeat: i64) -> Result<Option<GenerationRecord>, Error> {
        let mut tx = self.database.begin().await?;
        let done = sqlx::query(
            "UPDATE generations SET epoch = epoch + 1, heartbeat = heartbeat + 1 \
             WHERE id = $1 AND epoch = $2 AND heartbeat = $3 AND end_time IS NULL",
        )
        .bind(&seen.id)
        .bind(seen.epoch)
        .bind(heartbeat)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        let record = read(&mut tx, &seen.id).await?;
        tx.commit().await?;
        Ok(record)
    }

    async fn forget(&self, id: &str) -> Result<bool, Error> {
        let mut tx = self.database.begin().await?;
        let done = sqlx::query("DELETE FROM generations WHERE id = $1 AND end_time IS NOT NULL")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    async fn depart(&self, owner: &str) -> Result<(), Error> {
        let mut tx = self.database.begin().await?;
        sqlx::query(
            "INSERT INTO generation_departed (owner, time) VALUES ($1, $2) ON CONFLICT (owner) DO NOTHING",
        )
        .bind(owner)
        .bind(moment::now())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn of(
        &self,
        owner: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<GenerationRecord>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM generations WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(owner)
            .bind(after)
            .bind(limit)
            .fetch_all(self.database.read())
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn open_of(&self, owner: &str, limit: u32) -> Result<Vec<String>, Error> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT id FROM generations WHERE owner = $1 AND end_time IS NULL ORDER BY id LIMIT $2",
        )
        .bind(owner)
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

#[async_trait]
impl Outbox for SqliteRecord {
    async fn pending(&self, limit: u32) -> Result<Vec<UsageEvent>, Error> {
        let rows: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT event FROM generation_outbox ORDER BY create_time, id LIMIT $1")
                .bind(limit)
                .fetch_all(self.database.read())
                .await?;
        rows.into_iter()
            .map(|(event,)| UsageEvent::decode(event.as_slice()).map_err(Error::store))
            .collect()
    }

    async fn waiting(&self, owner: &str) -> Result<u64, Error> {
        let (count,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM generation_outbox WHERE owner = $1")
                .bind(owner)
                .fetch_one(self.database.read())
                .await?;
        Ok(count.unsigned_abs())
    }

    async fn acknowledge(&self, ids: &[String]) -> Result<(), Error> {
        let mut tx = self.database.begin().await?;
        for id in ids {
            sqlx::query("DELETE FROM generation_outbox WHERE id = $1")
                .bind(id)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Erases a record that has ended, within a transaction of the service that deletes the rows it belongs to.
pub async fn erase(writer: &mut Writer, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM generations WHERE id = $1 AND end_time IS NOT NULL")
        .bind(id)
        .execute(writer)
        .await
        .map(drop)
}

/// Whether an owner has left. Within a transaction that makes something of the owner, it says so for as long as that lasts.
pub async fn has_departed(reader: &mut Writer, owner: &str) -> Result<bool, sqlx::Error> {
    let gone: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM generation_departed WHERE owner = $1")
        .bind(owner)
        .fetch_optional(reader)
        .await?;
    Ok(gone.is_some())
}

/// Refuses an owner who has left, within the transaction that would make something of this owner: whichever of the two
/// comes first, nothing is left behind.
pub async fn refuse_departed(writer: &mut Writer, owner: &str) -> Result<(), Error> {
    if has_departed(writer, owner).await? {
        return Err(Error::Departed);
    }
    Ok(())
}

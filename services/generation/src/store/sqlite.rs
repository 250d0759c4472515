//! Records in SQLite, in the service's own file and in one transaction with the service's own rows.

use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::moment;
use atelier_kit::sqlite::{Database, Writer};
use atelier_proto::generation::v1::{FinishReason, Snapshot, State};
use futures_util::TryStreamExt as _;
use prost::Message as _;
use sqlx::migrate::Migrator;

use super::departed::refuse_departed;
use super::refusal::Refusal;
use super::rows::{COLUMNS, LISTED, Listed, Row, digest, read, repeated};
use crate::error::Error;
use crate::fold::base;
use crate::ports::{
    End, GenerationRecord, Inserted, Lease, Listing, NewGeneration, Open, Record, Repeat,
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
    pub(super) database: Database,
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

#[async_trait]
impl Record for SqliteRecord {
    async fn insert(&self, new: &NewGeneration, state: State) -> Result<Inserted, Error> {
        let mut tx = self.database.begin().await?;
        refuse_departed(&mut tx, &new.owner).await?;
        if let Some(record) = repeated(&mut tx, new.again()).await? {
            return Ok(Inserted::Existing(Box::new(record)));
        }
        self.projection.created(&mut tx, new).await?;
        let now = moment::now();
        let snapshot = Snapshot {
            state: state.into(),
            model: new.model.clone(),
            ..Snapshot::default()
        };
        sqlx::query(
            "INSERT INTO generations (id, owner, request_id, digest, kind, task, state, epoch, heartbeat, provider, \
             model, snapshot, sequence, create_time, subject, priority) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 0, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(&new.id)
        .bind(&new.owner)
        .bind(&new.request_id)
        .bind(digest(new.again()))
        .bind(new.kind)
        .bind(new.task.as_ref())
        .bind(i32::from(state))
        .bind(&new.provider)
        .bind(&new.model)
        .bind(snapshot.encode_to_vec())
        .bind(base(1))
        .bind(now)
        .bind(&new.subject)
        .bind(new.priority.weight())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Inserted::New(Box::new(GenerationRecord {
            id: new.id.clone(),
            owner: new.owner.clone(),
            kind: new.kind.to_owned(),
            subject: new.subject.clone(),
            priority: new.priority,
            task: new.task.clone(),
            state,
            epoch: 1,
            heartbeat: 0,
            cancel_requested: false,
            provider: new.provider.clone(),
            model: new.model.clone(),
            snapshot,
            sequence: base(1),
            finish_reason: FinishReason::Unspecified,
            failure: None,
            create_time: now,
            end_time: None,
        })))
    }

    async fn repeated(&self, again: Repeat<'_>) -> Result<Option<GenerationRecord>, Error> {
        let mut reader = self.database.read().acquire().await?;
        repeated(&mut reader, again).await
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
            "UPDATE generations SET state = MAX(state, $1), snapshot = $2, sequence = $3, heartbeat = heartbeat + 1 \
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
             failure_reason = $5, failure_message = $6, retryable = $7, end_time = $8, heartbeat = heartbeat + 1, \
             provider = $11, model = $12 WHERE id = $9 AND epoch = $10 AND end_time IS NULL",
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
        // Who made it in the end may be another than was chosen.
        .bind(&end.usage_event.provider)
        .bind(&end.usage_event.model)
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
        sqlx::query(
            "INSERT INTO generation_settlements (id, usage, create_time) VALUES ($1, $2, $3)",
        )
        .bind(&lease.id)
        .bind(end.settlement.charge.map(|usage| usage.encode_to_vec()))
        .bind(now)
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

    async fn beat(&self, leases: &[Lease]) -> Result<Vec<String>, Error> {
        let mut lost = Vec::new();
        let mut tx = self.database.begin().await?;
        for lease in leases {
            let done = sqlx::query(
                "UPDATE generations SET heartbeat = heartbeat + 1 WHERE id = $1 AND epoch = $2 AND end_time IS NULL",
            )
            .bind(&lease.id)
            .bind(lease.epoch)
            .execute(&mut *tx)
            .await?;
            if done.rows_affected() == 0 {
                lost.push(lease.id.clone());
            }
        }
        tx.commit().await?;
        Ok(lost)
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), Error> {
        let mut tx = self.database.begin().await?;
        for lease in leases {
            sqlx::query(
                "UPDATE generations SET released = TRUE WHERE id = $1 AND epoch = $2 AND state = $3",
            )
            .bind(&lease.id)
            .bind(lease.epoch)
            .bind(i32::from(State::Queued))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn cancelled(&self) -> Result<Vec<String>, Error> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT id FROM generations WHERE cancel_requested AND end_time IS NULL LIMIT 10000",
        )
        .fetch_all(self.database.read())
        .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    async fn open(&self) -> Result<Vec<Open>, Error> {
        let rows: Vec<(String, i64, i64, bool)> = sqlx::query_as(
            "SELECT id, epoch, heartbeat, released FROM generations WHERE end_time IS NULL ORDER BY id LIMIT 20000",
        )
        .fetch_all(self.database.read())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(id, epoch, heartbeat, released)| Open {
                lease: Lease { id, epoch },
                heartbeat,
                released,
            })
            .collect())
    }

    async fn claim(&self, seen: &[Open]) -> Result<Vec<GenerationRecord>, Error> {
        let mut claimed = Vec::new();
        let mut tx = self.database.begin().await?;
        for open in seen {
            let done = sqlx::query(
                "UPDATE generations SET epoch = epoch + 1, heartbeat = heartbeat + 1, released = FALSE \
                 WHERE id = $1 AND epoch = $2 AND heartbeat = $3 AND end_time IS NULL",
            )
            .bind(&open.lease.id)
            .bind(open.lease.epoch)
            .bind(open.heartbeat)
            .execute(&mut *tx)
            .await?;
            if done.rows_affected() > 0 {
                claimed.extend(read(&mut tx, &open.lease.id).await?);
            }
        }
        tx.commit().await?;
        Ok(claimed)
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

    async fn list(
        &self,
        owner: &str,
        before: Option<&str>,
        open_only: bool,
        limit: i64,
    ) -> Result<Vec<Listing>, Error> {
        let open = if open_only {
            " AND end_time IS NULL"
        } else {
            ""
        };
        // Ids are made of the time, and nothing sorts after a tilde.
        let sql = format!(
            "SELECT {LISTED} FROM generations WHERE owner = $1 AND id < $2{open} ORDER BY id DESC LIMIT $3"
        );
        // One by one: a snapshot may have a megabyte, and a page a thousand rows.
        let mut rows = sqlx::query_as::<_, Listed>(sqlx::AssertSqlSafe(sql))
            .bind(owner)
            .bind(before.unwrap_or("~"))
            .bind(limit)
            .fetch(self.database.read());
        let mut listed = Vec::new();
        while let Some(row) = rows.try_next().await? {
            listed.push(row.0);
        }
        Ok(listed)
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

//! Records in SQLite, in the service's own file and in one transaction with the service's own rows.

use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::moment;
use atelier_kit::sqlite::{Database, Writer};
use atelier_proto::generation::v1::{Snapshot, State};
use futures_util::TryStreamExt as _;
use prost::Message as _;
use sqlx::migrate::Migrator;

use super::groups::{Begins, Ends, MOST};
use super::refusal::Refusal;
use super::rows::{COLUMNS, LISTED, Listed, Row, read, repeated};
use crate::error::Error;
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

    /// Several are about to be, of different subjects. Where one is refused, nothing of any of them is written, and each is
    /// tried by itself. For services that can do it in fewer statements.
    async fn all_created(
        &self,
        writer: &mut Writer,
        new: &[&NewGeneration],
    ) -> Result<(), Refusal> {
        for new in new {
            self.created(writer, new).await?;
        }
        Ok(())
    }

    /// Several are about to end. Where one cannot, nothing of any of them is written, and each is tried by itself.
    async fn all_ended(
        &self,
        writer: &mut Writer,
        ended: &[(GenerationRecord, &End)],
    ) -> Result<(), sqlx::Error> {
        for (record, end) in ended {
            self.ended(writer, record, end).await?;
        }
        Ok(())
    }
}

/// Keeps records and outbox in one SQLite file.
#[derive(Clone)]
pub struct SqliteRecord {
    pub(super) database: Database,
    pub(super) projection: Arc<dyn Projection>,
    pub(super) begins: Arc<Begins>,
    pub(super) ends: Arc<Ends>,
}

impl SqliteRecord {
    /// Records in this file; it must have the tables of [`migrations`].
    pub fn new(database: Database, projection: Arc<dyn Projection>) -> Self {
        Self {
            database,
            projection,
            begins: Arc::new(Begins::at_most(MOST)),
            ends: Arc::new(Ends::at_most(MOST)),
        }
    }
}

#[async_trait]
impl Record for SqliteRecord {
    async fn insert(&self, new: &NewGeneration, state: State) -> Result<Inserted, Error> {
        self.begin_together(new, state).await
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
        self.end_together(lease, end).await
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

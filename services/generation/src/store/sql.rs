//! Records in rows, in the service's own database and in one transaction with the service's own rows.
//!
//! Whatever an owner writes is one statement that guards itself by the lease's epoch: two who write to the same row come one after
//! the other, and the second finds what the first has made of it. So all of it may be written beside others. Only a departure
//! is alone: an insert that looked before it must be over before it, and one that looks after it must see it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::moment;
use atelier_kit::sql::{self, Database, Migrations, QueryBuilder, Writer};
use atelier_proto::generation::v1::{Snapshot, State};
use prost::Message as _;

use super::groups::{Away, Begins, Ends, MOST};
use super::refusal::Refusal;
use super::rows::{COLUMNS, LISTED, Listed, Row, read, repeated};
use crate::error::Error;
use crate::ports::{
    End, GenerationRecord, Inserted, Lease, Listing, NewGeneration, Open, Record, Repeat,
};

/// The tables of generations; they come before the service's own.
pub const MIGRATIONS: Migrations = Migrations {
    table: "_generation_migrations",
    sqlite: || sqlx::migrate!("migrations/sqlite"),
    postgres: Some(|| sqlx::migrate!("migrations/postgres")),
};

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

/// Keeps records and outbox in one database: a SQLite file, or a PostgreSQL schema.
#[derive(Clone)]
pub struct SqlRecord {
    pub(super) database: Database,
    pub(super) projection: Arc<dyn Projection>,
    pub(super) begins: Arc<Begins>,
    pub(super) ends: Arc<Ends>,
    pub(super) away: Away,
}

impl SqlRecord {
    /// Records in this database; it must have the tables of [`MIGRATIONS`].
    pub fn new(database: Database, projection: Arc<dyn Projection>) -> Self {
        Self {
            database,
            projection,
            begins: Arc::new(Begins::at_most(MOST)),
            ends: Arc::new(Ends::at_most(MOST)),
            away: Away::default(),
        }
    }
}

/// How many rows one statement is about: each number of them is a statement of its own.
const ROWS: usize = 100;

/// Leases in the order of their ids: whoever locks rows in one order waits for nobody who waits for him.
fn in_order(leases: &[Lease]) -> Vec<&Lease> {
    let mut leases: Vec<&Lease> = leases.iter().collect();
    leases.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    leases
}

/// A statement about the rows of these leases, which are `leases (of, at)` in it.
fn of_leases(leases: &[&Lease], sql: &str) -> QueryBuilder {
    let mut query = QueryBuilder::new("WITH leases (of, at) AS (");
    query.push_values(leases, |mut row, lease| {
        row.push_bind(&lease.id).push_bind(lease.epoch);
    });
    query.push(") ").push(sql);
    query
}

#[async_trait]
impl Record for SqlRecord {
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
        let mut tx = self.database.begin_beside(&[]).await?;
        let cancel: Option<(bool,)> = sql::query_as(
            "UPDATE generations SET state = CASE WHEN state < $1 THEN $1 ELSE state END, snapshot = $2, sequence = $3, heartbeat = heartbeat + 1 \
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
        let mut tx = self.database.begin_beside(&[]).await?;
        let state: Option<(i32,)> = sql::query_as(
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
        let mut held: HashSet<String> = HashSet::new();
        let mut tx = self.database.begin_beside(&[]).await?;
        for leases in in_order(leases).chunks(ROWS) {
            let rows: Vec<(String,)> = of_leases(
                leases,
                "UPDATE generations SET heartbeat = heartbeat + 1 FROM leases \
                 WHERE id = leases.of AND epoch = leases.at AND end_time IS NULL RETURNING id",
            )
            .build_query_as()
            .fetch_all(&mut *tx)
            .await?;
            held.extend(rows.into_iter().map(|(id,)| id));
        }
        tx.commit().await?;
        let lost = leases.iter().filter(|lease| !held.contains(&lease.id));
        Ok(lost.map(|lease| lease.id.clone()).collect())
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), Error> {
        let mut tx = self.database.begin_beside(&[]).await?;
        for leases in in_order(leases).chunks(ROWS) {
            of_leases(
                leases,
                "UPDATE generations SET released = TRUE FROM leases \
                 WHERE id = leases.of AND epoch = leases.at AND state = ",
            )
            .push_bind(i32::from(State::Queued))
            .build()
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn cancelled(&self) -> Result<Vec<String>, Error> {
        let rows: Vec<(String,)> = sql::query_as(
            "SELECT id FROM generations WHERE cancel_requested AND end_time IS NULL LIMIT 10000",
        )
        .fetch_all(self.database.read())
        .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    async fn open(&self) -> Result<Vec<Open>, Error> {
        let rows: Vec<(String, i64, i64, bool)> = sql::query_as(
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
        let mut claimed: HashMap<String, GenerationRecord> = HashMap::new();
        let mut tx = self.database.begin_beside(&[]).await?;
        for seen in seen.chunks(ROWS) {
            let mut query = QueryBuilder::new("WITH seen (of, at, beat) AS (");
            query.push_values(seen, |mut row, open| {
                row.push_bind(&open.lease.id)
                    .push_bind(open.lease.epoch)
                    .push_bind(open.heartbeat);
            });
            query.push(
                ") UPDATE generations SET epoch = epoch + 1, heartbeat = heartbeat + 1, released = FALSE FROM seen \
                 WHERE id = seen.of AND epoch = seen.at AND heartbeat = seen.beat AND end_time IS NULL RETURNING ",
            );
            let rows: Vec<Row> = query
                .push(COLUMNS)
                .build_query_as()
                .fetch_all(&mut *tx)
                .await?;
            claimed.extend(rows.into_iter().map(|row| (row.0.id.clone(), row.0)));
        }
        tx.commit().await?;
        let seen = seen.iter();
        Ok(seen
            .filter_map(|open| claimed.remove(&open.lease.id))
            .collect())
    }

    async fn forget(&self, id: &str) -> Result<bool, Error> {
        let mut tx = self.database.begin_beside(&[]).await?;
        let done = sql::query("DELETE FROM generations WHERE id = $1 AND end_time IS NOT NULL")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    async fn depart(&self, owner: &str) -> Result<(), Error> {
        // Alone, and nothing else here is: an insert has looked for the departure before it writes, and must be over by then.
        let mut tx = self.database.begin().await?;
        sql::query(
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
        let rows: Vec<Row> = sql::query_as(sqlx::AssertSqlSafe(sql))
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
        // Each is read as it comes: a snapshot may have a megabyte, and a page a thousand rows.
        let rows: Vec<Listed> = sql::query_as(sqlx::AssertSqlSafe(sql))
            .bind(owner)
            .bind(before.unwrap_or("~"))
            .bind(limit)
            .fetch_all(self.database.read())
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn open_of(&self, owner: &str, limit: u32) -> Result<Vec<String>, Error> {
        let rows: Vec<(String,)> = sql::query_as(
            "SELECT id FROM generations WHERE owner = $1 AND end_time IS NULL ORDER BY id LIMIT $2",
        )
        .bind(owner)
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

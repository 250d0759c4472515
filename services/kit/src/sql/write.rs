//! The one connection that writes to a SQLite file: kept by this room and not by a pool, which asks a connection twice for each
//! use whether it still lives, and so doubles what a short transaction costs.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Error, SqliteConnection};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use super::connection::{Connection, Transaction};

/// How long a writer waits for those before it in this process.
const PATIENCE: Duration = Duration::from_secs(30);
/// A deferred transaction that reads first fails at once with SQLITE_BUSY when another has written since.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// The connection, for as long as nobody else in this process writes.
pub(super) type Held = OwnedMappedMutexGuard<Option<SqliteConnection>, SqliteConnection>;

/// The connection, and how it is made anew. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct WriteConnection {
    options: SqliteConnectOptions,
    /// `None` once it is closed.
    connection: Arc<Mutex<Option<SqliteConnection>>>,
}

impl WriteConnection {
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self {
            options,
            connection: Arc::new(Mutex::new(Some(connection))),
        }
    }

    pub(super) async fn begin(&self) -> Result<Transaction, Error> {
        let held = self.hold().await?;
        let write = Transaction::begin(Connection::writer(held), BEGIN).await;
        if let Err(Error::WorkerCrashed) = write {
            // The thread behind the connection has ended; what it was about is rolled back.
            let mut held = self.hold().await?;
            *held = self.options.connect().await?;
            return Transaction::begin(Connection::writer(held), BEGIN).await;
        }
        write
    }

    pub(super) async fn write_back(&self) -> Result<(), Error> {
        let mut held = self.hold().await?;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_all(&mut *held)
            .await
            .map(drop)
    }

    pub(super) async fn close(&self) {
        let connection = self.connection.lock().await.take();
        if let Some(connection) = connection
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "a database was not closed well; its log is read at the next start");
        }
    }

    /// Waits until nobody else in this process writes.
    async fn hold(&self) -> Result<Held, Error> {
        let held = tokio::time::timeout(PATIENCE, self.connection.clone().lock_owned()).await;
        let held = held.map_err(|_| Error::PoolTimedOut)?;
        OwnedMutexGuard::try_map(held, Option::as_mut).map_err(|_| Error::PoolClosed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Database, query, query_as};

    async fn counted(database: &Database) -> i64 {
        let (count,): (i64,) = query_as("SELECT COUNT(*) FROM t")
            .fetch_one(database.read())
            .await
            .unwrap();
        count
    }

    async fn database(folder: &tempfile::TempDir) -> Database {
        let database = Database::file(&folder.path().join("t.db"), &[])
            .await
            .unwrap();
        let mut write = database.begin().await.unwrap();
        query("CREATE TABLE t (n INTEGER)")
            .execute(&mut *write)
            .await
            .unwrap();
        write.commit().await.unwrap();
        database
    }

    #[tokio::test]
    async fn what_is_not_committed_is_rolled_back_before_the_next_begins() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder).await;
        for _ in 0..50 {
            let mut lost = database.begin().await.unwrap();
            query("INSERT INTO t VALUES (1)")
                .execute(&mut *lost)
                .await
                .unwrap();
            drop(lost);
            let mut kept = database.begin().await.unwrap();
            query("INSERT INTO t VALUES (2)")
                .execute(&mut *kept)
                .await
                .unwrap();
            kept.commit().await.unwrap();
        }
        assert_eq!(counted(&database).await, 50);
    }

    #[tokio::test]
    async fn who_goes_away_in_the_middle_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder).await;
        // Each goes away at another of its awaits, the first of them before anything was asked for.
        for polls in 0..60 {
            let mut work = Box::pin(async {
                let mut write = database.begin().await.unwrap();
                for _ in 0..3 {
                    query("INSERT INTO t VALUES (1)")
                        .execute(&mut *write)
                        .await
                        .unwrap();
                }
                // Never committed.
                std::future::pending::<()>().await;
            });
            for _ in 0..polls {
                let _ = futures_util::poll!(work.as_mut());
                tokio::task::yield_now().await;
            }
            drop(work);
            let mut write = database.begin().await.unwrap();
            let (count,): (i64,) = query_as("SELECT COUNT(*) FROM t")
                .fetch_one(&mut *write)
                .await
                .unwrap();
            assert_eq!(count, 0, "after {polls} polls");
        }
    }

    #[tokio::test]
    async fn a_closed_file_takes_no_writer() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder).await;
        database.close().await;
        assert!(matches!(
            database.begin().await.unwrap_err(),
            Error::PoolClosed
        ));
        assert!(matches!(
            database.write_back().await.unwrap_err(),
            Error::PoolClosed
        ));
    }
}

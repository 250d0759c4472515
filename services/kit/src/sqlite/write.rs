//! The one connection that writes: kept by this room and not by a pool, which asks a connection twice for each use whether it
//! still lives, and so doubles what a short transaction costs.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Error, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

/// How long a writer waits for those before it in this process.
const PATIENCE: Duration = Duration::from_secs(30);

/// The connection, for as long as nobody else in this process writes.
type Held = OwnedMappedMutexGuard<Option<SqliteConnection>, SqliteConnection>;

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

    pub(super) async fn begin(&self) -> Result<Write, Error> {
        let mut held = self.hold().await?;
        let mut write = Write::begin(held).await;
        if let Err(Error::WorkerCrashed) = write {
            // The thread behind the connection has ended; what it was about is rolled back.
            held = self.hold().await?;
            *held = self.options.connect().await?;
            write = Write::begin(held).await;
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

/// A writing transaction. Dropped without [`Write::commit`], it is rolled back before the next one begins.
#[derive(Debug)]
pub struct Write {
    /// `None` from the moment it is over.
    held: Option<Held>,
}

impl Write {
    async fn begin(held: Held) -> Result<Self, Error> {
        // Before the statement: one that nobody waits for any more is carried out all the same, and must be undone.
        let mut write = Self { held: Some(held) };
        // A deferred transaction that reads first fails at once with SQLITE_BUSY when another has written since.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *write).await?;
        Ok(write)
    }

    /// Makes it last: when this returns, it is on the disk.
    pub async fn commit(mut self) -> Result<(), Error> {
        sqlx::query("COMMIT").execute(&mut *self).await?;
        point();
        self.held = None;
        Ok(())
    }

    /// Undoes it; when this returns, the next writer may begin.
    pub async fn rollback(mut self) -> Result<(), Error> {
        sqlx::query("ROLLBACK").execute(&mut *self).await?;
        self.held = None;
        Ok(())
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else {
            return;
        };
        // Without a runtime there is no next writer.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                // It says that there is none where SQLite has rolled it back by itself.
                if let Err(error) = sqlx::query("ROLLBACK").execute(&mut *held).await {
                    tracing::debug!(%error, "nothing to roll back");
                }
            });
        }
    }
}

/// Where a test may end this process: each store must be whole whichever it is.
fn point() {
    #[cfg(feature = "testing")]
    crate::testing::crash::point();
}

const OVER: &str = "a transaction that is over is nobody's";

#[expect(
    clippy::expect_used,
    reason = "only what ends a transaction takes the connection away"
)]
impl Deref for Write {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.held.as_deref().expect(OVER)
    }
}

#[expect(
    clippy::expect_used,
    reason = "only what ends a transaction takes the connection away"
)]
impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        // Whoever borrows it is about to send a statement.
        point();
        self.held.as_deref_mut().expect(OVER)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Executor as _;

    use super::*;
    use crate::sqlite::Database;

    async fn counted(database: &Database) -> i64 {
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM t")
            .fetch_one(database.read())
            .await
            .unwrap();
        count
    }

    async fn database(folder: &tempfile::TempDir) -> Database {
        let database = Database::open(&folder.path().join("t.db"), &[])
            .await
            .unwrap();
        let mut write = database.begin().await.unwrap();
        write.execute("CREATE TABLE t (n INTEGER)").await.unwrap();
        write.commit().await.unwrap();
        database
    }

    #[tokio::test]
    async fn what_is_not_committed_is_rolled_back_before_the_next_begins() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder).await;
        for _ in 0..50 {
            let mut lost = database.begin().await.unwrap();
            lost.execute("INSERT INTO t VALUES (1)").await.unwrap();
            drop(lost);
            let mut kept = database.begin().await.unwrap();
            kept.execute("INSERT INTO t VALUES (2)").await.unwrap();
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
                    write.execute("INSERT INTO t VALUES (1)").await.unwrap();
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
            let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM t")
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

//! The embedded database, opened the one safe way: WAL, one writer that begins at once, readers that never write.

mod write;

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, SqliteConnection};

pub use write::Write;
use write::WriteConnection;

/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 400;
/// How many may read at once.
const READERS: u32 = 4;

/// One SQLite file. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Database {
    read: SqlitePool,
    write: WriteConnection,
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite refused.
    #[error("the database {path}: {source}")]
    Open {
        /// The file.
        path: String,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The lock that keeps two starters apart cannot be had.
    #[error("the lock of {path}: {source}")]
    Lock {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A migration failed, or the file is of a newer Atelier.
    #[error("the migrations of {path}: {source}")]
    Migrate {
        /// The file.
        path: String,
        /// What sqlx said.
        source: MigrateError,
    },
}

impl Database {
    /// Opens or makes the file, and applies the migrations of each migrator in order.
    ///
    /// Two processes may share a file: a writer takes its lock at the beginning of its transaction and waits up
    /// to five seconds for it.
    pub async fn open(path: &Path, migrators: &[&Migrator]) -> Result<Self, OpenError> {
        // SQLite's migrator takes no lock of its own: of two starters on a new file, one would find half a schema.
        let _alone = alone(path).await?;
        let open = |source| OpenError::Open {
            path: path.display().to_string(),
            source,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL, because accounts, money and jobs are here: a commit that was told is on the disk.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            // What is deleted is overwritten, and not only unlinked: somebody who leaves leaves nothing in free pages.
            .pragma("secure_delete", "ON")
            .foreign_keys(true)
            // Each size of a group is a statement of its own.
            .statement_cache_capacity(STATEMENTS);
        let migrating = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(open)?;
        for migrator in migrators {
            migrator
                .run(&migrating)
                .await
                .map_err(|source| OpenError::Migrate {
                    path: path.display().to_string(),
                    source,
                })?;
        }
        migrating.close().await;
        let write = options.connect().await.map_err(open)?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            // A connection into a file does not go away by itself, and each question would cost a second one.
            .test_before_acquire(false)
            .connect_with(options.clone().read_only(true))
            .await
            .map_err(open)?;
        let write = WriteConnection::new(options, write);
        Ok(Self { read, write })
    }

    /// The readers.
    pub fn read(&self) -> &SqlitePool {
        &self.read
    }

    /// Begins a writing transaction. It holds the file's one write lock until it is committed or dropped.
    pub async fn begin(&self) -> Result<Write, sqlx::Error> {
        self.write.begin().await
    }

    /// Writes what was written so far back into the file and empties the log beside it, so that what was erased stands
    /// in neither. Readers that are under way may keep it from that; then the next writers do it bit by bit.
    pub async fn write_back(&self) -> Result<(), sqlx::Error> {
        self.write.write_back().await
    }

    /// Writes all pages back and closes the file.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// Waits until no other starter is opening this file; the lock ends with the value, or with the process.
async fn alone(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-opening");
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).append(true).open(name)?;
        file.lock()?;
        Ok(file)
    });
    locked
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|source| OpenError::Lock {
            path: path.display().to_string(),
            source,
        })
}

/// The connection of a writing transaction, as ports of one transaction hand it around.
pub type Writer = SqliteConnection;

/// Whether an error says that a unique key is taken.
pub fn is_unique_violation(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(database) if database.is_unique_violation())
}

/// Whether an error says that another has held the write lock for too long: the same may be tried again.
pub fn is_busy(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut => true,
        // SQLITE_BUSY, in the low byte of its extended codes too.
        sqlx::Error::Database(database) => database
            .code()
            .and_then(|code| code.parse::<i32>().ok())
            .is_some_and(|code| code & 0xff == 5),
        _ => false,
    }
}

//! A SQLite file, opened the one safe way: WAL, one writer that begins at once, readers that never write.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::write::WriteConnection;
use super::{Migrations, OpenError};

/// How many may read at once.
const READERS: u32 = 4;

/// Opens or makes the file, and applies the migrations in order.
///
/// Two processes may share a file: a writer takes its lock at the beginning of its transaction and waits up to five seconds
/// for it.
pub(super) async fn open(
    path: &Path,
    migrations: &[Migrations],
) -> Result<(SqlitePool, WriteConnection), OpenError> {
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
        .statement_cache_capacity(super::STATEMENTS);
    let migrating = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options.clone())
        .await
        .map_err(open)?;
    for migration in migrations {
        migration
            .sqlite()
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
    Ok((read, WriteConnection::new(options, write)))
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

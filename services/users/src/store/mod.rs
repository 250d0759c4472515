//! The ports kept in the embedded SQLite; the one place where this service writes SQL.

mod keys;
mod rows;
mod sessions;
mod users;

pub(crate) use keys::SqliteKeyStore;
pub(crate) use sessions::SqliteSessionStore;
pub(crate) use users::SqliteUserStore;

use std::path::Path;
use std::time::Duration;

use atelier_kit::sqlite::{Database, OpenError};

use crate::error::Error;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// How often, and how far apart, opening is tried while another process makes the same file.
const ATTEMPTS: u32 = 10;
const APART: Duration = Duration::from_millis(100);

/// Opens or makes the database.
pub(crate) async fn open(path: &Path) -> Result<Database, OpenError> {
    let mut attempt = 1;
    loop {
        match Database::open(path, &[&MIGRATIONS]).await {
            Err(error) if attempt < ATTEMPTS && may_be_racing(&error) => attempt += 1,
            result => return result,
        }
        tokio::time::sleep(APART).await;
    }
}

/// SQLite's migrations take no lock of their own: of two processes that start at once on a new file, one finds
/// the tables already there, and sees at its next attempt that there is nothing left to do.
fn may_be_racing(error: &OpenError) -> bool {
    match error {
        OpenError::Migrate { source, .. } => {
            matches!(
                source,
                sqlx::migrate::MigrateError::ExecuteMigration(..)
                    | sqlx::migrate::MigrateError::Execute(_)
            )
        }
        OpenError::Open { source, .. } => is_busy(source),
    }
}

/// What the driver's error means to the rules.
fn failed(error: sqlx::Error) -> Error {
    if is_busy(&error) {
        Error::Busy
    } else {
        Error::store(error)
    }
}

/// Whether another has held the write lock for too long.
fn is_busy(error: &sqlx::Error) -> bool {
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

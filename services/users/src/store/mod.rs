//! The ports kept in the embedded SQLite; the one place where this service writes SQL.

mod api_keys;
mod attempts;
mod audit;
mod deletions;
mod departures;
mod holders;
mod identities;
mod keys;
mod mail_tokens;
mod mails;
mod rows;
mod second_factor;
mod sessions;
mod sign_ins;
mod users;

pub(crate) use api_keys::SqliteApiKeyStore;
pub(crate) use attempts::SqliteAttemptStore;
pub(crate) use audit::SqliteAuditStore;
pub(crate) use deletions::SqliteDeletionStore;
pub(crate) use holders::{AuditedGrants, SqliteHolderStore};
pub(crate) use identities::SqliteIdentityStore;
pub(crate) use keys::SqliteKeyStore;
pub(crate) use mail_tokens::SqliteMailTokenStore;
pub(crate) use mails::SqliteMailStore;
pub(crate) use second_factor::SqliteFactorStore;
pub(crate) use sessions::SqliteSessionStore;
pub(crate) use sign_ins::SqliteSignInStore;
pub(crate) use users::SqliteUserStore;

use std::path::Path;

use atelier_kit::sqlite::{Database, OpenError, is_busy};

use crate::error::Error;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Opens or makes the database, with the book of credits in it.
pub(crate) async fn open(path: &Path) -> Result<Database, OpenError> {
    Database::open(path, &[&atelier_ledger::store::migrations(), &MIGRATIONS]).await
}

/// What the driver's error means to the rules.
fn failed(error: sqlx::Error) -> Error {
    if is_busy(&error) {
        Error::Busy
    } else {
        Error::store(error)
    }
}

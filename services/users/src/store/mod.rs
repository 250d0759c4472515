//! The ports kept in rows; the one place where this service writes SQL.

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

pub(crate) use api_keys::SqlApiKeyStore;
pub(crate) use attempts::SqlAttemptStore;
pub(crate) use audit::SqlAuditStore;
pub(crate) use deletions::SqlDeletionStore;
pub(crate) use holders::{AuditedGrants, SqlHolderStore};
pub(crate) use identities::SqlIdentityStore;
pub(crate) use keys::SqlKeyStore;
pub(crate) use mail_tokens::SqlMailTokenStore;
pub(crate) use mails::SqlMailStore;
pub(crate) use second_factor::SqlFactorStore;
pub(crate) use sessions::SqlSessionStore;
pub(crate) use sign_ins::SqlSignInStore;
pub(crate) use users::SqlUserStore;

use std::path::Path;

use atelier_kit::sql::{Database, Migrations, OpenError, PostgresServer, is_busy};

use crate::DATABASE;
use crate::error::Error;
use crate::leaving::ROLE;

/// The tables of this service, with the book of credits before them.
pub(crate) const MIGRATIONS: [Migrations; 2] = [
    atelier_ledger::store::MIGRATIONS,
    Migrations::of_service(
        || sqlx::migrate!("migrations/sqlite"),
        Some(|| sqlx::migrate!("migrations/postgres")),
    ),
];

/// Opens or makes the database: in the service's schema on a server, or else in its folder.
pub(crate) async fn open(
    server: Option<&PostgresServer>,
    data: &Path,
) -> Result<Database, OpenError> {
    match server {
        Some(server) => Database::schema(server, ROLE, &MIGRATIONS).await,
        None => Database::file(&data.join(DATABASE), &MIGRATIONS).await,
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

//! The book in rows; the one place where this crate writes SQL.

mod groups;
mod ledger;
mod load;
mod read;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::sql::{Database, Migrations, Transaction, Writer, is_busy};

use crate::draft::Draft;
use crate::error::Error;
use crate::known::Grant;

/// The ledger's tables; they come before the service's own.
pub const MIGRATIONS: Migrations = Migrations {
    table: "_ledger_migrations",
    sqlite: || sqlx::migrate!("migrations/sqlite"),
    postgres: Some(|| sqlx::migrate!("migrations/postgres")),
};

/// What a service keeps beside the book, in the same transaction.
#[async_trait]
pub trait Beside: Send + Sync + 'static {
    /// Somebody has given these credits: [`crate::NewGrant::actor`] says who.
    async fn granted(&self, writer: &mut Writer, grant: &Grant) -> Result<(), sqlx::Error>;
}

/// The name of the book among those who write to one schema.
const BOOK: &str = "ledger";

/// The book in a service's own database. Clones are the same.
#[derive(Clone)]
pub struct SqlLedger {
    database: Database,
    beside: Arc<dyn Beside>,
    steps: Arc<groups::Steps>,
}

impl SqlLedger {
    /// In this database, to which [`MIGRATIONS`] were applied.
    pub fn new(database: Database, beside: Arc<dyn Beside>) -> Self {
        Self {
            database,
            beside,
            steps: Arc::new(groups::Steps::at_most(groups::MOST)),
        }
    }

    /// Begins to write. The book has one writer at a time, and keeps nobody from signing in: all that is read here to decide what
    /// is written are the book's own tables, which are written here alone, and always under this name. What is kept beside it are
    /// rows that are only added.
    async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        self.database.begin_beside(&[BOOK]).await
    }

    /// Writes what has changed, and what is kept beside it.
    async fn write(&self, write: &mut Transaction, draft: &Draft) -> Result<(), sqlx::Error> {
        write::changes(write, &draft.changes).await?;
        for given in &draft.changes.grants {
            if !given.grant.given.actor.is_empty() {
                self.beside.granted(&mut *write, &given.grant).await?;
            }
        }
        Ok(())
    }
}

/// What the driver's error means to whoever pays.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_busy(&error) {
            Self::Busy
        } else {
            Self::store(error)
        }
    }
}

/// A column that holds what this version cannot read.
fn unreadable(column: &str, value: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("{column} cannot be {value:?}").into())
}

//! The book in SQLite; the one place where this crate writes SQL.

mod groups;
mod ledger;
mod load;
mod read;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::sqlite::{Database, Write, Writer, is_busy};
use sqlx::migrate::Migrator;

use crate::draft::Draft;
use crate::error::Error;
use crate::known::Grant;

/// The table that says which of the migrations here have been applied, so that the tables of others can be beside these.
const MIGRATIONS_TABLE: &str = "_ledger_migrations";

/// The migrations of the ledger's tables; apply them before the service's own.
pub fn migrations() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    migrator
}

/// What a service keeps beside the book, in the same transaction.
#[async_trait]
pub trait Beside: Send + Sync + 'static {
    /// Somebody has given these credits: [`crate::NewGrant::actor`] says who.
    async fn granted(&self, writer: &mut Writer, grant: &Grant) -> Result<(), sqlx::Error>;
}

/// The book in a service's own SQLite file. Clones are the same.
#[derive(Clone)]
pub struct SqliteLedger {
    database: Database,
    beside: Arc<dyn Beside>,
    steps: Arc<groups::Steps>,
}

impl SqliteLedger {
    /// In this file, to which [`migrations`] were applied.
    pub fn new(database: Database, beside: Arc<dyn Beside>) -> Self {
        Self {
            database,
            beside,
            steps: Arc::new(groups::Steps::at_most(groups::MOST)),
        }
    }

    /// Writes what has changed, and what is kept beside it.
    async fn write(&self, write: &mut Write, draft: &Draft) -> Result<(), sqlx::Error> {
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

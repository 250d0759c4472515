//! What a service keeps in rows: one text of SQL, in a SQLite file of its own or in a PostgreSQL schema of its own.
//!
//! The statements read as sqlx's do ([`query`], [`query_as`], [`QueryBuilder`]); they must be such that both engines take them.
//! Ids are TEXT and times BIGINT microseconds, and only the migrations are written twice.
//!
//! A SQLite file has one writer at a time. [`Database::begin`] keeps that in PostgreSQL too, so a rule that reads first and then
//! writes is right on both; what must not wait for others says so with [`Database::begin_beside`].

mod builder;
mod connection;
mod lock;
mod postgres;
mod query;
mod sqlite;
mod trouble;
mod turn;
mod value;
mod write;

use std::path::Path;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;

pub use builder::{QueryBuilder, Separated};
pub use connection::{Connection, Reading, Transaction, Writer};
pub use postgres::PostgresServer;
pub use query::{Done, Query, QueryAs, Target, query, query_as};
pub use trouble::{is_busy, is_race, is_unique_violation};
pub use value::{Cell, Cells, FromRow, Row, Value, narrow};

use lock::Lock;
use trouble::is_away;
use turn::{Turn, Turns};
use write::WriteConnection;

/// How many statements a connection keeps prepared: each size of a group is one of its own.
const STATEMENTS: usize = 400;

/// The tables of one room, for both engines.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The table that says which have been applied; several rooms may share a database.
    pub table: &'static str,
    /// Those for SQLite.
    pub sqlite: fn() -> Migrator,
    /// Those for PostgreSQL, where it may be there.
    pub postgres: Option<fn() -> Migrator>,
}

impl Migrations {
    /// The tables of a service, with their versions in a table of sqlx's own name.
    pub const fn of_service(sqlite: fn() -> Migrator, postgres: Option<fn() -> Migrator>) -> Self {
        Self {
            table: "_sqlx_migrations",
            sqlite,
            postgres,
        }
    }

    fn named(&self, mut migrator: Migrator) -> Migrator {
        migrator.dangerous_set_table_name(self.table);
        migrator
    }

    fn sqlite(&self) -> Migrator {
        self.named((self.sqlite)())
    }

    fn postgres(&self) -> Option<Migrator> {
        self.postgres.map(|migrator| self.named(migrator()))
    }
}

/// Where a service's rows are. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Database {
    readers: Readers,
    writers: Writers,
    told: String,
}

#[derive(Clone, Debug)]
enum Writers {
    Sqlite(Box<WriteConnection>),
    Postgres {
        pool: PgPool,
        schema: &'static str,
        turns: Turns,
    },
}

/// Those who only read.
#[derive(Clone, Debug)]
pub enum Readers {
    /// Of a SQLite file.
    Sqlite(SqlitePool),
    /// Of a PostgreSQL server.
    Postgres(PgPool),
}

impl Readers {
    /// A connection, for statements that must see the same or follow each other.
    pub async fn acquire(&self) -> Result<Reading, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(pool) => Connection::reader(pool.acquire().await?),
            Self::Postgres(pool) => Connection::postgres(pool.acquire().await?),
        })
    }

    /// A transaction that reads: all its statements see the same, whatever is written meanwhile. It ends when it is dropped.
    pub async fn snapshot(&self) -> Result<Transaction, sqlx::Error> {
        let begin = match self {
            Self::Sqlite(_) => "BEGIN",
            Self::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        Transaction::begin(self.acquire().await?, begin).await
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine refused.
    #[error("the database {path}: {source}")]
    Open {
        /// The file, or the server and the schema.
        path: String,
        /// What it said.
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
    /// A migration failed, or a file is of a newer Atelier.
    #[error("the migrations of {path}: {source}")]
    Migrate {
        /// The file, or the server and the schema.
        path: String,
        /// What sqlx said.
        source: MigrateError,
    },
}

impl Database {
    /// Opens or makes a SQLite file, and applies the migrations of each room in order.
    pub async fn file(path: &Path, migrations: &[Migrations]) -> Result<Self, OpenError> {
        let (read, write) = sqlite::open(path, migrations).await?;
        Ok(Self {
            readers: Readers::Sqlite(read),
            writers: Writers::Sqlite(Box::new(write)),
            told: format!("sqlite {}", path.display()),
        })
    }

    /// Opens or makes a schema on a server, and applies the migrations of each room in order. Waits a minute for a server that
    /// is not there yet. A schema's name is one of ours, and never a caller's.
    pub async fn schema(
        server: &PostgresServer,
        schema: &'static str,
        migrations: &[Migrations],
    ) -> Result<Self, OpenError> {
        let pool = postgres::open(server, schema, migrations).await?;
        Ok(Self {
            readers: Readers::Postgres(pool.clone()),
            writers: Writers::Postgres {
                pool,
                schema,
                turns: Turns::default(),
            },
            told: format!("{server}, schema {schema}"),
        })
    }

    /// The readers.
    pub fn read(&self) -> &Readers {
        &self.readers
    }

    /// Begins a writing transaction that nobody writes beside: what it reads stays true until it is committed or dropped.
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        match &self.writers {
            Writers::Sqlite(connection) => connection.begin().await,
            Writers::Postgres {
                pool,
                schema,
                turns,
            } => begin_in(pool, turns.alone(), &lock::alone(schema)).await,
        }
    }

    /// Begins a writing transaction that others of this kind may write beside, where the engine can: those that have none of
    /// these names. For transactions of which each statement guards itself, or that read only what a name stands for.
    pub async fn begin_beside(&self, names: &[&str]) -> Result<Transaction, sqlx::Error> {
        match &self.writers {
            Writers::Sqlite(connection) => connection.begin().await,
            Writers::Postgres {
                pool,
                schema,
                turns,
            } => {
                let locks = Lock::all_of(schema, names);
                begin_in(pool, turns.beside(&locks), &lock::beside(schema, &locks)).await
            }
        }
    }

    /// Whether it answers: what readiness asks.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        query_as::<(i32,)>("SELECT 1")
            .fetch_one(self.read())
            .await
            .map(drop)
    }

    /// Whether others on other machines can share it.
    pub fn is_embedded(&self) -> bool {
        matches!(self.writers, Writers::Sqlite(_))
    }

    /// Writes what was written so far back into a SQLite file and empties the log beside it, so that what was erased stands
    /// in neither. Readers that are under way may keep it from that; then the next writers do it bit by bit. A server has its
    /// own ways (`VACUUM`).
    pub async fn write_back(&self) -> Result<(), sqlx::Error> {
        match &self.writers {
            Writers::Sqlite(connection) => connection.write_back().await,
            Writers::Postgres { .. } => Ok(()),
        }
    }

    /// Ends all connections; a file has all its pages then.
    pub async fn close(&self) {
        match &self.readers {
            Readers::Sqlite(pool) => pool.close().await,
            Readers::Postgres(pool) => pool.close().await,
        }
        if let Writers::Sqlite(connection) = &self.writers {
            connection.close().await;
        }
    }
}

/// Waits for a turn and then for a connection, no longer than for a connection alone.
async fn begin_in(
    pool: &PgPool,
    turn: impl Future<Output = Turn>,
    sql: &str,
) -> Result<Transaction, sqlx::Error> {
    let ready = async {
        let turn = turn.await;
        Ok::<_, sqlx::Error>((Connection::postgres(pool.acquire().await?), turn))
    };
    let (connection, turn) = tokio::time::timeout(postgres::ACQUIRE, ready)
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)??;
    Transaction::begin_in_turn(connection, Some(turn), sql).await
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.told)
    }
}

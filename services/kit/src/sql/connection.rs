//! A connection of either engine, and the transaction that writes on it.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Error, PgConnection, Postgres, Sqlite, SqliteConnection};
use tokio::runtime::Handle;

use super::turn::Turn;
use super::write::Held;

/// How long one statement may take; a server that accepts and never answers is as good as none. Below the shortest deadline of a
/// method, of five seconds, and above what a statement may wait for a lock.
const ANSWER: Duration = Duration::from_secs(4);

/// A connection: what a statement is carried out on. Ports of one transaction hand it around.
#[derive(Debug)]
pub struct Connection(Kind);

#[derive(Debug)]
enum Kind {
    /// The one that writes to a SQLite file.
    SqliteWriter(Held),
    /// One of those that read it.
    SqliteReader(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>, Answers),
}

/// The engine behind it.
pub(super) enum Engine<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection, &'c mut Answers),
}

/// What is known of the answers on a connection to a server.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// One is missing: nobody knows what will come on this connection next.
    late: bool,
    /// One was an error: PostgreSQL answers a COMMIT after it with a rollback, and calls that no error.
    failed: bool,
}

impl Answers {
    /// Waits for an answer as long as it may take.
    pub(super) async fn within<T>(
        &mut self,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        // Before and not after: who goes away in the middle of a statement leaves its answer on the connection.
        self.late = true;
        let told = tokio::time::timeout(ANSWER, answer)
            .await
            .unwrap_or_else(|_| {
                Err(Error::Io(std::io::Error::new(
                    std::io::ErrorKind::TimedOut,
                    "the database does not answer",
                )))
            });
        self.late = matches!(told, Err(Error::Io(_) | Error::Protocol(_) | Error::Tls(_)));
        self.failed |= told.is_err();
        told
    }
}

impl Connection {
    pub(super) fn writer(held: Held) -> Self {
        Self(Kind::SqliteWriter(held))
    }

    pub(super) fn reader(connection: PoolConnection<Sqlite>) -> Self {
        Self(Kind::SqliteReader(connection))
    }

    pub(super) fn postgres(connection: PoolConnection<Postgres>) -> Self {
        Self(Kind::Postgres(connection, Answers::default()))
    }

    pub(super) fn engine(&mut self) -> Engine<'_> {
        match &mut self.0 {
            Kind::SqliteWriter(held) => Engine::Sqlite(held),
            Kind::SqliteReader(connection) => Engine::Sqlite(connection),
            Kind::Postgres(connection, answers) => Engine::Postgres(connection, answers),
        }
    }

    /// Whether it is to PostgreSQL: for the few statements that the engines spell differently.
    pub fn is_postgres(&self) -> bool {
        matches!(self.0, Kind::Postgres(..))
    }

    /// Carries out statements that take no values and return nothing.
    async fn run(&mut self, sql: &str) -> Result<(), Error> {
        match self.engine() {
            Engine::Sqlite(sqlite) => sqlx::query(AssertSqlSafe(sql))
                .execute(sqlite)
                .await
                .map(drop),
            Engine::Postgres(postgres, answers) => {
                let told = sqlx::raw_sql(AssertSqlSafe(sql)).execute(postgres);
                answers.within(told).await.map(drop)
            }
        }
    }

    fn failed(&self) -> bool {
        matches!(&self.0, Kind::Postgres(_, answers) if answers.failed)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Kind::Postgres(connection, answers) = &mut self.0
            && answers.late
        {
            connection.close_on_drop();
        }
    }
}

/// A connection that reads.
pub type Reading = Connection;

/// The connection of a writing transaction, as ports of one transaction hand it around.
pub type Writer = Connection;

/// A transaction, for writing or for reading the same twice. Dropped without [`Transaction::commit`], it is rolled back.
#[derive(Debug)]
pub struct Transaction {
    /// `None` from the moment it is over.
    connection: Option<Connection>,
    /// Kept until it is over, where the engine is one that others write to as well.
    turn: Option<Turn>,
}

impl Transaction {
    /// Begins one with these statements.
    pub(super) async fn begin(connection: Connection, sql: &str) -> Result<Self, Error> {
        Self::begin_in_turn(connection, None, sql).await
    }

    /// The same, for as long as a turn lasts.
    pub(super) async fn begin_in_turn(
        connection: Connection,
        turn: Option<Turn>,
        sql: &str,
    ) -> Result<Self, Error> {
        // Before the statement: one that nobody waits for any more is carried out all the same, and must be undone.
        let mut write = Self {
            connection: Some(connection),
            turn,
        };
        write.run(sql).await?;
        Ok(write)
    }

    /// Makes it last: when this returns, it is on the disk.
    pub async fn commit(mut self) -> Result<(), Error> {
        if self.failed() {
            return Err(Error::InvalidArgument(
                "a transaction with a statement that failed cannot be committed".to_owned(),
            ));
        }
        self.run("COMMIT").await?;
        point();
        self.connection = None;
        Ok(())
    }

    /// Undoes it; when this returns, the next writer may begin.
    pub async fn rollback(mut self) -> Result<(), Error> {
        self.run("ROLLBACK").await?;
        self.connection = None;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        // A server rolls back by itself what was begun on a connection that is closed.
        if matches!(&connection.0, Kind::Postgres(_, answers) if answers.late) {
            return;
        }
        let turn = self.turn.take();
        // Without a runtime there is no next writer.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _until_it_is_undone = turn;
                // It says that there is none where SQLite has rolled it back by itself.
                if let Err(error) = connection.run("ROLLBACK").await {
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
impl Deref for Transaction {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect(OVER)
    }
}

#[expect(
    clippy::expect_used,
    reason = "only what ends a transaction takes the connection away"
)]
impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Connection {
        // Whoever borrows it is about to send a statement.
        point();
        self.connection.as_mut().expect(OVER)
    }
}

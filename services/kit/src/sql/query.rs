//! One text of SQL, run by whichever engine a connection is of. It reads as sqlx does, which carries it out.

use std::future::Future;
use std::marker::PhantomData;

use sqlx::{Error, SqlSafeStr, SqlStr};

use super::connection::{Connection, Engine};
use super::value::{FromRow, Row, Value, to_postgres, to_sqlite};
use super::{Readers, Reading};

/// A statement with what is bound to it.
#[derive(Debug)]
#[must_use = "a statement does nothing until it is carried out"]
pub struct Query {
    sql: SqlStr,
    values: Vec<Value>,
}

/// The same, whose rows are read as `T`.
#[derive(Debug)]
#[must_use = "a statement does nothing until it is carried out"]
pub struct QueryAs<T> {
    query: Query,
    rows: PhantomData<fn() -> T>,
}

/// What a statement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    rows: u64,
}

impl Done {
    /// How many rows it inserted, changed or deleted.
    pub fn rows_affected(&self) -> u64 {
        self.rows
    }
}

/// A statement; its values are `$1`, `$2`, … in the order of their binding.
pub fn query(sql: impl SqlSafeStr) -> Query {
    Query::new(sql, Vec::new())
}

/// A statement whose rows are read as `T`.
pub fn query_as<T: FromRow>(sql: impl SqlSafeStr) -> QueryAs<T> {
    QueryAs {
        query: query(sql),
        rows: PhantomData,
    }
}

/// Where a statement is carried out.
#[derive(Debug)]
pub enum Target<'c> {
    /// On this connection, within its transaction where it has one.
    Connection(&'c mut Connection),
    /// On any of these.
    Readers(&'c Readers),
}

impl<'c> From<&'c mut Connection> for Target<'c> {
    fn from(connection: &'c mut Connection) -> Self {
        Self::Connection(connection)
    }
}

impl<'c> From<&'c Readers> for Target<'c> {
    fn from(readers: &'c Readers) -> Self {
        Self::Readers(readers)
    }
}

/// Runs the same expression on either engine's connection, within the time that an answer may take.
macro_rules! on {
    ($target:expr, $query:expr, $with:ident, $call:ident) => {{
        let Query { sql, values } = $query;
        let mut held: Option<Reading> = None;
        let connection: &mut Connection = match $target {
            Target::Connection(connection) => connection,
            Target::Readers(readers) => held.insert(readers.acquire().await?),
        };
        match connection.engine() {
            Engine::Sqlite(sqlite) => {
                let arguments = to_sqlite(values)?;
                sqlx::$with(sql, arguments)
                    .$call(sqlite)
                    .await
                    .map(Into::into)
            }
            Engine::Postgres(postgres, answers) => {
                let arguments = to_postgres(values)?;
                answers
                    .within(async {
                        sqlx::$with(sql, arguments)
                            .$call(postgres)
                            .await
                            .map(Into::into)
                    })
                    .await
            }
        }
    }};
}

impl Query {
    pub(super) fn new(sql: impl SqlSafeStr, values: Vec<Value>) -> Self {
        Self {
            sql: sql.into_sql_str(),
            values,
        }
    }

    /// Binds the next value.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Carries it out.
    pub fn execute<'c>(
        self,
        target: impl Into<Target<'c>>,
    ) -> impl Future<Output = Result<Done, Error>> + Send {
        let target = target.into();
        async move { on!(target, self, query_with, execute) }
    }

    /// All its rows.
    pub fn fetch_all<'c>(
        self,
        target: impl Into<Target<'c>>,
    ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send {
        let target = target.into();
        async move {
            let rows: Result<Rows, Error> = on!(target, self, query_with, fetch_all);
            rows.map(|rows| rows.0)
        }
    }

    /// Its row, where it has one.
    pub fn fetch_optional<'c>(
        self,
        target: impl Into<Target<'c>>,
    ) -> impl Future<Output = Result<Option<Row>, Error>> + Send {
        let rows = self.fetch_all(target);
        async move { Ok(rows.await?.into_iter().next()) }
    }
}

impl<T: FromRow> QueryAs<T> {
    pub(super) fn of(query: Query) -> Self {
        Self {
            query,
            rows: PhantomData,
        }
    }

    /// Binds the next value.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.query = self.query.bind(value);
        self
    }

    /// All its rows.
    pub fn fetch_all<'c>(
        self,
        target: impl Into<Target<'c>>,
    ) -> impl Future<Output = Result<Vec<T>, Error>> + Send
    where
        T: 'c,
    {
        let target = target.into();
        let query = self.query;
        async move { on!(target, query, query_as_with, fetch_all) }
    }

    /// Its first row, where it has one.
    pub fn fetch_optional<'c>(
        self,
        target: impl Into<Target<'c>>,
    ) -> impl Future<Output = Result<Option<T>, Error>> + Send
    where
        T: 'c,
    {
        let target = target.into();
        let query = self.query;
        async move { on!(target, query, query_as_with, fetch_optional) }
    }

    /// Its first row; it is an error that it has none.
    pub fn fetch_one<'c>(
        self,
        target: impl Into<Target<'c>>,
    ) -> impl Future<Output = Result<T, Error>> + Send
    where
        T: 'c,
    {
        let row = self.fetch_optional(target);
        async move { row.await?.ok_or(Error::RowNotFound) }
    }
}

/// All rows of a statement.
struct Rows(Vec<Row>);

impl From<Vec<sqlx::sqlite::SqliteRow>> for Rows {
    fn from(rows: Vec<sqlx::sqlite::SqliteRow>) -> Self {
        Self(rows.into_iter().map(Row::Sqlite).collect())
    }
}

impl From<Vec<sqlx::postgres::PgRow>> for Rows {
    fn from(rows: Vec<sqlx::postgres::PgRow>) -> Self {
        Self(rows.into_iter().map(Row::Postgres).collect())
    }
}

impl From<sqlx::sqlite::SqliteQueryResult> for Done {
    fn from(done: sqlx::sqlite::SqliteQueryResult) -> Self {
        Self {
            rows: done.rows_affected(),
        }
    }
}

impl From<sqlx::postgres::PgQueryResult> for Done {
    fn from(done: sqlx::postgres::PgQueryResult) -> Self {
        Self {
            rows: done.rows_affected(),
        }
    }
}

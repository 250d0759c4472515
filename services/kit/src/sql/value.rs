//! What is bound to a statement and what is read from a row, the same for both engines.

use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Decode, Error, Row as _, Type};

/// One bound value. A NULL has a type too, since PostgreSQL asks for it.
#[derive(Clone, Debug)]
pub enum Value {
    /// TEXT.
    Text(Option<String>),
    /// BLOB or BYTEA.
    Bytes(Option<Vec<u8>>),
    /// INTEGER or BIGINT.
    Integer(Option<i64>),
    /// REAL or DOUBLE PRECISION.
    Real(Option<f64>),
    /// BOOLEAN.
    Bool(Option<bool>),
}

macro_rules! values {
    ($($from:ty => $kind:ident($value:ident => $into:expr);)*) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                Self::$kind(Some($into))
            }
        }
        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self {
                Self::$kind(value.map(|$value| $into))
            }
        }
    )*};
}

values! {
    &str => Text(value => value.to_owned());
    &String => Text(value => value.clone());
    String => Text(value => value);
    &[u8] => Bytes(value => value.to_vec());
    &Vec<u8> => Bytes(value => value.clone());
    Vec<u8> => Bytes(value => value);
    i64 => Integer(value => value);
    &i64 => Integer(value => *value);
    i32 => Integer(value => i64::from(value));
    u8 => Integer(value => i64::from(value));
    u32 => Integer(value => i64::from(value));
    f64 => Real(value => value);
    bool => Bool(value => value);
}

impl From<&Option<String>> for Value {
    fn from(value: &Option<String>) -> Self {
        Self::Text(value.clone())
    }
}

impl From<&Option<Vec<u8>>> for Value {
    fn from(value: &Option<Vec<u8>>) -> Self {
        Self::Bytes(value.clone())
    }
}

/// As SQLite takes them.
pub(super) fn to_sqlite(values: Vec<Value>) -> Result<SqliteArguments, Error> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Text(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Integer(integer) => arguments.add(integer),
            Value::Real(real) => arguments.add(real),
            Value::Bool(truth) => arguments.add(truth),
        }
        .map_err(Error::Encode)?;
    }
    Ok(arguments)
}

/// As PostgreSQL takes them. Its text cannot hold a NUL, which a model may well have answered: it becomes U+FFFD, the sign for
/// what cannot be shown, so that no reply is lost for it.
pub(super) fn to_postgres(values: Vec<Value>) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Text(Some(text)) if text.contains('\0') => {
                arguments.add(text.replace('\0', "\u{FFFD}"))
            }
            Value::Text(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Integer(integer) => arguments.add(integer),
            Value::Real(real) => arguments.add(real),
            Value::Bool(truth) => arguments.add(truth),
        }
        .map_err(Error::Encode)?;
    }
    Ok(arguments)
}

/// What both engines can read from a column.
pub trait Cell:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl<T> Cell for T where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

/// A row, whichever engine it is of: what code that reads rows by hand asks for.
pub trait Cells {
    /// The value of a column, by its name.
    fn cell<T: Cell>(&self, column: &str) -> Result<T, Error>;
}

impl Cells for SqliteRow {
    fn cell<T: Cell>(&self, column: &str) -> Result<T, Error> {
        self.try_get(column)
    }
}

impl Cells for PgRow {
    fn cell<T: Cell>(&self, column: &str) -> Result<T, Error> {
        self.try_get(column)
    }
}

/// A row of one of the two.
#[derive(Debug)]
pub enum Row {
    /// Of SQLite.
    Sqlite(SqliteRow),
    /// Of PostgreSQL.
    Postgres(PgRow),
}

impl Cells for Row {
    fn cell<T: Cell>(&self, column: &str) -> Result<T, Error> {
        match self {
            Self::Sqlite(row) => row.cell(column),
            Self::Postgres(row) => row.cell(column),
        }
    }
}

/// What is read from the rows of both: tuples, what derives [`sqlx::FromRow`], and what implements it for all [`Cells`].
pub trait FromRow:
    for<'r> sqlx::FromRow<'r, SqliteRow> + for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> FromRow for T where
    T: for<'r> sqlx::FromRow<'r, SqliteRow> + for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin
{
}

/// A number that the columns keep as BIGINT and the rules as something smaller.
pub fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, Error> {
    T::try_from(value).map_err(|_| Error::Decode(format!("{value} is out of its range").into()))
}

//! Statements whose length depends on how many they are about.

use std::fmt::{Display, Write as _};

use sqlx::AssertSqlSafe;

use super::query::{Query, QueryAs};
use super::value::{FromRow, Value};

/// Builds a statement. What is pushed is part of its text, and must never come from a caller; what is bound may be anything.
#[derive(Debug)]
pub struct QueryBuilder {
    sql: String,
    values: Vec<Value>,
}

impl QueryBuilder {
    /// A statement that begins like this.
    pub fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            values: Vec::new(),
        }
    }

    /// Adds to the text.
    pub fn push(&mut self, sql: impl Display) -> &mut Self {
        // A string takes all that is written to it.
        let _ = write!(self.sql, "{sql}");
        self
    }

    /// Adds a value.
    pub fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let number = self.values.len();
        self.push(format_args!("${number}"))
    }

    /// Adds `VALUES (…), (…)`, a row for each item.
    pub fn push_values<I: IntoIterator>(
        &mut self,
        items: I,
        row: impl FnMut(Separated<'_>, I::Item),
    ) -> &mut Self {
        self.push("VALUES ").push_rows(items, row)
    }

    /// Adds `((…), (…))`, a row for each item, to look for with `IN`. Without an item it is a question that nothing answers.
    pub fn push_tuples<I: IntoIterator>(
        &mut self,
        items: I,
        row: impl FnMut(Separated<'_>, I::Item),
    ) -> &mut Self {
        self.push("(").push_rows(items, row).push(")")
    }

    fn push_rows<I: IntoIterator>(
        &mut self,
        items: I,
        mut row: impl FnMut(Separated<'_>, I::Item),
    ) -> &mut Self {
        for (number, item) in items.into_iter().enumerate() {
            self.push(if number == 0 { "(" } else { ", (" });
            row(
                Separated {
                    builder: self,
                    first: true,
                },
                item,
            );
            self.push(")");
        }
        self
    }

    /// The statement. The builder is empty then.
    pub fn build(&mut self) -> Query {
        let sql = std::mem::take(&mut self.sql);
        Query::new(AssertSqlSafe(sql), std::mem::take(&mut self.values))
    }

    /// The statement, its rows read as `T`. The builder is empty then.
    pub fn build_query_as<T: FromRow>(&mut self) -> QueryAs<T> {
        QueryAs::of(self.build())
    }
}

/// The values of one row, divided by commas.
#[derive(Debug)]
pub struct Separated<'b> {
    builder: &'b mut QueryBuilder,
    first: bool,
}

impl Separated<'_> {
    fn comma(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.builder.push(", ");
        }
    }

    /// Adds to the text.
    pub fn push(&mut self, sql: impl Display) -> &mut Self {
        self.comma();
        self.builder.push(sql);
        self
    }

    /// Adds a value.
    pub fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.comma();
        self.builder.push_bind(value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_tuples_are_numbered_through() {
        let mut builder = QueryBuilder::new("INSERT INTO t (a, b, c) ");
        builder.push_values([(1_i64, "x"), (2, "y")], |mut row, (number, text)| {
            row.push_bind(number).push("NULL").push_bind(text);
        });
        assert_eq!(
            builder.sql,
            "INSERT INTO t (a, b, c) VALUES ($1, NULL, $2), ($3, NULL, $4)"
        );
        let mut builder = QueryBuilder::new("SELECT a FROM t WHERE b IN ");
        builder.push_tuples(["x", "y"], |mut row, text| {
            row.push_bind(text);
        });
        builder.push(" AND c = ").push_bind(true);
        assert_eq!(
            builder.sql,
            "SELECT a FROM t WHERE b IN (($1), ($2)) AND c = $3"
        );
        assert_eq!(builder.values.len(), 3);
    }
}

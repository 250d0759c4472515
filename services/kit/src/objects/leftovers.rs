//! Objects that no row has any more: their deletion is noted in the transaction that lets go of them, and done afterwards.

use crate::moment::Micros;
use crate::sql::{self, Database, Writer};

/// The table `leftovers` (`prefix` the key, `due_time`, `user_id`) of a service that keeps objects. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Leftovers {
    database: Database,
}

impl Leftovers {
    /// What is noted in this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Beginnings of keys whose objects may be deleted by now, at most so many, the oldest first.
    pub async fn due(&self, now: Micros, limit: i64) -> Result<Vec<String>, sqlx::Error> {
        let rows: Vec<(String,)> = sql::query_as(
            "SELECT prefix FROM leftovers WHERE due_time <= $1 ORDER BY due_time LIMIT $2",
        )
        .bind(now)
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        Ok(rows.into_iter().map(|(prefix,)| prefix).collect())
    }

    /// Beginnings of keys of one account, due or not, at most so many.
    pub async fn of(&self, user_id: &str, limit: i64) -> Result<Vec<String>, sqlx::Error> {
        let rows: Vec<(String,)> =
            sql::query_as("SELECT prefix FROM leftovers WHERE user_id = $1 LIMIT $2")
                .bind(user_id)
                .bind(limit)
                .fetch_all(self.database.read())
                .await?;
        Ok(rows.into_iter().map(|(prefix,)| prefix).collect())
    }

    /// Until when objects of an account may still arrive; `None` when all have.
    pub async fn unsettled(
        &self,
        user_id: &str,
        now: Micros,
    ) -> Result<Option<Micros>, sqlx::Error> {
        let (last,): (Option<Micros>,) = sql::query_as(
            "SELECT MAX(due_time) FROM leftovers WHERE user_id = $1 AND due_time > $2",
        )
        .bind(user_id)
        .bind(now)
        .fetch_one(self.database.read())
        .await?;
        Ok(last)
    }

    /// The objects under this prefix are gone.
    pub async fn cleared(&self, prefix: &str) -> Result<(), sqlx::Error> {
        let mut tx = self.database.begin_beside(&[]).await?;
        sql::query("DELETE FROM leftovers WHERE prefix = $1")
            .bind(prefix)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// The objects under this prefix belong to nothing any more, and no more of them come after the due time.
    pub async fn leave(
        writer: &mut Writer,
        user_id: &str,
        prefix: &str,
        due: Micros,
    ) -> Result<(), sqlx::Error> {
        sql::query(
            "INSERT INTO leftovers (prefix, due_time, user_id) VALUES ($1, $2, $3) \
             ON CONFLICT (prefix) DO UPDATE SET due_time = \
             CASE WHEN leftovers.due_time > excluded.due_time THEN leftovers.due_time ELSE excluded.due_time END",
        )
        .bind(prefix)
        .bind(due)
        .bind(user_id)
        .execute(writer)
        .await
        .map(drop)
    }
}

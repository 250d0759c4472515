//! Pictures in rows: of a SQLite file, or of a PostgreSQL schema.
//!
//! Rows are written beside others where one statement says all. A deletion reads first, and is alone.

use async_trait::async_trait;
use atelier_kit::moment::{self, Micros};
use atelier_kit::objects::Leftovers;
use atelier_kit::sql::{self, Cells, Database, narrow};
use atelier_proto::generation::v1::State;
use sqlx::AssertSqlSafe;

use super::projection::stale;
use crate::error::Error;
use crate::image::{Commission, Image, Stored};
use crate::layout;
use crate::ports::{ImageStore, StaleHistory};

/// Keeps pictures in one database.
#[derive(Clone, Debug)]
pub struct SqlImageStore {
    database: Database,
    leftovers: Leftovers,
}

impl SqlImageStore {
    /// Pictures in this database; it must have this service's tables.
    pub fn new(database: Database) -> Self {
        let leftovers = Leftovers::new(database.clone());
        Self {
            database,
            leftovers,
        }
    }
}

/// While a picture is being made, its generation knows better than its row whether somebody is at work on it.
const IMAGE: &str = "id, user_id, prompt, width, height, style, seed, \
     COALESCE((SELECT g.state FROM generations AS g WHERE g.id = images.id), state) AS state, provider, model, s3_key, \
     content_type, size_bytes, sha256, processing_micros, create_time, update_time";

impl<'r, R: sqlx::Row + Cells> sqlx::FromRow<'r, R> for Image {
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let s3_key: String = row.cell("s3_key")?;
        let (width, height) = (narrow(row.cell("width")?)?, narrow(row.cell("height")?)?);
        let stored = if s3_key.is_empty() {
            None
        } else {
            Some(Stored {
                s3_key,
                content_type: row.cell("content_type")?,
                size_bytes: row.cell("size_bytes")?,
                sha256: row.cell("sha256")?,
                width,
                height,
                processing_micros: row.cell("processing_micros")?,
            })
        };
        Ok(Self {
            id: row.cell("id")?,
            user_id: row.cell("user_id")?,
            commission: Commission {
                prompt: row.cell("prompt")?,
                style: row.cell("style")?,
                width,
                height,
                seed: row.cell("seed")?,
                asked: None,
            },
            state: State::try_from(row.cell::<i32>("state")?).unwrap_or(State::Unspecified),
            provider: row.cell("provider")?,
            model: row.cell("model")?,
            stored,
            create_time: row.cell("create_time")?,
            update_time: row.cell("update_time")?,
        })
    }
}

fn images(rest: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT {IMAGE} FROM images {rest}"))
}

#[async_trait]
impl ImageStore for SqlImageStore {
    async fn find(&self, user_id: &str, id: &str) -> Result<Image, Error> {
        sql::query_as(images("WHERE id = $1 AND user_id = $2"))
            .bind(id)
            .bind(user_id)
            .fetch_optional(self.database.read())
            .await?
            .ok_or(Error::NoImage)
    }

    async fn list(
        &self,
        user_id: Option<&str>,
        before: Option<(Micros, String)>,
        limit: i64,
    ) -> Result<Vec<Image>, Error> {
        let (time, id) = before.unwrap_or((Micros::MAX, String::new()));
        let newest = "(create_time, id) < ($1, $2) ORDER BY create_time DESC, id DESC LIMIT $3";
        let rows = match user_id {
            Some(user_id) => {
                sql::query_as(images(&format!("WHERE user_id = $4 AND {newest}")))
                    .bind(time)
                    .bind(id)
                    .bind(limit)
                    .bind(user_id)
                    .fetch_all(self.database.read())
                    .await?
            }
            None => {
                sql::query_as(images(&format!("WHERE {newest}")))
                    .bind(time)
                    .bind(id)
                    .bind(limit)
                    .fetch_all(self.database.read())
                    .await?
            }
        };
        Ok(rows)
    }

    async fn delete(&self, user_id: &str, id: &str) -> Result<bool, Error> {
        // Alone: that it is not being made must stay true until it is gone.
        let mut tx = self.database.begin().await?;
        let image: Image = sql::query_as(images("WHERE id = $1 AND user_id = $2"))
            .bind(id)
            .bind(user_id)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(Error::NoImage)?;
        if image.is_in_progress() {
            return Ok(false);
        }
        sql::query("DELETE FROM images WHERE id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        atelier_generation::store::erase(&mut tx, id).await?;
        // A picture without an object left its prefix behind when it ended.
        if let Some(stored) = &image.stored {
            let prefix = layout::prefix_of(&stored.s3_key);
            Leftovers::leave(&mut tx, user_id, prefix, moment::now()).await?;
            stale(&mut tx, user_id, layout::day_of(image.create_time)).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn stale_histories(&self, limit: i64) -> Result<Vec<StaleHistory>, Error> {
        let rows: Vec<(String, i64, i64)> = sql::query_as(
            "SELECT user_id, day, version FROM stale_histories ORDER BY day LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(user_id, day, version)| StaleHistory {
                user_id,
                day,
                version,
            })
            .collect())
    }

    async fn history(&self, user_id: &str, day: i64) -> Result<Vec<Image>, Error> {
        let (from, until) = layout::bounds_of(day);
        let rows = sql::query_as(images(
            "WHERE user_id = $1 AND create_time >= $2 AND create_time < $3 AND s3_key <> '' ORDER BY create_time, id",
        ))
        .bind(user_id)
        .bind(from)
        .bind(until)
        .fetch_all(self.database.read())
        .await?;
        Ok(rows)
    }

    async fn history_written(&self, stale: &StaleHistory) -> Result<(), Error> {
        let mut tx = self.database.begin_beside(&[]).await?;
        let done = sql::query(
            "DELETE FROM stale_histories WHERE user_id = $1 AND day = $2 AND version = $3",
        )
        .bind(&stale.user_id)
        .bind(stale.day)
        .bind(stale.version)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            // Another keeper has written it too, and which of the two files is there now is not known: perhaps the one that was
            // made of older rows. It is written once more, unless it is marked anyway, or nothing of the user is to be there.
            sql::query(
                "INSERT INTO stale_histories (user_id, day, version) SELECT $1, $2, $3 \
                 WHERE NOT EXISTS (SELECT 1 FROM generation_departed WHERE owner = $1) \
                 ON CONFLICT (user_id, day) DO NOTHING",
            )
            .bind(&stale.user_id)
            .bind(stale.day)
            .bind(moment::now())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn leftovers(&self, due: Micros, limit: i64) -> Result<Vec<String>, Error> {
        Ok(self.leftovers.due(due, limit).await?)
    }

    async fn cleared(&self, prefix: &str) -> Result<(), Error> {
        Ok(self.leftovers.cleared(prefix).await?)
    }

    async fn has_departed(&self, user_id: &str) -> Result<bool, Error> {
        let mut reader = self.database.read().acquire().await?;
        Ok(atelier_generation::store::has_departed(&mut reader, user_id).await?)
    }

    async fn unsettled(&self, user_id: &str, now: Micros) -> Result<Option<Micros>, Error> {
        Ok(self.leftovers.unsettled(user_id, now).await?)
    }

    async fn leftovers_of(&self, user_id: &str, limit: i64) -> Result<Vec<String>, Error> {
        Ok(self.leftovers.of(user_id, limit).await?)
    }

    async fn erase(&self, ids: &[String]) -> Result<(), Error> {
        let mut tx = self.database.begin_beside(&[]).await?;
        for id in ids {
            sql::query("DELETE FROM images WHERE id = $1")
                .bind(id)
                .execute(&mut *tx)
                .await?;
            atelier_generation::store::erase(&mut tx, id).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn forget_histories(&self, user_id: &str) -> Result<(), Error> {
        let mut tx = self.database.begin_beside(&[]).await?;
        sql::query("DELETE FROM stale_histories WHERE user_id = $1")
            .bind(user_id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn write_back(&self) -> Result<(), Error> {
        Ok(self.database.write_back().await?)
    }
}

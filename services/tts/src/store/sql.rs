//! Conversions in rows: of a SQLite file, or of a PostgreSQL schema.
//!
//! Rows are written beside others where one statement says all. A deletion reads first, and is alone.

use async_trait::async_trait;
use atelier_kit::moment::{self, Micros};
use atelier_kit::objects::Leftovers;
use atelier_kit::sql::{self, Cells, Database};
use atelier_proto::generation::v1::State;
use sqlx::AssertSqlSafe;

use crate::conversion::{Conversion, Metadata, Order, Stored, format_of};
use crate::error::Error;
use crate::layout;
use crate::ports::ConversionStore;

/// Keeps conversions in one database.
#[derive(Clone, Debug)]
pub struct SqlConversionStore {
    database: Database,
    leftovers: Leftovers,
}

impl SqlConversionStore {
    /// Conversions in this database; it must have this service's tables.
    pub fn new(database: Database) -> Self {
        let leftovers = Leftovers::new(database.clone());
        Self {
            database,
            leftovers,
        }
    }
}

const CONVERSION: &str = "id, user_id, text, provider, model, voice, language, format, speed, pitch, state, \
     duration_micros, file_size_bytes, sha256, s3_key, processing_micros, metadata, create_time, update_time";

fn conversions(rest: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT {CONVERSION} FROM tts_conversions {rest}"))
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(Box::new(error))
    }
}

impl<'r, R: sqlx::Row + Cells> sqlx::FromRow<'r, R> for Conversion {
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let format = format_of(&row.cell::<String>("format")?)
            .ok_or_else(|| sqlx::Error::Decode("an unknown audio format".into()))?;
        let metadata: Metadata = serde_json::from_str(&row.cell::<String>("metadata")?)
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let s3_key: String = row.cell("s3_key")?;
        let stored = if s3_key.is_empty() {
            None
        } else {
            Some(Stored {
                s3_key,
                content_type: format.content_type().to_owned(),
                size_bytes: row.cell("file_size_bytes")?,
                sha256: row.cell("sha256")?,
                duration_micros: row.cell("duration_micros")?,
                processing_micros: row.cell("processing_micros")?,
                status_code: metadata.status_code,
                cost_usd: metadata.cost_usd,
            })
        };
        Ok(Self {
            id: row.cell("id")?,
            user_id: row.cell("user_id")?,
            order: Order {
                text: row.cell("text")?,
                voice: row.cell("voice")?,
                language: row.cell("language")?,
                format,
                speed: row.cell("speed")?,
                pitch: row.cell("pitch")?,
                request_id: metadata.request_id,
                create_time: row.cell("create_time")?,
                asked: None,
            },
            state: State::try_from(row.cell::<i32>("state")?).unwrap_or(State::Unspecified),
            provider: row.cell("provider")?,
            model: row.cell("model")?,
            stored,
            update_time: row.cell("update_time")?,
        })
    }
}

#[async_trait]
impl ConversionStore for SqlConversionStore {
    async fn find(&self, user_id: &str, id: &str) -> Result<Conversion, Error> {
        sql::query_as(conversions("WHERE id = $1 AND user_id = $2"))
            .bind(id)
            .bind(user_id)
            .fetch_optional(self.database.read())
            .await?
            .ok_or(Error::NoConversion)
    }

    async fn list(
        &self,
        user_id: &str,
        before: Option<(Micros, String)>,
        limit: i64,
    ) -> Result<Vec<Conversion>, Error> {
        let (time, id) = before.unwrap_or((Micros::MAX, String::new()));
        let found = sql::query_as(conversions(
            "WHERE user_id = $1 AND (create_time, id) < ($2, $3) ORDER BY create_time DESC, id DESC LIMIT $4",
        ))
        .bind(user_id)
        .bind(time)
        .bind(id)
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        Ok(found)
    }

    async fn delete(&self, user_id: &str, id: &str) -> Result<bool, Error> {
        // Alone: that it is not being made must stay true until it is gone.
        let mut tx = self.database.begin().await?;
        let conversion: Conversion = sql::query_as(conversions("WHERE id = $1 AND user_id = $2"))
            .bind(id)
            .bind(user_id)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(Error::NoConversion)?;
        if conversion.is_in_progress() {
            return Ok(false);
        }
        sql::query("DELETE FROM tts_conversions WHERE id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        atelier_generation::store::erase(&mut tx, id).await?;
        let prefix = layout::prefix(id, conversion.order.create_time);
        Leftovers::leave(&mut tx, user_id, &prefix, moment::now()).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn leftovers(&self, due: Micros, limit: i64) -> Result<Vec<String>, Error> {
        Ok(self.leftovers.due(due, limit).await?)
    }

    async fn cleared(&self, prefix: &str) -> Result<(), Error> {
        Ok(self.leftovers.cleared(prefix).await?)
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
            sql::query("DELETE FROM tts_conversions WHERE id = $1")
                .bind(id)
                .execute(&mut *tx)
                .await?;
            atelier_generation::store::erase(&mut tx, id).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn write_back(&self) -> Result<(), Error> {
        Ok(self.database.write_back().await?)
    }
}

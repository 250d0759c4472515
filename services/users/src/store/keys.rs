//! Signing keys in rows; each is sealed before it comes here.

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Database, is_unique_violation};

use super::{audit, failed};
use crate::audit::Act;
use crate::error::Error;
use crate::ports::{KeyStore, SealedKey};

const ALL: &str = "SELECT kid, sealed, create_time, sign_time FROM signing_keys WHERE sealed IS NOT NULL \
                   ORDER BY COALESCE(sign_time, 0)";

/// The signing keys of one database.
pub(crate) struct SqlKeyStore {
    database: Database,
}

impl SqlKeyStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    kid: String,
    sealed: Vec<u8>,
    create_time: Micros,
    sign_time: Option<Micros>,
}

fn keys(rows: Vec<KeyRow>) -> Vec<SealedKey> {
    rows.into_iter()
        .map(|row| SealedKey {
            kid: row.kid,
            sealed: row.sealed,
            create_time: row.create_time,
            sign_time: row.sign_time,
        })
        .collect()
}

#[async_trait]
impl KeyStore for SqlKeyStore {
    async fn all(&self) -> Result<Vec<SealedKey>, Error> {
        let rows = sql::query_as(ALL)
            .fetch_all(self.database.read())
            .await
            .map_err(failed)?;
        Ok(keys(rows))
    }

    async fn insert_first(&self, key: &SealedKey) -> Result<Vec<SealedKey>, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        sql::query(
            "INSERT INTO signing_keys (kid, sealed, create_time) SELECT $1, $2, $3 \
             WHERE NOT EXISTS (SELECT 1 FROM signing_keys)",
        )
        .bind(&key.kid)
        .bind(&key.sealed)
        .bind(key.create_time)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        let rows = sql::query_as(ALL)
            .fetch_all(&mut *writer)
            .await
            .map_err(failed)?;
        writer.commit().await.map_err(failed)?;
        Ok(keys(rows))
    }

    async fn insert_next(&self, key: &SealedKey, act: Act, now: Micros) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let waiting: Option<(i32,)> =
            sql::query_as("SELECT 1 FROM signing_keys WHERE sign_time > $1 LIMIT 1")
                .bind(now)
                .fetch_optional(&mut *writer)
                .await
                .map_err(failed)?;
        if waiting.is_some() {
            return Err(Error::RotationUnderWay);
        }
        sql::query(
            "INSERT INTO signing_keys (kid, sealed, create_time, sign_time) VALUES ($1, $2, $3, $4)",
        )
        .bind(&key.kid)
        .bind(&key.sealed)
        .bind(key.create_time)
        .bind(key.sign_time)
        .execute(&mut *writer)
        .await
        // Whatever signs at the same moment waits to sign, and was found above: it is the id that is taken.
        .map_err(|error| {
            if is_unique_violation(&error) {
                Error::KeyUnusable("must be another than those that were here before")
            } else {
                failed(error)
            }
        })?;
        audit::record(&mut writer, act, now).await?;
        writer.commit().await.map_err(failed)
    }

    async fn erase(&self, sign_time: Micros) -> Result<u64, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let done = sql::query(
            "UPDATE signing_keys SET sealed = NULL WHERE sealed IS NOT NULL AND EXISTS \
             (SELECT 1 FROM signing_keys s WHERE s.sign_time <= $1 \
              AND s.sign_time > COALESCE(signing_keys.sign_time, 0))",
        )
        .bind(sign_time)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)?;
        Ok(done.rows_affected())
    }
}

#[cfg(test)]
mod sqlite_only {
    use std::path::Path;

    use super::*;

    /// The migrations up to a number, as they are applied.
    async fn migrate(pool: &sqlx::SqlitePool, numbers: std::ops::RangeInclusive<u32>) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            let name = file.file_name().unwrap().to_str().unwrap();
            if numbers.contains(&name[..4].parse().unwrap()) {
                let text = std::fs::read_to_string(&file).unwrap();
                sqlx::raw_sql(sqlx::AssertSqlSafe(text))
                    .execute(pool)
                    .await
                    .unwrap();
            }
        }
    }

    #[tokio::test]
    async fn the_key_of_before_the_rotations_signs_from_the_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(folder.path().join("users.db"))
            .create_if_missing(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        migrate(&pool, 1..=6).await;
        sqlx::query("INSERT INTO signing_keys (kid, state, sealed, create_time) VALUES ('k', 'live', x'01', 7)")
            .execute(&pool)
            .await
            .unwrap();
        migrate(&pool, 7..=7).await;
        let rows: Vec<KeyRow> = sqlx::query_as(ALL).fetch_all(&pool).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].kid.as_str(), rows[0].create_time, rows[0].sign_time),
            ("k", 7, None)
        );
        assert_eq!(rows[0].sealed, [1]);
    }
}

//! Signing keys in SQLite; each is sealed before it comes here.

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::sqlite::Database;

use super::failed;
use crate::error::Error;
use crate::ports::{KeyStore, SealedKey};

const LIVE: &str = "SELECT kid, sealed, create_time FROM signing_keys WHERE state = 'live' \
                    ORDER BY create_time DESC, kid DESC";

/// The signing keys of one database.
pub(crate) struct SqliteKeyStore {
    database: Database,
}

impl SqliteKeyStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

fn keys(rows: Vec<(String, Vec<u8>, Micros)>) -> Vec<SealedKey> {
    rows.into_iter()
        .map(|(kid, sealed, create_time)| SealedKey {
            kid,
            sealed,
            create_time,
        })
        .collect()
}

#[async_trait]
impl KeyStore for SqliteKeyStore {
    async fn live(&self) -> Result<Vec<SealedKey>, Error> {
        let rows = sqlx::query_as(LIVE)
            .fetch_all(self.database.read())
            .await
            .map_err(failed)?;
        Ok(keys(rows))
    }

    async fn insert_first(&self, key: &SealedKey) -> Result<Vec<SealedKey>, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO signing_keys (kid, state, sealed, create_time) SELECT $1, 'live', $2, $3 \
             WHERE NOT EXISTS (SELECT 1 FROM signing_keys WHERE state = 'live')",
        )
        .bind(&key.kid)
        .bind(&key.sealed)
        .bind(key.create_time)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        let rows = sqlx::query_as(LIVE)
            .fetch_all(&mut *writer)
            .await
            .map_err(failed)?;
        writer.commit().await.map_err(failed)?;
        Ok(keys(rows))
    }
}

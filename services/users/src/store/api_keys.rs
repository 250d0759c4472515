//! API keys in rows; each is hashed before it comes here.

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::policy::Scope;
use atelier_kit::sql::{self, Database, Writer};

use super::rows::{self, UserRow, user_columns};
use super::{audit, failed};
use crate::api_keys::{ApiKey, KeyHash};
use crate::audit::Act;
use crate::error::Error;
use crate::ports::{ApiKeyStore, Cursor};
use crate::users::User;

/// The API keys of one database.
pub(crate) struct SqlApiKeyStore {
    database: Database,
}

impl SqlApiKeyStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[derive(sqlx::FromRow)]
struct ApiKeyRow {
    id: String,
    user_id: String,
    display_name: String,
    prefix: String,
    scopes: String,
    create_time: Micros,
    expire_time: Option<Micros>,
    last_use_time: Option<Micros>,
}

impl From<ApiKeyRow> for ApiKey {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            id: row.id,
            display_name: row.display_name,
            prefix: row.prefix,
            // A scope that this release does not know gives nothing.
            scopes: row.scopes.split(' ').filter_map(Scope::of).collect(),
            create_time: row.create_time,
            expire_time: row.expire_time,
            last_use_time: row.last_use_time,
        }
    }
}

/// Ends all API keys of an account, within a transaction that the caller holds.
pub(super) async fn revoke_all(
    writer: &mut Writer,
    user_id: &str,
    now: Micros,
) -> Result<(), Error> {
    rows::revoke_all_keys(writer, user_id, now).await?;
    let ended: Vec<(String,)> =
        sql::query_as("DELETE FROM api_keys WHERE user_id = $1 RETURNING id")
            .bind(user_id)
            .fetch_all(&mut *writer)
            .await
            .map_err(failed)?;
    for (id,) in ended {
        let act = Act::new("api_key.revoked", user_id, user_id).with("api_key", id);
        audit::record(writer, act, now).await?;
    }
    Ok(())
}

#[async_trait]
impl ApiKeyStore for SqlApiKeyStore {
    async fn insert(
        &self,
        user_id: &str,
        key: &ApiKey,
        hash: &KeyHash,
        most: i64,
    ) -> Result<(), Error> {
        let scopes = crate::api_keys::names(&key.scopes);
        let mut writer = self.database.begin().await.map_err(failed)?;
        let done = sql::query(
            "INSERT INTO api_keys (id, user_id, display_name, key_hash, prefix, scopes, create_time, expire_time) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE (SELECT COUNT(*) FROM api_keys \
             WHERE user_id = $2 AND (expire_time IS NULL OR expire_time > $7)) < $9",
        )
        .bind(&key.id)
        .bind(user_id)
        .bind(&key.display_name)
        .bind(&hash.0[..])
        .bind(&key.prefix)
        .bind(&scopes)
        .bind(key.create_time)
        .bind(key.expire_time)
        .bind(most)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        if done.rows_affected() == 0 {
            return Err(Error::TooManyApiKeys);
        }
        let act = Act::new("api_key.created", user_id, user_id)
            .with("api_key", &key.id)
            .with("scopes", scopes);
        audit::record(&mut writer, act, key.create_time).await?;
        writer.commit().await.map_err(failed)
    }

    async fn list(
        &self,
        user_id: &str,
        after: Option<Cursor>,
        rows: i64,
    ) -> Result<Vec<ApiKey>, Error> {
        let (time, id) = after.unwrap_or((Micros::MAX, String::new()));
        let found: Vec<ApiKeyRow> = sql::query_as(
            "SELECT id, user_id, display_name, prefix, scopes, create_time, expire_time, last_use_time \
             FROM api_keys WHERE user_id = $1 AND (create_time, id) < ($2, $3) \
             ORDER BY create_time DESC, id DESC LIMIT $4",
        )
        .bind(user_id)
        .bind(time)
        .bind(id)
        .bind(rows)
        .fetch_all(self.database.read())
        .await
        .map_err(failed)?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    async fn delete(&self, user_id: &str, key_id: &str, now: Micros) -> Result<bool, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let done = sql::query("DELETE FROM api_keys WHERE id = $1 AND user_id = $2")
            .bind(key_id)
            .bind(user_id)
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        rows::revoke_tokens(&mut writer, key_id, now).await?;
        let act = Act::new("api_key.revoked", user_id, user_id).with("api_key", key_id);
        audit::record(&mut writer, act, now).await?;
        writer.commit().await.map_err(failed)?;
        Ok(true)
    }

    async fn find(&self, hash: &KeyHash, now: Micros) -> Result<Option<(ApiKey, User)>, Error> {
        let row: Option<ApiKeyRow> = sql::query_as(
            "SELECT id, user_id, display_name, prefix, scopes, create_time, expire_time, last_use_time \
             FROM api_keys WHERE key_hash = $1 AND (expire_time IS NULL OR expire_time > $2)",
        )
        .bind(&hash.0[..])
        .bind(now)
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let holder = self.holder(&row.id, &row.user_id, now).await?;
        Ok(holder.map(|user| (row.into(), user)))
    }

    async fn holder(
        &self,
        key_id: &str,
        user_id: &str,
        now: Micros,
    ) -> Result<Option<User>, Error> {
        let row: Option<UserRow> = sql::query_as(concat!(
            "SELECT ",
            user_columns!(),
            " FROM api_keys k JOIN users u ON u.id = k.user_id \
             WHERE k.id = $1 AND k.user_id = $2 AND (k.expire_time IS NULL OR k.expire_time > $3)"
        ))
        .bind(key_id)
        .bind(user_id)
        .bind(now)
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        row.map(User::try_from).transpose()
    }

    async fn touch(&self, key_id: &str, time: Micros) -> Result<(), Error> {
        // One statement, which guards itself.
        let mut writer = self.database.begin_beside(&[]).await.map_err(failed)?;
        sql::query(
            "UPDATE api_keys SET last_use_time = $2 \
             WHERE id = $1 AND (last_use_time IS NULL OR last_use_time < $2)",
        )
        .bind(key_id)
        .bind(time)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }
}

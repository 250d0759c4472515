//! Accounts in SQLite.

use async_trait::async_trait;
use atelier_kit::identity::Role;
use atelier_kit::moment::Micros;
use atelier_kit::sqlite::{Database, is_unique_violation};

use super::failed;
use super::rows::{self, UserRow};
use crate::error::Error;
use crate::ports::{Credentials, Cursor, UserStore};
use crate::sessions::Opening;
use crate::users::{PasswordChange, User};

/// The accounts of one database.
pub(crate) struct SqliteUserStore {
    database: Database,
}

impl SqliteUserStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Makes the account of an e-mail an admin, and returns the role it had; `None` when there is no such account.
    pub(crate) async fn grant(&self, email: &str, now: Micros) -> Result<Option<Role>, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let known: Option<(String,)> = sqlx::query_as("SELECT id FROM users WHERE email = $1")
            .bind(email)
            .fetch_optional(&mut *writer)
            .await
            .map_err(failed)?;
        let Some((id,)) = known else {
            return Ok(None);
        };
        let before = rows::user(&mut writer, &id)
            .await?
            .ok_or(Error::UserUnknown)?
            .role;
        if before != Role::Admin {
            sqlx::query("UPDATE users SET role = 'admin', update_time = $2 WHERE id = $1")
                .bind(&id)
                .bind(now)
                .execute(&mut *writer)
                .await
                .map_err(failed)?;
            writer.commit().await.map_err(failed)?;
        }
        Ok(Some(before))
    }
}

#[async_trait]
impl UserStore for SqliteUserStore {
    async fn insert(
        &self,
        user: &User,
        password_hash: Option<&str>,
        opening: &Opening,
    ) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO users (id, email, password_hash, display_name, role, create_time, update_time) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&user.id)
        .bind(&user.email)
        .bind(password_hash)
        .bind(&user.display_name)
        .bind(user.role.name())
        .bind(user.create_time)
        .bind(user.update_time)
        .execute(&mut *writer)
        .await
        // The id is new, so the key that is taken is the e-mail.
        .map_err(|error| if is_unique_violation(&error) { Error::EmailTaken } else { failed(error) })?;
        rows::insert_session(&mut writer, &user.id, opening).await?;
        writer.commit().await.map_err(failed)
    }

    async fn credentials(&self, email: &str) -> Result<Option<Credentials>, Error> {
        let row: Option<(String, String)> = sqlx::query_as(
            "SELECT id, password_hash FROM users WHERE email = $1 AND password_hash IS NOT NULL",
        )
        .bind(email)
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        Ok(row.map(|(user_id, password_hash)| Credentials {
            user_id,
            password_hash,
        }))
    }

    async fn password_hash(&self, user_id: &str) -> Result<Option<String>, Error> {
        let row: Option<(Option<String>,)> =
            sqlx::query_as("SELECT password_hash FROM users WHERE id = $1")
                .bind(user_id)
                .fetch_optional(self.database.read())
                .await
                .map_err(failed)?;
        Ok(row.and_then(|(kept,)| kept))
    }

    async fn rename(&self, user_id: &str, display_name: &str, now: Micros) -> Result<User, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        sqlx::query("UPDATE users SET display_name = $2, update_time = $3 WHERE id = $1 AND display_name <> $2")
            .bind(user_id)
            .bind(display_name)
            .bind(now)
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
        let user = rows::user(&mut writer, user_id)
            .await?
            .ok_or(Error::UserUnknown)?;
        writer.commit().await.map_err(failed)?;
        Ok(user)
    }

    async fn change_password(&self, change: &PasswordChange<'_>) -> Result<u32, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE users SET password_hash = $3, update_time = $4 WHERE id = $1 AND password_hash = $2",
        )
        .bind(change.user_id)
        .bind(change.verified)
        .bind(change.replacement)
        .bind(change.now)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        if done.rows_affected() == 0 {
            return Err(Error::WrongPassword);
        }
        let revoked = rows::revoke_sessions(
            &mut writer,
            change.user_id,
            change.keep_session,
            true,
            change.now,
        )
        .await?;
        writer.commit().await.map_err(failed)?;
        Ok(u32::try_from(revoked).unwrap_or(u32::MAX))
    }

    async fn list(&self, after: Option<Cursor>, rows: i64) -> Result<Vec<User>, Error> {
        let (time, id) = after.unwrap_or((Micros::MAX, String::new()));
        let found: Vec<UserRow> = sqlx::query_as(
            "SELECT id, email, display_name, role, create_time, update_time FROM users \
             WHERE email IS NOT NULL AND (create_time, id) < ($1, $2) \
             ORDER BY create_time DESC, id DESC LIMIT $3",
        )
        .bind(time)
        .bind(id)
        .bind(rows)
        .fetch_all(self.database.read())
        .await
        .map_err(failed)?;
        found.into_iter().map(User::try_from).collect()
    }

    async fn set_role(
        &self,
        actor: &str,
        user_id: &str,
        role: Role,
        now: Micros,
    ) -> Result<User, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        // Asked here and not of the token: one who was an admin a minute ago must not make himself one again.
        let acts = rows::user(&mut writer, actor).await?;
        if acts.is_none_or(|acts| acts.role != Role::Admin) {
            return Err(Error::NoLongerAdmin);
        }
        let user = rows::user(&mut writer, user_id)
            .await?
            .ok_or(Error::UserUnknown)?;
        if user.role == Role::Anonymous {
            return Err(Error::AnonymousAccount);
        }
        if user.role == role {
            return Ok(user);
        }
        let done = sqlx::query(
            "UPDATE users SET role = $2, update_time = $3 WHERE id = $1 \
             AND (role <> 'admin' OR (SELECT COUNT(*) FROM users WHERE role = 'admin') > 1)",
        )
        .bind(user_id)
        .bind(role.name())
        .bind(now)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        if done.rows_affected() == 0 {
            return Err(Error::LastAdmin);
        }
        writer.commit().await.map_err(failed)?;
        Ok(User {
            role,
            update_time: now,
            ..user
        })
    }
}

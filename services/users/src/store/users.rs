//! Accounts in rows.

use async_trait::async_trait;
use atelier_kit::identity::Role;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Database, Writer, is_unique_violation};

use super::rows::{self, UserRow, user_columns};
use super::{audit, failed, mails};
use crate::audit::{Act, OPERATOR};
use crate::error::Error;
use crate::ports::{Credentials, Cursor, UserStore};
use crate::sessions::Opening;
use crate::users::{PasswordChange, ProfileChange, User};

/// The accounts of one database.
pub(crate) struct SqlUserStore {
    database: Database,
}

impl SqlUserStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

/// Gives a registered account another role, unless it would leave no admin, and keeps who did it.
async fn change_role(
    writer: &mut Writer,
    actor: &str,
    user: &User,
    role: Role,
    now: Micros,
) -> Result<(), Error> {
    let done = sql::query(
        "UPDATE users SET role = $2, update_time = $3 WHERE id = $1 \
         AND (role <> 'admin' OR (SELECT COUNT(*) FROM users WHERE role = 'admin') > 1)",
    )
    .bind(&user.id)
    .bind(role.name())
    .bind(now)
    .execute(&mut *writer)
    .await
    .map_err(failed)?;
    if done.rows_affected() == 0 {
        return Err(Error::LastAdmin);
    }
    let mut act = Act::new("role.set", actor, &user.id)
        .with("from", user.role.name())
        .with("to", role.name());
    if role < user.role {
        // What a token says would hold for minutes.
        let revoked = rows::revoke_all_sessions(&mut *writer, &user.id, now).await?;
        act = act.with("revoked_sessions", revoked.to_string());
    }
    audit::record(writer, act, now).await
}

#[async_trait]
impl UserStore for SqlUserStore {
    async fn insert(
        &self,
        user: &User,
        password_hash: Option<&str>,
        opening: &Opening,
    ) -> Result<(), Error> {
        let writer = match user.email {
            // How many mails there are is read before one is added.
            Some(_) => self.database.begin().await,
            // Rows with new ids, which nobody else can mean.
            None => self.database.begin_beside(&[]).await,
        };
        let mut writer = writer.map_err(failed)?;
        sql::query(
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
        if let Some(email) = &user.email {
            mails::welcome(&mut writer, &user.id, email, opening.now).await?;
        }
        rows::insert_session(&mut writer, &user.id, opening).await?;
        writer.commit().await.map_err(failed)
    }

    async fn register_anonymous(
        &self,
        user: &User,
        password_hash: &str,
        opening: &Opening,
    ) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let done = sql::query(
            "UPDATE users SET email = $2, password_hash = $3, display_name = $4, role = $5, update_time = $6 \
             WHERE id = $1 AND role = 'anonymous'",
        )
        .bind(&user.id)
        .bind(&user.email)
        .bind(password_hash)
        .bind(&user.display_name)
        .bind(user.role.name())
        .bind(user.update_time)
        .execute(&mut *writer)
        .await
        .map_err(|error| if is_unique_violation(&error) { Error::EmailTaken } else { failed(error) })?;
        if done.rows_affected() == 0 {
            return Err(Error::SessionEnded);
        }
        if let Some(email) = &user.email {
            mails::welcome(&mut writer, &user.id, email, opening.now).await?;
        }
        rows::revoke_all_sessions(&mut writer, &user.id, opening.now).await?;
        rows::insert_session(&mut writer, &user.id, opening).await?;
        writer.commit().await.map_err(failed)
    }

    async fn credentials(&self, email: &str) -> Result<Option<Credentials>, Error> {
        let row: Option<(String, String, bool)> = sql::query_as(
            "SELECT id, password_hash, second_factor_time IS NOT NULL FROM users \
             WHERE email = $1 AND password_hash <> ''",
        )
        .bind(email)
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        Ok(
            row.map(|(user_id, password_hash, second_factor)| Credentials {
                user_id,
                password_hash,
                second_factor,
            }),
        )
    }

    async fn password_hash(&self, user_id: &str) -> Result<Option<String>, Error> {
        let row: Option<(Option<String>,)> =
            sql::query_as("SELECT password_hash FROM users WHERE id = $1")
                .bind(user_id)
                .fetch_optional(self.database.read())
                .await
                .map_err(failed)?;
        Ok(row.and_then(|(kept,)| kept).and_then(rows::password))
    }

    async fn rehash(&self, verified: &Credentials, replacement: &str) -> Result<bool, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let done =
            sql::query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
                .bind(&verified.user_id)
                .bind(&verified.password_hash)
                .bind(replacement)
                .execute(&mut *writer)
                .await
                .map_err(failed)?;
        writer.commit().await.map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    async fn update(
        &self,
        user_id: &str,
        change: &ProfileChange,
        now: Micros,
    ) -> Result<User, Error> {
        let preferences = change.preferences.as_ref().map(serde_json::to_string);
        let preferences = preferences.transpose().map_err(Error::store)?;
        let mut writer = self.database.begin().await.map_err(failed)?;
        // What stays as it was is no change, and its time stays too.
        sql::query(
            "UPDATE users SET display_name = COALESCE($2, display_name), bio = COALESCE($3, bio), \
             preferences = COALESCE($4, preferences), update_time = $5 WHERE id = $1 AND \
             (display_name <> COALESCE($2, display_name) OR bio <> COALESCE($3, bio) \
             OR preferences <> COALESCE($4, preferences))",
        )
        .bind(user_id)
        .bind(&change.display_name)
        .bind(&change.bio)
        .bind(preferences)
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
        let done = sql::query(
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
        mails::end_tokens(&mut writer, change.user_id, change.now).await?;
        let revoked = rows::revoke_sessions(
            &mut writer,
            change.user_id,
            change.keep_session,
            true,
            change.now,
        )
        .await?;
        let act = Act::new("password.changed", change.user_id, change.user_id)
            .with("revoked_sessions", revoked.to_string());
        audit::record(&mut writer, act, change.now).await?;
        writer.commit().await.map_err(failed)?;
        Ok(u32::try_from(revoked).unwrap_or(u32::MAX))
    }

    async fn list(&self, after: Option<Cursor>, rows: i64) -> Result<Vec<User>, Error> {
        let (time, id) = after.unwrap_or((Micros::MAX, String::new()));
        let found: Vec<UserRow> = sql::query_as(concat!(
            "SELECT ",
            user_columns!(),
            " FROM users u WHERE u.email IS NOT NULL AND (u.create_time, u.id) < ($1, $2) \
                 ORDER BY u.create_time DESC, u.id DESC LIMIT $3"
        ))
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
        change_role(&mut writer, actor, &user, role, now).await?;
        writer.commit().await.map_err(failed)?;
        Ok(User {
            role,
            update_time: now,
            ..user
        })
    }

    async fn grant(
        &self,
        email: &str,
        role: Role,
        now: Micros,
    ) -> Result<Option<(String, Role)>, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let known: Option<(String,)> = sql::query_as("SELECT id FROM users WHERE email = $1")
            .bind(email)
            .fetch_optional(&mut *writer)
            .await
            .map_err(failed)?;
        let Some((id,)) = known else {
            return Ok(None);
        };
        let user = rows::user(&mut writer, &id)
            .await?
            .ok_or(Error::UserUnknown)?;
        if user.role != role {
            change_role(&mut writer, OPERATOR, &user, role, now).await?;
            writer.commit().await.map_err(failed)?;
        }
        Ok(Some((id, user.role)))
    }
}

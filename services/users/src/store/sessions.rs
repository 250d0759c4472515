//! Sessions and their refresh tokens in rows.

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Database, Transaction, Writer};

use super::rows::{self, UserRow, user_columns};
use super::{audit, failed};
use crate::audit::Act;
use crate::error::Error;
use crate::ports::{Credentials, Cursor, Family, SessionStore};
use crate::revocations::Revocation;
use crate::sessions::{FamilyState, Opening, Presented, Rotation, Session};
use crate::tokens::TokenHash;
use crate::users::User;

/// How many expired rows one sweep deletes of a kind, so that it never holds the write lock for long.
const SWEEP_ROWS: i64 = 1_000;

/// The sessions of one database.
pub(crate) struct SqlSessionStore {
    database: Database,
}

impl SqlSessionStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: String,
    user_agent: String,
    create_time: Micros,
    last_use_time: Micros,
    expire_time: Micros,
    address: String,
}

#[derive(sqlx::FromRow)]
struct FamilyRow {
    user_id: String,
    session_id: String,
    revoke_time: Option<Micros>,
    expire_time: Micros,
    grace_until: Option<Micros>,
    successor: Option<Vec<u8>>,
}

#[async_trait]
impl SessionStore for SqlSessionStore {
    async fn insert(&self, verified: &Credentials, opening: &Opening) -> Result<User, Error> {
        // Sign-ins are beside each other: what is read here is the account, and who changes one is alone.
        let mut writer = self.database.begin_beside(&[]).await.map_err(failed)?;
        // Verifying took its time: a password that was changed meanwhile signs nobody in.
        let still: Option<(i32,)> =
            sql::query_as("SELECT 1 FROM users WHERE id = $1 AND password_hash = $2")
                .bind(&verified.user_id)
                .bind(&verified.password_hash)
                .fetch_optional(&mut *writer)
                .await
                .map_err(failed)?;
        if still.is_none() {
            return Err(Error::InvalidCredentials);
        }
        let user = rows::user(&mut writer, &verified.user_id)
            .await?
            .ok_or(Error::InvalidCredentials)?;
        // A factor that was confirmed meanwhile ended all sessions: none may slip in behind it.
        if user.second_factor && !verified.second_factor {
            return Err(Error::SecondFactorRequired);
        }
        rows::insert_session(&mut writer, &user.id, opening).await?;
        writer.commit().await.map_err(failed)?;
        Ok(user)
    }

    async fn holder(
        &self,
        session_id: &str,
        user_id: &str,
        now: Micros,
    ) -> Result<Option<User>, Error> {
        let row: Option<UserRow> = sql::query_as(
            concat!(
                "SELECT ",
                user_columns!(),
                " FROM sessions s JOIN users u ON u.id = s.user_id \
                 WHERE s.id = $1 AND s.user_id = $2 AND s.revoke_time IS NULL AND s.expire_time > $3"
            ),
        )
        .bind(session_id)
        .bind(user_id)
        .bind(now)
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        row.map(User::try_from).transpose()
    }

    async fn began(&self, session_id: &str) -> Result<Option<Micros>, Error> {
        let row: Option<(Micros,)> =
            sql::query_as("SELECT create_time FROM sessions WHERE id = $1")
                .bind(session_id)
                .fetch_optional(self.database.read())
                .await
                .map_err(failed)?;
        Ok(row.map(|(time,)| time))
    }

    async fn list(
        &self,
        user_id: &str,
        now: Micros,
        after: Option<Cursor>,
        rows: i64,
    ) -> Result<Vec<Session>, Error> {
        let (time, id) = after.unwrap_or((Micros::MAX, String::new()));
        let found: Vec<SessionRow> = sql::query_as(
            "SELECT id, user_agent, create_time, last_use_time, expire_time, address FROM sessions \
             WHERE user_id = $1 AND revoke_time IS NULL AND expire_time > $2 AND (create_time, id) < ($3, $4) \
             ORDER BY create_time DESC, id DESC LIMIT $5",
        )
        .bind(user_id)
        .bind(now)
        .bind(time)
        .bind(id)
        .bind(rows)
        .fetch_all(self.database.read())
        .await
        .map_err(failed)?;
        Ok(found
            .into_iter()
            .map(|row| Session {
                id: row.id,
                user_agent: row.user_agent,
                create_time: row.create_time,
                last_use_time: row.last_use_time,
                expire_time: row.expire_time,
                address: row.address,
            })
            .collect())
    }

    async fn revoke(&self, user_id: &str, session_id: &str, now: Micros) -> Result<bool, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let revoked = rows::revoke_sessions(&mut writer, user_id, session_id, false, now).await?;
        writer.commit().await.map_err(failed)?;
        Ok(revoked > 0)
    }

    async fn revoke_all(
        &self,
        user_id: &str,
        keep: Option<&str>,
        now: Micros,
    ) -> Result<u32, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let revoked =
            rows::revoke_sessions(&mut writer, user_id, keep.unwrap_or_default(), true, now)
                .await?;
        let act = Act::new("sessions.revoked", user_id, user_id)
            .with("revoked_sessions", revoked.to_string());
        audit::record(&mut writer, act, now).await?;
        writer.commit().await.map_err(failed)?;
        Ok(u32::try_from(revoked).unwrap_or(u32::MAX))
    }

    async fn revocations_after(&self, number: i64, now: Micros) -> Result<Vec<Revocation>, Error> {
        let rows: Vec<(i64, String, Micros)> = sql::query_as(
            "SELECT number, session_id, forget_time FROM revocations \
             WHERE number > $1 AND forget_time > $2 ORDER BY number",
        )
        .bind(number)
        .bind(now)
        .fetch_all(self.database.read())
        .await
        .map_err(failed)?;
        Ok(rows
            .into_iter()
            .map(|(number, session_id, forget_time)| Revocation {
                number,
                session_id,
                forget_time,
            })
            .collect())
    }

    async fn family(&self, presented: &TokenHash) -> Result<Option<Box<dyn Family>>, Error> {
        // Asked of a reader first: guessing tokens must not take the write lock from everybody else.
        let known: Option<(String, bool)> = sql::query_as(
            "SELECT session_id, use_time IS NULL FROM refresh_tokens WHERE token_hash = $1",
        )
        .bind(&presented.0[..])
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        let Some((session_id, unspent)) = known else {
            return Ok(None);
        };
        // An unspent token is exchanged beside those of other families: what is read are the account, and who changes one is
        // alone, and rows of this family. A spent one may end the family, and whoever ends sessions is alone too.
        let name = format!("family {session_id}");
        let writer = match unspent {
            true => self.database.begin_beside(&[&name]).await,
            false => self.database.begin().await,
        };
        let mut writer = writer.map_err(failed)?;
        let mut row = family(&mut writer, presented).await?;
        let spent_meanwhile = unspent && row.as_ref().is_some_and(|row| row.grace_until.is_some());
        if spent_meanwhile && !self.database.is_embedded() {
            writer.rollback().await.map_err(failed)?;
            writer = self.database.begin().await.map_err(failed)?;
            row = family(&mut writer, presented).await?;
        }
        let Some(row) = row else {
            return Ok(None);
        };
        let Some(user) = rows::user(&mut writer, &row.user_id).await? else {
            return Ok(None);
        };
        let state = FamilyState {
            user,
            session_id: row.session_id,
            revoked: row.revoke_time.is_some(),
            expire_time: row.expire_time,
            // A token is spent when, and only when, it has a grace.
            presented: match row.grace_until {
                None => Presented::Unspent,
                Some(grace_until) => Presented::Spent {
                    grace_until,
                    successor: row.successor,
                },
            },
        };
        Ok(Some(Box::new(HeldFamily {
            writer,
            presented: *presented,
            state,
        })))
    }

    async fn sweep(&self, now: Micros) -> Result<(), Error> {
        let (due,): (bool,) = sql::query_as(
            "SELECT EXISTS (SELECT 1 FROM refresh_tokens WHERE successor IS NOT NULL AND grace_until <= $1) \
             OR EXISTS (SELECT 1 FROM refresh_tokens WHERE expire_time <= $1) \
             OR EXISTS (SELECT 1 FROM sessions WHERE expire_time <= $1) \
             OR EXISTS (SELECT 1 FROM revocations WHERE forget_time <= $1)",
        )
        .bind(now)
        .fetch_one(self.database.read())
        .await
        .map_err(failed)?;
        if !due {
            return Ok(());
        }
        let mut writer = self.database.begin().await.map_err(failed)?;
        sql::query(
            "UPDATE refresh_tokens SET successor = NULL WHERE successor IS NOT NULL AND grace_until <= $1",
        )
        .bind(now)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        sql::query(
            "DELETE FROM refresh_tokens WHERE token_hash IN \
             (SELECT token_hash FROM refresh_tokens WHERE expire_time <= $1 LIMIT $2)",
        )
        .bind(now)
        .bind(SWEEP_ROWS)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        sql::query(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expire_time <= $1 LIMIT $2)",
        )
        .bind(now)
        .bind(SWEEP_ROWS)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        sql::query("DELETE FROM revocations WHERE forget_time <= $1")
            .bind(now)
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }
}

/// The session of a token, and how the token stands.
async fn family(writer: &mut Writer, presented: &TokenHash) -> Result<Option<FamilyRow>, Error> {
    sql::query_as(
        "SELECT s.user_id, s.id AS session_id, s.revoke_time, s.expire_time, t.grace_until, t.successor \
         FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.token_hash = $1",
    )
    .bind(&presented.0[..])
    .fetch_optional(writer)
    .await
    .map_err(failed)
}

/// A family, held by a writing transaction that no other of its family is beside.
struct HeldFamily {
    writer: Transaction,
    presented: TokenHash,
    state: FamilyState,
}

#[async_trait]
impl Family for HeldFamily {
    fn state(&self) -> &FamilyState {
        &self.state
    }

    async fn rotate(mut self: Box<Self>, rotation: Rotation) -> Result<(), Error> {
        let writer = &mut *self.writer;
        let spent = sql::query(
            "UPDATE refresh_tokens SET use_time = $2, grace_until = $3, successor = $4 \
             WHERE token_hash = $1 AND use_time IS NULL",
        )
        .bind(&self.presented.0[..])
        .bind(rotation.now)
        .bind(rotation.grace_until)
        .bind(&rotation.sealed)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        if spent.rows_affected() != 1 {
            return Err(Error::store(
                "a refresh token was spent while its family was held",
            ));
        }
        sql::query(
            "INSERT INTO refresh_tokens (token_hash, session_id, parent_hash, create_time, expire_time) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&rotation.successor.0[..])
        .bind(&self.state.session_id)
        .bind(&self.presented.0[..])
        .bind(rotation.now)
        .bind(rotation.expire_time)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        // The presented token is its parent's successor, and this is its first use.
        sql::query(
            "UPDATE refresh_tokens SET grace_until = CASE WHEN grace_until > $2 THEN $2 ELSE grace_until END WHERE token_hash = \
             (SELECT parent_hash FROM refresh_tokens WHERE token_hash = $1)",
        )
        .bind(&self.presented.0[..])
        .bind(rotation.parent_grace_until)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        sql::query(
            "UPDATE sessions SET last_use_time = $2, expire_time = $3, address = $4 WHERE id = $1",
        )
        .bind(&self.state.session_id)
        .bind(rotation.now)
        .bind(rotation.expire_time)
        .bind(&rotation.address)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        erase_passed(writer, &self.state.session_id, rotation.now).await?;
        self.writer.commit().await.map_err(failed)
    }

    async fn revoke(mut self: Box<Self>, now: Micros) -> Result<(), Error> {
        let writer = &mut *self.writer;
        rows::revoke_sessions(
            writer,
            &self.state.user.id,
            &self.state.session_id,
            false,
            now,
        )
        .await?;
        let act = Act::new("session.reused", "", &self.state.user.id)
            .with("session_id", self.state.session_id.as_str());
        audit::record(writer, act, now).await?;
        self.writer.commit().await.map_err(failed)
    }

    async fn release(mut self: Box<Self>, now: Micros) -> Result<(), Error> {
        erase_passed(&mut self.writer, &self.state.session_id, now).await?;
        self.writer.commit().await.map_err(failed)
    }
}

/// Erases the sealed pairs of a session whose grace has passed.
async fn erase_passed(writer: &mut Writer, session_id: &str, now: Micros) -> Result<(), Error> {
    sql::query(
        "UPDATE refresh_tokens SET successor = NULL \
         WHERE session_id = $1 AND successor IS NOT NULL AND grace_until <= $2",
    )
    .bind(session_id)
    .bind(now)
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

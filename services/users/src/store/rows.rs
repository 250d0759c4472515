//! Rows that more than one adapter reads or writes; all of it within a transaction that the caller holds.

use atelier_kit::identity::Role;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Writer};

use super::failed;
use crate::error::Error;
use crate::revocations::forget_time;
use crate::sessions::Opening;
use crate::users::User;

/// The columns of [`UserRow`], of a table that the statement calls `u`.
macro_rules! user_columns {
    () => {
        "u.id, u.email, u.display_name, u.role, u.create_time, u.update_time, u.email_verify_time, u.bio, \
         u.preferences, u.plan, u.second_factor_time"
    };
}
pub(super) use user_columns;

/// A row of `users`, without its password.
#[derive(sqlx::FromRow)]
pub(super) struct UserRow {
    id: String,
    email: Option<String>,
    display_name: String,
    role: String,
    create_time: Micros,
    update_time: Micros,
    email_verify_time: Option<Micros>,
    bio: String,
    preferences: String,
    plan: String,
    second_factor_time: Option<Micros>,
}

impl TryFrom<UserRow> for User {
    type Error = Error;

    fn try_from(row: UserRow) -> Result<Self, Error> {
        let role = Role::of(&row.role).ok_or_else(|| {
            Error::store(format!("an account has the unknown role {:?}", row.role))
        })?;
        Ok(User {
            id: row.id,
            email: row.email,
            display_name: row.display_name,
            role,
            create_time: row.create_time,
            update_time: row.update_time,
            email_verified: row.email_verify_time.is_some(),
            bio: row.bio,
            preferences: serde_json::from_str(&row.preferences).map_err(Error::store)?,
            plan: row.plan,
            second_factor: row.second_factor_time.is_some(),
        })
    }
}

/// What stands for the password of an account that has an e-mail and no password; no hash is empty.
pub(super) const NO_PASSWORD: &str = "";

/// What is kept of a password; `None` where there is none.
pub(super) fn password(kept: String) -> Option<String> {
    Some(kept).filter(|kept| kept != NO_PASSWORD)
}

/// The account of an id.
pub(super) async fn user(writer: &mut Writer, id: &str) -> Result<Option<User>, Error> {
    let row: Option<UserRow> = sql::query_as(concat!(
        "SELECT ",
        user_columns!(),
        " FROM users u WHERE u.id = $1"
    ))
    .bind(id)
    .fetch_optional(writer)
    .await
    .map_err(failed)?;
    row.map(User::try_from).transpose()
}

/// Adds a session and its first refresh token.
pub(super) async fn insert_session(
    writer: &mut Writer,
    user_id: &str,
    opening: &Opening,
) -> Result<(), Error> {
    sql::query(
        "INSERT INTO sessions (id, user_id, user_agent, create_time, last_use_time, expire_time, address) \
         VALUES ($1, $2, $3, $4, $4, $5, $6)",
    )
    .bind(&opening.session_id)
    .bind(user_id)
    .bind(&opening.user_agent)
    .bind(opening.now)
    .bind(opening.expire_time)
    .bind(&opening.address)
    .execute(&mut *writer)
    .await
    .map_err(failed)?;
    sql::query(
        "INSERT INTO refresh_tokens (token_hash, session_id, create_time, expire_time) VALUES ($1, $2, $3, $4)",
    )
    .bind(&opening.token.0[..])
    .bind(&opening.session_id)
    .bind(opening.now)
    .bind(opening.expire_time)
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Ends one live session of an account, or with `others` all but that one: erases their sealed pairs, and tells every
/// service that their tokens no longer count. Returns how many ended.
pub(super) async fn revoke_sessions(
    writer: &mut Writer,
    user_id: &str,
    session_id: &str,
    others: bool,
    now: Micros,
) -> Result<u64, Error> {
    sql::query(
        "UPDATE refresh_tokens SET successor = NULL WHERE successor IS NOT NULL AND session_id IN \
         (SELECT id FROM sessions WHERE user_id = $1 AND (id = $2) <> $3)",
    )
    .bind(user_id)
    .bind(session_id)
    .bind(others)
    .execute(&mut *writer)
    .await
    .map_err(failed)?;
    sql::query(
        "INSERT INTO revocations (session_id, forget_time) SELECT id, $5 FROM sessions \
         WHERE user_id = $1 AND (id = $2) <> $3 AND revoke_time IS NULL AND expire_time > $4 \
         ON CONFLICT (session_id) DO NOTHING",
    )
    .bind(user_id)
    .bind(session_id)
    .bind(others)
    .bind(now)
    .bind(forget_time(now))
    .execute(&mut *writer)
    .await
    .map_err(failed)?;
    let done = sql::query(
        "UPDATE sessions SET revoke_time = $4 \
         WHERE user_id = $1 AND (id = $2) <> $3 AND revoke_time IS NULL AND expire_time > $4",
    )
    .bind(user_id)
    .bind(session_id)
    .bind(others)
    .bind(now)
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(done.rows_affected())
}

/// Ends all live sessions of an account. Returns how many ended.
pub(super) async fn revoke_all_sessions(
    writer: &mut Writer,
    user_id: &str,
    now: Micros,
) -> Result<u64, Error> {
    // No session has an empty id, so all of them are others.
    revoke_sessions(writer, user_id, "", true, now).await
}

/// Tells every service that the tokens of this `sid` no longer count: for what is no session, as an API key.
pub(super) async fn revoke_tokens(
    writer: &mut Writer,
    sid: &str,
    now: Micros,
) -> Result<(), Error> {
    sql::query(
        "INSERT INTO revocations (session_id, forget_time) VALUES ($1, $2) ON CONFLICT (session_id) DO NOTHING",
    )
    .bind(sid)
    .bind(forget_time(now))
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Tells every service that the tokens of all API keys of an account no longer count.
pub(super) async fn revoke_all_keys(
    writer: &mut Writer,
    user_id: &str,
    now: Micros,
) -> Result<(), Error> {
    sql::query(
        "INSERT INTO revocations (session_id, forget_time) SELECT id, $2 FROM api_keys WHERE user_id = $1 \
         ON CONFLICT (session_id) DO NOTHING",
    )
    .bind(user_id)
    .bind(forget_time(now))
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

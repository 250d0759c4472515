//! Mails that wait, in rows: added by whoever holds the transaction of what they tell of, and taken by the courier.

use async_trait::async_trait;
use atelier_kit::moment::{Micros, new_id};
use atelier_kit::sql::{self, Database, Writer};

use super::failed;
use crate::emails::{MOST, PAUSE, Purpose, WINDOW, Waiting, Wanted};
use crate::error::Error;
use crate::ports::MailStore;
use crate::tokens::TokenHash;

/// How many mails there may be, those of the last hour included.
const ROOM: i64 = 50_000;
/// How many rows one sweep deletes of a kind.
const SWEEP_ROWS: i64 = 1_000;

/// Whether a mail may be added.
enum May {
    Yes,
    /// Its recipient or its account has had enough of them.
    Later,
    /// There are too many of all kinds.
    NoRoom,
}

/// Whether a mail may be added now, by what its recipient and its account have had.
async fn may(writer: &mut Writer, wanted: &Wanted<'_>, now: Micros) -> Result<May, Error> {
    let (all,): (i64,) = sql::query_as("SELECT COUNT(*) FROM (SELECT 1 FROM mails LIMIT $1) m")
        .bind(ROOM)
        .fetch_one(&mut *writer)
        .await
        .map_err(failed)?;
    if all >= ROOM {
        return Ok(May::NoRoom);
    }
    let (to_recipient, last_to): (i64, Option<Micros>) = sql::query_as(
        "SELECT COUNT(*), MAX(create_time) FROM mails WHERE recipient = $1 AND purpose = $2 AND create_time > $3",
    )
    .bind(wanted.recipient)
    .bind(wanted.purpose.name())
    .bind(now - WINDOW)
    .fetch_one(&mut *writer)
    .await
    .map_err(failed)?;
    let (of_user, last_of): (i64, Option<Micros>) = sql::query_as(
        "SELECT COUNT(*), MAX(create_time) FROM mails WHERE user_id = $1 AND purpose = $2 AND create_time > $3",
    )
    .bind(wanted.user_id)
    .bind(wanted.purpose.name())
    .bind(now - WINDOW)
    .fetch_one(&mut *writer)
    .await
    .map_err(failed)?;
    let last = last_to.max(last_of);
    let may = to_recipient.max(of_user) < MOST && last.is_none_or(|last| last + PAUSE <= now);
    Ok(if may { May::Yes } else { May::Later })
}

/// Adds a mail that is bounded by no other. One with a token takes the place of an earlier one for the same purpose that
/// still waits; what only tells of something is told, whatever comes after it.
pub(super) async fn add(
    writer: &mut Writer,
    wanted: &Wanted<'_>,
    now: Micros,
) -> Result<(), Error> {
    if wanted.purpose.lifetime().is_some() {
        // One without an account is known by its recipient.
        sql::query(
            "UPDATE mails SET done_time = $4 WHERE done_time IS NULL AND purpose = $1 \
             AND CASE WHEN $3 IS NULL THEN recipient = $2 ELSE user_id = $3 END",
        )
        .bind(wanted.purpose.name())
        .bind(wanted.recipient)
        .bind(wanted.user_id)
        .bind(now)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
    }
    sql::query(
        "INSERT INTO mails (id, purpose, recipient, user_id, create_time, next_time) VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(new_id())
    .bind(wanted.purpose.name())
    .bind(wanted.recipient)
    .bind(wanted.user_id)
    .bind(now)
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Adds the mail that a new account gets. There may be no room for it: it can be asked for later, and that is no reason
/// to have no account.
pub(super) async fn welcome(
    writer: &mut Writer,
    user_id: &str,
    email: &str,
    now: Micros,
) -> Result<(), Error> {
    let wanted = Wanted {
        purpose: Purpose::Verify,
        recipient: email,
        user_id: Some(user_id),
    };
    match may(writer, &wanted, now).await? {
        May::Yes => add(writer, &wanted, now).await,
        May::Later | May::NoRoom => Ok(()),
    }
}

/// Ends what could still change an account that has another password now: whoever knew the old one may have begun it.
pub(super) async fn end_tokens(
    writer: &mut Writer,
    user_id: &str,
    now: Micros,
) -> Result<(), Error> {
    sql::query("DELETE FROM mail_tokens WHERE user_id = $1 AND purpose <> 'verify'")
        .bind(user_id)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
    sql::query(
        "UPDATE mails SET done_time = $2 WHERE user_id = $1 AND purpose = 'change' AND done_time IS NULL",
    )
    .bind(user_id)
    .bind(now)
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

/// The mails of one database.
pub(crate) struct SqlMailStore {
    database: Database,
}

impl SqlMailStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[derive(sqlx::FromRow)]
struct MailRow {
    id: String,
    purpose: String,
    recipient: String,
    user_id: Option<String>,
    create_time: Micros,
    attempts: i64,
}

impl TryFrom<MailRow> for Waiting {
    type Error = Error;

    fn try_from(row: MailRow) -> Result<Self, Error> {
        let purpose = Purpose::of(&row.purpose).ok_or_else(|| {
            Error::store(format!("a mail has the unknown purpose {:?}", row.purpose))
        })?;
        Ok(Self {
            id: row.id,
            purpose,
            recipient: row.recipient,
            user_id: row.user_id,
            create_time: row.create_time,
            attempts: row.attempts,
        })
    }
}

#[async_trait]
impl MailStore for SqlMailStore {
    async fn want(&self, wanted: &[Wanted<'_>], now: Micros) -> Result<(), Error> {
        let Some(first) = wanted.first() else {
            return Ok(());
        };
        let mut writer = self.database.begin().await.map_err(failed)?;
        match may(&mut writer, first, now).await? {
            May::Yes => {}
            May::Later => return Ok(()),
            May::NoRoom => return Err(Error::Busy),
        }
        for wanted in wanted {
            add(&mut writer, wanted, now).await?;
        }
        writer.commit().await.map_err(failed)
    }

    async fn claim(&self, now: Micros, until: Micros, most: i64) -> Result<Vec<Waiting>, Error> {
        // Asked without the write lock first: mostly there is nothing.
        let due: Option<(i32,)> = sql::query_as(
            "SELECT 1 FROM mails WHERE done_time IS NULL AND next_time <= $1 LIMIT 1",
        )
        .bind(now)
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        if due.is_none() {
            return Ok(Vec::new());
        }
        let mut writer = self.database.begin().await.map_err(failed)?;
        let rows: Vec<MailRow> = sql::query_as(
            "UPDATE mails SET attempts = attempts + 1, next_time = $2 WHERE id IN \
             (SELECT id FROM mails WHERE done_time IS NULL AND next_time <= $1 ORDER BY next_time, id LIMIT $3) \
             RETURNING id, purpose, recipient, user_id, create_time, attempts",
        )
        .bind(now)
        .bind(until)
        .bind(most)
        .fetch_all(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)?;
        rows.into_iter().map(Waiting::try_from).collect()
    }

    async fn ready(&self, mail: &Waiting, token: &TokenHash, now: Micros) -> Result<bool, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let waits: Option<(i32,)> =
            sql::query_as("SELECT 1 FROM mails WHERE id = $1 AND done_time IS NULL")
                .bind(&mail.id)
                .fetch_optional(&mut *writer)
                .await
                .map_err(failed)?;
        if waits.is_none() {
            return Ok(false);
        }
        let Some(lifetime) = mail.purpose.lifetime() else {
            return Ok(true);
        };
        let holder: Option<(String,)> = match mail.purpose {
            Purpose::Reset => {
                sql::query_as("SELECT id FROM users WHERE email = $1").bind(&mail.recipient)
            }
            Purpose::Verify => sql::query_as(
                "SELECT id FROM users WHERE email = $1 AND id = $2 AND email_verify_time IS NULL",
            )
            .bind(&mail.recipient)
            .bind(&mail.user_id),
            Purpose::Change | Purpose::Changing | Purpose::Changed => {
                sql::query_as("SELECT id FROM users WHERE id = $1").bind(&mail.user_id)
            }
        }
        .fetch_optional(&mut *writer)
        .await
        .map_err(failed)?;
        let Some((user_id,)) = holder else {
            return Ok(false);
        };
        sql::query(
            "INSERT INTO mail_tokens (token_hash, user_id, purpose, email, expire_time) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (user_id, purpose) DO UPDATE SET token_hash = excluded.token_hash, \
             email = excluded.email, expire_time = excluded.expire_time",
        )
        .bind(&token.0[..])
        .bind(&user_id)
        .bind(mail.purpose.name())
        .bind(&mail.recipient)
        .bind(now + lifetime)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)?;
        Ok(true)
    }

    async fn done(&self, id: &str, now: Micros) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        sql::query("UPDATE mails SET done_time = $2 WHERE id = $1 AND done_time IS NULL")
            .bind(id)
            .bind(now)
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }

    async fn again(&self, id: &str, next_time: Micros) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        sql::query("UPDATE mails SET next_time = $2 WHERE id = $1")
            .bind(id)
            .bind(next_time)
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }

    async fn sweep(&self, now: Micros) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        sql::query(
            "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE done_time IS NOT NULL \
             AND create_time <= $1 ORDER BY create_time LIMIT $2)",
        )
        .bind(now - WINDOW)
        .bind(SWEEP_ROWS)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        sql::query(
            "DELETE FROM mail_tokens WHERE token_hash IN \
             (SELECT token_hash FROM mail_tokens WHERE expire_time <= $1 ORDER BY expire_time LIMIT $2)",
        )
        .bind(now)
        .bind(SWEEP_ROWS)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }
}

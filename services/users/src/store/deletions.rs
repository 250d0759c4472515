//! Deletions in rows: the account goes in the transaction in which they begin, and nothing in them says who it was.

use std::collections::BTreeMap;

use async_trait::async_trait;
use atelier_kit::identity::Role;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Database, Writer};

use super::{audit, departures, failed, rows};
use crate::audit::Act;
use crate::error::Error;
use crate::leaving::{Basis, Deletion, Departure, REMEMBERED, ROLE, Receipt};
use crate::ports::{DeletionStore, Erasure};
use crate::tokens::TokenHash;
use crate::users::User;

const SECOND: Micros = 1_000_000;
/// The first pause before a service is asked again; each further one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Micros = SECOND;
const LONGEST_PAUSE: Micros = 5 * 60 * SECOND;
/// How many rows one sweep deletes.
const SWEEP_ROWS: i64 = 1_000;

/// The deletions of one database.
pub(crate) struct SqlDeletionStore {
    database: Database,
}

impl SqlDeletionStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

/// Whether an account is still as it was when somebody decided that it goes.
async fn still(writer: &mut Writer, user: &User, basis: &Basis) -> Result<(), Error> {
    match basis {
        Basis::Shown(shown) => {
            if (user.role == Role::Anonymous) != shown.is_anonymous {
                return Err(Error::SessionEnded);
            }
            let (kept,): (Option<String>,) =
                sql::query_as("SELECT password_hash FROM users WHERE id = $1")
                    .bind(&user.id)
                    .fetch_one(&mut *writer)
                    .await
                    .map_err(failed)?;
            if kept.filter(|kept| !kept.is_empty()) != shown.password_hash {
                return Err(Error::WrongPassword);
            }
            if user.second_factor && !shown.second_factor {
                return Err(Error::WrongCode);
            }
            if user.role == Role::Admin {
                let (admins,): (i64,) =
                    sql::query_as("SELECT COUNT(*) FROM users WHERE role = 'admin'")
                        .fetch_one(writer)
                        .await
                        .map_err(failed)?;
                if admins < 2 {
                    return Err(Error::LastAdmin);
                }
            }
            Ok(())
        }
        Basis::Unused { before } => {
            let used: Option<(i32,)> = sql::query_as(
                "SELECT 1 FROM sessions WHERE user_id = $1 AND last_use_time > $2 LIMIT 1",
            )
            .bind(&user.id)
            .bind(before)
            .fetch_optional(writer)
            .await
            .map_err(failed)?;
            if used.is_some() || user.role != Role::Anonymous || user.create_time > *before {
                return Err(Error::SessionEnded);
            }
            Ok(())
        }
    }
}

/// Deletes an account and what is kept of it, and has its tokens refused. Returns what went, and what stays.
async fn erase(writer: &mut Writer, user: &User, now: Micros) -> Result<Receipt, Error> {
    let count = async |writer: &mut Writer, sql: &'static str| -> Result<u64, Error> {
        let (count,): (i64,) = sql::query_as(sql)
            .bind(&user.id)
            .fetch_one(writer)
            .await
            .map_err(failed)?;
        Ok(count.unsigned_abs())
    };
    let sessions = count(writer, "SELECT COUNT(*) FROM sessions WHERE user_id = $1").await?;
    let api_keys = count(writer, "SELECT COUNT(*) FROM api_keys WHERE user_id = $1").await?;
    rows::revoke_all_sessions(writer, &user.id, now).await?;
    rows::revoke_all_keys(writer, &user.id, now).await?;
    if let Some(email) = &user.email {
        // Those that were asked for by an e-mail alone belong to no account, and others may have asked for it too.
        for sql in [
            "DELETE FROM mails WHERE recipient = $1",
            "DELETE FROM mail_tokens WHERE email = $1",
        ] {
            sql::query(sql)
                .bind(email)
                .execute(&mut *writer)
                .await
                .map_err(failed)?;
        }
    }
    // Sessions, keys, mails, tokens and factors go with it.
    sql::query("DELETE FROM users WHERE id = $1")
        .bind(&user.id)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
    let acts = count(
        writer,
        "SELECT COUNT(*) FROM audit_events WHERE subject = $1",
    )
    .await?;
    let named = |counts: [(&str, u64); 3]| -> BTreeMap<String, u64> {
        let counts = counts.into_iter();
        counts
            .map(|(kind, count)| (kind.to_owned(), count))
            .collect()
    };
    Ok(Receipt {
        erased: named([
            ("accounts", 1),
            ("sessions", sessions),
            ("api_keys", api_keys),
        ]),
        // With the one that tells of the deletion.
        kept: BTreeMap::from([("audit_events".to_owned(), acts + 1)]),
        time: now,
    })
}

async fn insert_erasure(
    writer: &mut Writer,
    deletion_id: &str,
    service: &str,
    receipt: Option<&Receipt>,
    now: Micros,
) -> Result<(), Error> {
    let receipt = receipt.map(serde_json::to_string).transpose();
    sql::query(
        "INSERT INTO erasures (deletion_id, service, next_time, receipt) VALUES ($1, $2, $3, $4)",
    )
    .bind(deletion_id)
    .bind(service)
    .bind(now)
    .bind(receipt.map_err(Error::store)?)
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Ends a deletion that waits for nobody any more.
async fn end(writer: &mut Writer, deletion_id: &str, now: Micros) -> Result<(), Error> {
    sql::query(
        "UPDATE deletions SET done_time = $2 WHERE id = $1 AND done_time IS NULL \
         AND NOT EXISTS (SELECT 1 FROM erasures WHERE deletion_id = $1 AND receipt IS NULL) \
         AND NOT EXISTS (SELECT 1 FROM departed_holders WHERE deletion_id = $1)",
    )
    .bind(deletion_id)
    .bind(now)
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct DeletionRow {
    id: String,
    user_id: String,
    create_time: Micros,
    done_time: Option<Micros>,
}

/// The deletion of a token, as a transaction sees it.
async fn read(reader: &mut Writer, token: &TokenHash) -> Result<Option<Deletion>, Error> {
    let row: Option<DeletionRow> = sql::query_as(
        "SELECT id, user_id, create_time, done_time FROM deletions WHERE token_hash = $1",
    )
    .bind(&token.0[..])
    .fetch_optional(&mut *reader)
    .await
    .map_err(failed)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let parts: Vec<(String, Option<String>)> = sql::query_as(
        "SELECT service, receipt FROM erasures WHERE deletion_id = $1 ORDER BY service",
    )
    .bind(&row.id)
    .fetch_all(reader)
    .await
    .map_err(failed)?;
    let mut deletion = Deletion {
        user_id: row.user_id,
        create_time: row.create_time,
        done_time: row.done_time,
        receipts: BTreeMap::new(),
        waiting: Vec::new(),
    };
    for (service, receipt) in parts {
        match receipt {
            Some(text) => {
                let receipt = serde_json::from_str(&text).map_err(Error::store)?;
                deletion.receipts.insert(service, receipt);
            }
            None => deletion.waiting.push(service),
        }
    }
    Ok(Some(deletion))
}

#[async_trait]
impl DeletionStore for SqlDeletionStore {
    async fn delete_account(&self, departure: &Departure<'_>) -> Result<Deletion, Error> {
        let now = departure.now;
        let mut writer = self.database.begin().await.map_err(failed)?;
        let user = rows::user(&mut writer, departure.user_id)
            .await?
            .ok_or(Error::SessionEnded)?;
        still(&mut writer, &user, &departure.basis).await?;
        let receipt = erase(&mut writer, &user, now).await?;
        sql::query(
            "INSERT INTO deletions (id, token_hash, user_id, create_time) VALUES ($1, $2, $3, $4)",
        )
        .bind(&departure.id)
        .bind(&departure.token.0[..])
        .bind(&user.id)
        .bind(now)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        insert_erasure(&mut writer, &departure.id, ROLE, Some(&receipt), now).await?;
        for service in departure.services {
            insert_erasure(&mut writer, &departure.id, service, None, now).await?;
        }
        departures::begin(&mut writer, &departure.id, &user.id).await?;
        let (actor, why) = match departure.basis {
            Basis::Shown(_) => (user.id.as_str(), "asked"),
            Basis::Unused { .. } => ("", "unused"),
        };
        let act = Act::new("account.deleted", actor, &user.id).with("why", why);
        audit::record(&mut writer, act, now).await?;
        let deletion = read(&mut writer, &departure.token).await?;
        writer.commit().await.map_err(failed)?;
        deletion.ok_or_else(|| Error::store("a deletion is gone in its own transaction"))
    }

    async fn find(&self, token: &TokenHash) -> Result<Option<Deletion>, Error> {
        // One view of both tables: a receipt may come in between.
        let mut reader = self.database.read().snapshot().await.map_err(failed)?;
        read(&mut reader, token).await
    }

    async fn claim(&self, service: &str, now: Micros, most: i64) -> Result<Vec<Erasure>, Error> {
        // Asked without the write lock first: mostly there is nothing.
        let due: Option<(i32,)> = sql::query_as(
            "SELECT 1 FROM erasures WHERE service = $1 AND receipt IS NULL AND next_time <= $2 LIMIT 1",
        )
        .bind(service)
        .bind(now)
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        if due.is_none() {
            return Ok(Vec::new());
        }
        let mut writer = self.database.begin().await.map_err(failed)?;
        let rows: Vec<(String, String, i64)> = sql::query_as(
            "SELECT e.deletion_id, d.user_id, e.attempts + 1 FROM erasures e JOIN deletions d ON d.id = e.deletion_id \
             WHERE e.service = $1 AND e.receipt IS NULL AND e.next_time <= $2 ORDER BY e.next_time, e.deletion_id LIMIT $3",
        )
        .bind(service)
        .bind(now)
        .bind(most)
        .fetch_all(&mut *writer)
        .await
        .map_err(failed)?;
        for (deletion_id, _, attempts) in &rows {
            sql::query(
                "UPDATE erasures SET attempts = $3, next_time = $4 WHERE deletion_id = $1 AND service = $2",
            )
            .bind(deletion_id)
            .bind(service)
            .bind(attempts)
            .bind(now + pause(*attempts))
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
        }
        writer.commit().await.map_err(failed)?;
        Ok(rows
            .into_iter()
            .map(|(deletion_id, user_id, attempts)| Erasure {
                deletion_id,
                user_id,
                attempts,
            })
            .collect())
    }

    async fn erased(
        &self,
        deletion_id: &str,
        service: &str,
        receipt: &Receipt,
        now: Micros,
    ) -> Result<(), Error> {
        let text = serde_json::to_string(receipt).map_err(Error::store)?;
        let mut writer = self.database.begin().await.map_err(failed)?;
        sql::query(
            "UPDATE erasures SET receipt = $3 WHERE deletion_id = $1 AND service = $2 AND receipt IS NULL",
        )
        .bind(deletion_id)
        .bind(service)
        .bind(text)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        end(&mut writer, deletion_id, now).await?;
        writer.commit().await.map_err(failed)
    }

    async fn departed(&self, most: i64) -> Result<Vec<(String, String)>, Error> {
        departures::waiting(&self.database, most).await
    }

    async fn left(&self, deletion_id: &str, entries: u64, now: Micros) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        if departures::told(&mut writer, deletion_id, entries).await? {
            end(&mut writer, deletion_id, now).await?;
            writer.commit().await.map_err(failed)?;
        }
        Ok(())
    }

    async fn unused(&self, before: Micros, most: i64) -> Result<Vec<String>, Error> {
        let rows: Vec<(String,)> = sql::query_as(
            "SELECT u.id FROM users u WHERE u.role = 'anonymous' AND u.create_time <= $1 AND NOT EXISTS \
             (SELECT 1 FROM sessions s WHERE s.user_id = u.id AND s.last_use_time > $1) \
             ORDER BY u.create_time, u.id LIMIT $2",
        )
        .bind(before)
        .bind(most)
        .fetch_all(self.database.read())
        .await
        .map_err(failed)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    async fn sweep(&self, now: Micros) -> Result<(), Error> {
        let past = now - REMEMBERED;
        let due: Option<(i32,)> =
            sql::query_as("SELECT 1 FROM deletions WHERE done_time <= $1 LIMIT 1")
                .bind(past)
                .fetch_optional(self.database.read())
                .await
                .map_err(failed)?;
        if due.is_none() {
            return Ok(());
        }
        let mut writer = self.database.begin().await.map_err(failed)?;
        sql::query(
            "DELETE FROM deletions WHERE id IN \
             (SELECT id FROM deletions WHERE done_time <= $1 ORDER BY done_time LIMIT $2)",
        )
        .bind(past)
        .bind(SWEEP_ROWS)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }

    async fn write_back(&self) -> Result<(), Error> {
        self.database.write_back().await.map_err(failed)
    }
}

/// How long to wait after a service was asked so many times.
fn pause(attempts: i64) -> Micros {
    let steps = (attempts - 1).clamp(0, 20);
    (FIRST_PAUSE << steps).min(LONGEST_PAUSE)
}

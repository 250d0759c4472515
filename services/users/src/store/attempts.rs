//! Attempts to sign in, in rows; who may try is decided by the rule, within the transaction that counts.

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Database, Writer};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::failed;
use crate::attempts::{Begun, Standing, Subjects, Success, Tally};
use crate::error::Error;
use crate::ports::AttemptStore;

/// How many rows one sweep deletes of a kind.
const SWEEP_ROWS: i64 = 1_000;
/// How long a network is known after an account last signed in from it.
const KNOWN_MICROS: Micros = 180 * 24 * 3600 * 1_000_000;

/// The attempts of one database.
pub(crate) struct SqlAttemptStore {
    database: Database,
}

impl SqlAttemptStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl AttemptStore for SqlAttemptStore {
    async fn begin(&self, subjects: &Subjects, now: Micros) -> Result<Begun, Error> {
        // Asked without the write lock first: a flood of attempts that are refused keeps nobody from writing.
        let mut reader = self.database.read().acquire().await.map_err(failed)?;
        let wait = standing(&mut reader, subjects).await?.wait(now);
        drop(reader);
        if wait > 0 {
            return Ok(Begun::Wait(wait));
        }
        // All that is read and written are rows of these subjects, and who counts one of them waits for who counts it now.
        let names = names(subjects);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut writer = self.database.begin_beside(&names).await.map_err(failed)?;
        let before = standing(&mut writer, subjects).await?;
        let wait = before.wait(now);
        if wait > 0 {
            return Ok(Begun::Wait(wait));
        }
        let after = before.fail(now);
        count(&mut writer, &subjects.pair, after.pair).await?;
        count(&mut writer, &subjects.account, after.account).await?;
        if let Some(network) = &subjects.network {
            count(&mut writer, network, after.network).await?;
        }
        writer.commit().await.map_err(failed)?;
        Ok(Begun::Counted(before))
    }

    async fn succeeded(&self, success: &Success, now: Micros) -> Result<(), Error> {
        let subjects = &success.subjects;
        // As above: rows of these subjects alone.
        let names = names(subjects);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut writer = self.database.begin_beside(&names).await.map_err(failed)?;
        sql::query("DELETE FROM attempts WHERE subject IN ($1, $2)")
            .bind(&subjects.pair[..])
            .bind(&subjects.account[..])
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
        if let Some(network) = &subjects.network {
            // Another may have failed there since: then the last failure is that one's.
            sql::query(
                "UPDATE attempts SET forget_time = forget_time - $2, \
                 fail_time = CASE WHEN fail_time = $3 THEN $4 ELSE fail_time END WHERE subject = $1",
            )
            .bind(&network[..])
            .bind(success.network_moved)
            .bind(success.begin_time)
            .bind(success.network_fail_time)
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
        }
        sql::query(
            "INSERT INTO known_networks (subject, use_time) VALUES ($1, $2) \
             ON CONFLICT (subject) DO UPDATE SET use_time = excluded.use_time",
        )
        .bind(&subjects.pair[..])
        .bind(now)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }

    async fn sweep(&self, now: Micros) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        sql::query(
            "DELETE FROM attempts WHERE subject IN \
             (SELECT subject FROM attempts WHERE forget_time <= $1 ORDER BY forget_time LIMIT $2)",
        )
        .bind(now)
        .bind(SWEEP_ROWS)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        sql::query(
            "DELETE FROM known_networks WHERE subject IN \
             (SELECT subject FROM known_networks WHERE use_time <= $1 ORDER BY use_time LIMIT $2)",
        )
        .bind(now - KNOWN_MICROS)
        .bind(SWEEP_ROWS)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }
}

/// What an attempt is about, among those who write beside each other.
fn names(subjects: &Subjects) -> Vec<String> {
    let all = [
        Some(&subjects.pair),
        Some(&subjects.account),
        subjects.network.as_ref(),
    ];
    let name = |subject: &[u8; 32]| format!("attempts {}", URL_SAFE_NO_PAD.encode(subject));
    all.into_iter().flatten().map(name).collect()
}

/// How the subjects of an attempt stand.
async fn standing(connection: &mut Writer, subjects: &Subjects) -> Result<Standing, Error> {
    let known: Option<(i32,)> = sql::query_as("SELECT 1 FROM known_networks WHERE subject = $1")
        .bind(&subjects.pair[..])
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    Ok(Standing {
        pair: tally(connection, &subjects.pair).await?,
        account: tally(connection, &subjects.account).await?,
        network: match &subjects.network {
            Some(network) => tally(connection, network).await?,
            None => Tally::default(),
        },
        known: known.is_some(),
    })
}

async fn tally(connection: &mut Writer, subject: &[u8; 32]) -> Result<Tally, Error> {
    let row: Option<(Micros, Micros)> =
        sql::query_as("SELECT fail_time, forget_time FROM attempts WHERE subject = $1")
            .bind(&subject[..])
            .fetch_optional(connection)
            .await
            .map_err(failed)?;
    Ok(
        row.map_or_else(Tally::default, |(fail_time, forget_time)| Tally {
            fail_time,
            forget_time,
        }),
    )
}

async fn count(writer: &mut Writer, subject: &[u8; 32], tally: Tally) -> Result<(), Error> {
    sql::query(
        "INSERT INTO attempts (subject, fail_time, forget_time) VALUES ($1, $2, $3) ON CONFLICT (subject) \
         DO UPDATE SET fail_time = excluded.fail_time, forget_time = excluded.forget_time",
    )
    .bind(&subject[..])
    .bind(tally.fail_time)
    .bind(tally.forget_time)
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

//! Second factors in rows; each secret is sealed before it comes here.

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Database, Transaction, Writer};

use super::{audit, failed, rows};
use crate::audit::Act;
use crate::error::Error;
use crate::ports::{Factor, FactorStore};
use crate::recovery::RecoveryHash;
use crate::second_factor::{FactorState, MISS_WINDOW, MOST_MISSES, Proof};

/// The second factors of one database.
pub(crate) struct SqlFactorStore {
    database: Database,
}

impl SqlFactorStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[derive(sqlx::FromRow)]
struct FactorRow {
    user_id: String,
    sealed: Vec<u8>,
    confirm_time: Option<Micros>,
    last_step: i64,
}

/// Ends the second factor of an account, confirmed or not, within a transaction that the caller holds. Nothing of it needs
/// to be shown.
pub(super) async fn drop_of(writer: &mut Writer, user_id: &str, now: Micros) -> Result<(), Error> {
    sql::query("DELETE FROM second_factors WHERE user_id = $1")
        .bind(user_id)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
    let done = sql::query(
        "UPDATE users SET second_factor_time = NULL WHERE id = $1 AND second_factor_time IS NOT NULL",
    )
    .bind(user_id)
    .execute(&mut *writer)
    .await
    .map_err(failed)?;
    if done.rows_affected() == 0 {
        return Ok(());
    }
    let act = Act::new("totp.disabled", user_id, user_id).with("shown", "mail_token");
    audit::record(writer, act, now).await
}

#[async_trait]
impl FactorStore for SqlFactorStore {
    async fn enroll(&self, user_id: &str, sealed: &[u8], now: Micros) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let done = sql::query(
            "INSERT INTO second_factors (user_id, sealed, create_time, last_step) VALUES ($1, $2, $3, 0) \
             ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, create_time = excluded.create_time, \
             last_step = 0 WHERE second_factors.confirm_time IS NULL",
        )
        .bind(user_id)
        .bind(sealed)
        .bind(now)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        if done.rows_affected() == 0 {
            return Err(Error::TotpActive);
        }
        writer.commit().await.map_err(failed)
    }

    async fn hold(&self, user_id: &str, since: Micros) -> Result<Option<Box<dyn Factor>>, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let row: Option<FactorRow> = sql::query_as(
            "SELECT user_id, sealed, confirm_time, last_step FROM second_factors WHERE user_id = $1",
        )
        .bind(user_id)
        .fetch_optional(&mut *writer)
        .await
        .map_err(failed)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let recovery: Vec<(Vec<u8>,)> =
            sql::query_as("SELECT code_hash FROM recovery_codes WHERE user_id = $1")
                .bind(user_id)
                .fetch_all(&mut *writer)
                .await
                .map_err(failed)?;
        let recovery = recovery
            .into_iter()
            .map(|(hash,)| hash.try_into().map(RecoveryHash))
            .collect::<Result<_, Vec<u8>>>()
            .map_err(|_| Error::store("the hash of a recovery code has another length"))?;
        let misses: Vec<(Micros,)> = sql::query_as(
            "SELECT time FROM second_factor_misses WHERE user_id = $1 AND time > $2 \
             ORDER BY time DESC LIMIT $3",
        )
        .bind(user_id)
        .bind(since)
        .bind(i64::try_from(MOST_MISSES).map_err(Error::store)?)
        .fetch_all(&mut *writer)
        .await
        .map_err(failed)?;
        let state = FactorState {
            user_id: row.user_id,
            sealed: row.sealed,
            confirmed: row.confirm_time.is_some(),
            last_step: row.last_step,
            recovery,
            misses: misses.into_iter().map(|(time,)| time).collect(),
        };
        Ok(Some(Box::new(HeldFactor { writer, state })))
    }

    async fn renew(&self, user_id: &str, codes: &[RecoveryHash], now: Micros) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let active: Option<(i32,)> = sql::query_as(
            "SELECT 1 FROM second_factors WHERE user_id = $1 AND confirm_time IS NOT NULL",
        )
        .bind(user_id)
        .fetch_optional(&mut *writer)
        .await
        .map_err(failed)?;
        if active.is_none() {
            return Err(Error::TotpNotEnrolled);
        }
        sql::query("DELETE FROM recovery_codes WHERE user_id = $1")
            .bind(user_id)
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
        insert_codes(&mut writer, user_id, codes).await?;
        let act = Act::new("recovery_codes.renewed", user_id, user_id);
        audit::record(&mut writer, act, now).await?;
        writer.commit().await.map_err(failed)
    }
}

async fn insert_codes(
    writer: &mut Writer,
    user_id: &str,
    codes: &[RecoveryHash],
) -> Result<(), Error> {
    for code in codes {
        sql::query("INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)")
            .bind(user_id)
            .bind(&code.0[..])
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

/// A factor, held by the one writing transaction.
struct HeldFactor {
    writer: Transaction,
    state: FactorState,
}

impl HeldFactor {
    /// Takes the code of a time step, which is later than that of any code that was taken before.
    async fn take_step(&mut self, step: i64) -> Result<(), Error> {
        let done = sql::query(
            "UPDATE second_factors SET last_step = $2 WHERE user_id = $1 AND last_step < $2",
        )
        .bind(&self.state.user_id)
        .bind(step)
        .execute(&mut *self.writer)
        .await
        .map_err(failed)?;
        one(done.rows_affected())
    }

    /// Takes a recovery code, which is there no longer then.
    async fn take_recovery(&mut self, code: RecoveryHash) -> Result<(), Error> {
        let done = sql::query("DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2")
            .bind(&self.state.user_id)
            .bind(&code.0[..])
            .execute(&mut *self.writer)
            .await
            .map_err(failed)?;
        one(done.rows_affected())
    }

    /// Says on the account when its factor was confirmed.
    async fn mark_account(&mut self, confirmed: Option<Micros>, now: Micros) -> Result<(), Error> {
        sql::query("UPDATE users SET second_factor_time = $2, update_time = $3 WHERE id = $1")
            .bind(&self.state.user_id)
            .bind(confirmed)
            .bind(now)
            .execute(&mut *self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    fn act(&self, action: &'static str) -> Act {
        Act::new(action, &self.state.user_id, &self.state.user_id)
    }
}

/// What was there when the factor was held is still there.
fn one(changed: u64) -> Result<(), Error> {
    if changed == 1 {
        Ok(())
    } else {
        Err(Error::store("a code was taken while its factor was held"))
    }
}

#[async_trait]
impl Factor for HeldFactor {
    fn state(&self) -> &FactorState {
        &self.state
    }

    async fn miss(mut self: Box<Self>, now: Micros) -> Result<(), Error> {
        // Those that no longer count go with each new one, so that an account never has many.
        sql::query("DELETE FROM second_factor_misses WHERE user_id = $1 AND time <= $2")
            .bind(&self.state.user_id)
            .bind(now - MISS_WINDOW)
            .execute(&mut *self.writer)
            .await
            .map_err(failed)?;
        sql::query("INSERT INTO second_factor_misses (user_id, time) VALUES ($1, $2)")
            .bind(&self.state.user_id)
            .bind(now)
            .execute(&mut *self.writer)
            .await
            .map_err(failed)?;
        self.writer.commit().await.map_err(failed)
    }

    async fn spend(mut self: Box<Self>, proof: Proof, now: Micros) -> Result<(), Error> {
        match proof {
            Proof::Step(step) => self.take_step(step).await?,
            Proof::Recovery(code) => {
                self.take_recovery(code).await?;
                let left = self.state.recovery.len().saturating_sub(1);
                let act = self
                    .act("recovery_code.used")
                    .with("left", left.to_string());
                audit::record(&mut self.writer, act, now).await?;
            }
        }
        self.writer.commit().await.map_err(failed)
    }

    async fn confirm(
        mut self: Box<Self>,
        step: i64,
        codes: &[RecoveryHash],
        keep_session: &str,
        now: Micros,
    ) -> Result<(), Error> {
        self.take_step(step).await?;
        sql::query("UPDATE second_factors SET confirm_time = $2 WHERE user_id = $1")
            .bind(&self.state.user_id)
            .bind(now)
            .execute(&mut *self.writer)
            .await
            .map_err(failed)?;
        insert_codes(&mut self.writer, &self.state.user_id, codes).await?;
        self.mark_account(Some(now), now).await?;
        let revoked = rows::revoke_sessions(
            &mut self.writer,
            &self.state.user_id,
            keep_session,
            true,
            now,
        )
        .await?;
        let act = self
            .act("totp.enabled")
            .with("revoked_sessions", revoked.to_string());
        audit::record(&mut self.writer, act, now).await?;
        self.writer.commit().await.map_err(failed)
    }

    async fn disable(mut self: Box<Self>, proof: Proof, now: Micros) -> Result<(), Error> {
        let shown = match proof {
            Proof::Step(_) => "totp",
            Proof::Recovery(_) => "recovery_code",
        };
        let done = sql::query("DELETE FROM second_factors WHERE user_id = $1")
            .bind(&self.state.user_id)
            .execute(&mut *self.writer)
            .await
            .map_err(failed)?;
        one(done.rows_affected())?;
        self.mark_account(None, now).await?;
        let act = self.act("totp.disabled").with("shown", shown);
        audit::record(&mut self.writer, act, now).await?;
        self.writer.commit().await.map_err(failed)
    }
}

//! Accounts as holders of credits, in rows, and the acts that the book keeps beside it.

use async_trait::async_trait;
use atelier_kit::identity::Role;
use atelier_kit::sql::{self, Database, Writer};
use atelier_ledger::store::Beside;
use atelier_ledger::{Grant, Origin};

use super::{audit, failed, rows};
use crate::audit::Act;
use crate::credits::Occasion;
use crate::error::Error;
use crate::ports::{Holder, HolderStore, PlanChange, UsedRequest};

/// The holders of one database.
pub(crate) struct SqlHolderStore {
    database: Database,
}

impl SqlHolderStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl HolderStore for SqlHolderStore {
    async fn find(&self, user_id: &str) -> Result<Option<Holder>, Error> {
        // The address counts for anonymous accounts alone; theirs is that of the session that was begun last.
        let row: Option<(String, String, Option<String>)> = sql::query_as(
            "SELECT u.role, u.plan, CASE WHEN u.role = 'anonymous' THEN (SELECT s.address FROM sessions s \
             WHERE s.user_id = u.id ORDER BY s.create_time DESC, s.id DESC LIMIT 1) END FROM users u WHERE u.id = $1",
        )
        .bind(user_id)
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        let Some((role, plan, address)) = row else {
            return Ok(None);
        };
        let unknown = || Error::store(format!("an account has the unknown role {role:?}"));
        Ok(Some(Holder {
            id: user_id.to_owned(),
            role: Role::of(&role).ok_or_else(unknown)?,
            plan,
            address: address.unwrap_or_default(),
        }))
    }

    async fn set_plan(&self, change: &PlanChange<'_>) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        if change.by_admin {
            // Asked here and not of the token: one who was an admin a minute ago gives no plans.
            let acts = rows::user(&mut writer, change.actor).await?;
            if acts.is_none_or(|acts| acts.role != Role::Admin) {
                return Err(Error::NoLongerAdmin);
            }
        }
        let user = rows::user(&mut writer, change.user_id)
            .await?
            .ok_or(Error::UserUnknown)?;
        if user.role == Role::Anonymous {
            return Err(Error::AnonymousAccount);
        }
        if user.plan == change.plan {
            return Ok(());
        }
        sql::query("UPDATE users SET plan = $2, update_time = $3 WHERE id = $1")
            .bind(&user.id)
            .bind(change.plan)
            .bind(change.now)
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
        let act = Act::new("plan.set", change.actor, &user.id)
            .with("from", user.plan)
            .with("to", change.plan);
        audit::record(&mut writer, act, change.now).await?;
        writer.commit().await.map_err(failed)
    }

    async fn currency(&self) -> Result<Option<String>, Error> {
        let row: Option<(String,)> = sql::query_as("SELECT code FROM credit_currency")
            .fetch_optional(self.database.read())
            .await
            .map_err(failed)?;
        Ok(row.map(|(code,)| code))
    }

    async fn set_currency(&self, code: &str) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        sql::query(
            "INSERT INTO credit_currency (one, code) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET code = excluded.code",
        )
        .bind(code)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }

    async fn used_request(
        &self,
        actor: &str,
        request_id: &str,
    ) -> Result<Option<UsedRequest>, Error> {
        let row: Option<(String, String)> = sql::query_as(
            "SELECT kind, subject FROM credit_requests WHERE actor = $1 AND request_id = $2",
        )
        .bind(actor)
        .bind(request_id)
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        Ok(row.map(|(kind, subject)| UsedRequest { kind, subject }))
    }
}

/// Keeps what admins give in the audit log, and under which request id, in the transaction that gives it.
pub(crate) struct AuditedGrants;

#[async_trait]
impl Beside for AuditedGrants {
    async fn granted(&self, writer: &mut Writer, grant: &Grant) -> Result<(), sqlx::Error> {
        let given = &grant.given;
        // What a plan or a sign-up gives is nobody's act.
        let Some(occasion) = Occasion::of_key(&given.key) else {
            return Ok(());
        };
        let (kind, subject) = match occasion.generation {
            None => ("admin", given.holder.as_str()),
            Some(generation) => ("refund", generation),
        };
        sql::query(
            "INSERT INTO credit_requests (actor, request_id, kind, subject, create_time) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(occasion.actor)
        .bind(occasion.request_id)
        .bind(kind)
        .bind(subject)
        .bind(grant.create_time)
        .execute(&mut *writer)
        .await?;
        let action = match given.origin {
            Origin::Refund => "credits.refunded",
            Origin::Admin | Origin::Plan | Origin::SignUp => "credits.granted",
        };
        // Not the note: it may say who somebody is, and the log outlives the account.
        let mut act = Act::new(action, occasion.actor, &given.holder)
            .with("grant", &*grant.id)
            .with("amount_micros", given.amount.to_string())
            .with("request_id", occasion.request_id);
        if let Some(generation) = occasion.generation {
            act = act.with("generation", generation);
        }
        if let Some(expires) = given.expire_time {
            act = act.with("expire_time", atelier_privacy::time(expires));
        }
        audit::insert(writer, act, grant.create_time).await
    }
}

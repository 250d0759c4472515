//! What this service itself keeps of an account, as it is told to whoever takes it along; secrets and their hashes are not.

use std::sync::Arc;

use async_trait::async_trait;
use atelier_kit::fault::Fault;
use atelier_privacy::{Erased, Keepsakes, Parcel, time};
use serde_json::{Map, json};

use crate::accounts::Accounts;
use crate::error::Error;
use crate::ports::Cursor;
use crate::users::User;
use atelier_kit::money;

/// How many rows are read at once.
const PAGE: i64 = 200;
const ENTRIES: u32 = 200;

/// The account of a caller whose session lives.
pub(crate) struct OwnPart {
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) user: User,
}

#[async_trait]
impl Keepsakes for OwnPart {
    async fn export(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault> {
        self.account(parcel).await?;
        self.sessions(account, parcel).await?;
        self.api_keys(account, parcel).await?;
        self.identities(account, parcel).await?;
        self.credits(parcel).await?;
        self.entries(account, parcel).await?;
        self.acts(account, parcel).await
    }

    /// Nothing: what is kept here goes with the account, in the transaction that deletes it.
    async fn erase(&self, _: &str) -> Result<Erased, Fault> {
        Ok(Erased::default())
    }
}

impl OwnPart {
    async fn account(&self, parcel: &mut Parcel) -> Result<(), Fault> {
        let user = &self.user;
        let told = json!({
            "id": user.id,
            "email": user.email,
            "email_verified": user.email_verified,
            "display_name": user.display_name,
            "bio": user.bio,
            "preferences": user.preferences,
            "role": user.role.name(),
            "plan": user.plan,
            "second_factor": user.second_factor,
            "create_time": time(user.create_time),
            "update_time": time(user.update_time),
        });
        parcel.json("account.json", &told).await
    }

    async fn sessions(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault> {
        let accounts = &self.accounts;
        let mut list = parcel
            .list("sessions.json", &Map::new(), "sessions")
            .await?;
        let mut after: Option<Cursor> = None;
        loop {
            let now = accounts.clock.now();
            let page = accounts.sessions.list(account, now, after.clone(), PAGE);
            let page = page.await?;
            let Some(last) = page.last() else { break };
            after = Some((last.create_time, last.id.clone()));
            for session in &page {
                let told = json!({
                    "id": session.id,
                    "user_agent": session.user_agent,
                    "address": session.address,
                    "create_time": time(session.create_time),
                    "last_use_time": time(session.last_use_time),
                    "expire_time": time(session.expire_time),
                });
                list.element(&told).await?;
            }
        }
        list.end().await
    }

    async fn api_keys(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault> {
        let mut list = parcel
            .list("api_keys.json", &Map::new(), "api_keys")
            .await?;
        let mut after: Option<Cursor> = None;
        loop {
            let page = self.accounts.api_keys.list(account, after.clone(), PAGE);
            let page = page.await?;
            let Some(last) = page.last() else { break };
            after = Some((last.create_time, last.id.clone()));
            for key in &page {
                let told = json!({
                    "id": key.id,
                    "display_name": key.display_name,
                    "prefix": key.prefix,
                    "scopes": crate::api_keys::names(&key.scopes),
                    "create_time": time(key.create_time),
                    "expire_time": key.expire_time.map(time),
                    "last_use_time": key.last_use_time.map(time),
                });
                list.element(&told).await?;
            }
        }
        list.end().await
    }

    /// At most one of each provider, so all at once.
    async fn identities(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault> {
        let mut list = parcel
            .list("identities.json", &Map::new(), "identities")
            .await?;
        for identity in self.accounts.identities.list(account).await? {
            let told = json!({
                "id": identity.id,
                "issuer": identity.issuer,
                "email": identity.email,
                "create_time": time(identity.create_time),
                "last_use_time": time(identity.last_use_time),
            });
            list.element(&told).await?;
        }
        list.end().await
    }

    /// What may be spent, and the credits that something is left of.
    async fn credits(&self, parcel: &mut Parcel) -> Result<(), Fault> {
        let credits = &self.accounts.credits;
        let balance = credits.balance(&self.user).await?;
        let grants = balance.grants.into_iter().map(|grant| {
            json!({
                "id": grant.id,
                "origin": grant.given.origin.name(),
                "amount": money::exact(grant.given.amount),
                "available": money::exact(grant.available),
                "priority": grant.given.priority,
                "note": grant.given.note,
                "create_time": time(grant.create_time),
                "expire_time": grant.given.expire_time.map(time),
            })
        });
        let told = json!({
            "currency": credits.in_force().plans.currency,
            "available": money::exact(balance.available),
            "reserved": money::exact(balance.reserved),
            "grants": grants.collect::<Vec<_>>(),
        });
        parcel.json("credits.json", &told).await
    }

    /// What happened to the account's credits, the newest first.
    async fn entries(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault> {
        parcel.lines("ledger.jsonl").await?;
        let mut before = None;
        loop {
            let page = self.accounts.credits.entries(account, before, ENTRIES);
            let page = page.await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            before = Some(last.number);
            for entry in &page {
                let told = json!({
                    "number": entry.number,
                    "kind": entry.kind.name(),
                    "amount": money::exact(entry.amount),
                    "balance": money::exact(entry.balance),
                    "grant_id": entry.grant,
                    "generation_id": entry.generation,
                    "medium": entry.medium.map(atelier_ledger::Medium::name),
                    "model": entry.model,
                    "time": time(entry.time),
                });
                parcel.line(&told).await?;
            }
        }
    }

    /// The acts about the account, the newest first.
    async fn acts(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault> {
        parcel.lines("audit.jsonl").await?;
        let mut before: Option<String> = None;
        loop {
            let page = self.accounts.audit.list(account, before.clone(), PAGE);
            let page = page.await.map_err(|error: Error| Fault::from(error))?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            before = Some(last.id.clone());
            for act in &page {
                let told = json!({
                    "id": act.id,
                    "time": time(act.time),
                    "action": act.action,
                    "actor": act.actor,
                    "details": act.details,
                });
                parcel.line(&told).await?;
            }
        }
    }
}

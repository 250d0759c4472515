//! Identities in rows: linked by whoever holds the transaction that signs in, listed and unlinked by their accounts.

use async_trait::async_trait;
use atelier_kit::moment::{Micros, new_id};
use atelier_kit::sql::{self, Database, Writer, is_unique_violation};

use super::{audit, failed, rows};
use crate::audit::Act;
use crate::error::Error;
use crate::identities::{Identity, Person};
use crate::ports::IdentityStore;

/// The identities of one database.
pub(crate) struct SqlIdentityStore {
    database: Database,
}

impl SqlIdentityStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[derive(sqlx::FromRow)]
struct IdentityRow {
    id: String,
    issuer: String,
    email: String,
    create_time: Micros,
    last_use_time: Micros,
}

impl From<IdentityRow> for Identity {
    fn from(row: IdentityRow) -> Self {
        Self {
            id: row.id,
            issuer: row.issuer,
            email: row.email,
            create_time: row.create_time,
            last_use_time: row.last_use_time,
        }
    }
}

/// Links a person who is linked to nobody. [`Error::ProviderLinked`] when the account has another of his provider.
pub(super) async fn link(
    writer: &mut Writer,
    user_id: &str,
    person: &Person,
    now: Micros,
) -> Result<Identity, Error> {
    let identity = Identity {
        id: new_id(),
        issuer: person.issuer.clone(),
        email: person.email.clone().unwrap_or_default(),
        create_time: now,
        last_use_time: now,
    };
    sql::query(
        "INSERT INTO identities (id, user_id, issuer, subject, email, create_time, last_use_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(&identity.id)
    .bind(user_id)
    .bind(&identity.issuer)
    .bind(&person.subject)
    .bind(&identity.email)
    .bind(now)
    .execute(&mut *writer)
    .await
    .map_err(|error| {
        if is_unique_violation(&error) {
            Error::ProviderLinked
        } else {
            failed(error)
        }
    })?;
    let act = Act::new("identity.linked", user_id, user_id)
        .with("identity_id", &identity.id)
        .with("issuer", &identity.issuer);
    audit::record(writer, act, now).await?;
    Ok(identity)
}

/// Keeps that a person who is linked signed in, and what his provider told of his e-mail.
pub(super) async fn touch(
    writer: &mut Writer,
    person: &Person,
    now: Micros,
) -> Result<Identity, Error> {
    let row: IdentityRow = sql::query_as(
        "UPDATE identities SET email = $3, last_use_time = $4 WHERE issuer = $1 AND subject = $2 \
         RETURNING id, issuer, email, create_time, last_use_time",
    )
    .bind(&person.issuer)
    .bind(&person.subject)
    .bind(person.email.as_deref().unwrap_or_default())
    .bind(now)
    .fetch_one(writer)
    .await
    .map_err(failed)?;
    Ok(row.into())
}

/// Unlinks all of an account: who linked them is not who has shown to be its owner.
pub(super) async fn unlink_all(
    writer: &mut Writer,
    user_id: &str,
    now: Micros,
) -> Result<(), Error> {
    let rows: Vec<(String, String)> =
        sql::query_as("DELETE FROM identities WHERE user_id = $1 RETURNING id, issuer")
            .bind(user_id)
            .fetch_all(&mut *writer)
            .await
            .map_err(failed)?;
    for (id, issuer) in rows {
        let act = Act::new("identity.unlinked", user_id, user_id)
            .with("identity_id", id)
            .with("issuer", issuer);
        audit::record(writer, act, now).await?;
    }
    Ok(())
}

#[async_trait]
impl IdentityStore for SqlIdentityStore {
    async fn list(&self, user_id: &str) -> Result<Vec<Identity>, Error> {
        let rows: Vec<IdentityRow> = sql::query_as(
            "SELECT id, issuer, email, create_time, last_use_time FROM identities WHERE user_id = $1 \
             ORDER BY create_time DESC, id DESC",
        )
        .bind(user_id)
        .fetch_all(self.database.read())
        .await
        .map_err(failed)?;
        Ok(rows.into_iter().map(Identity::from).collect())
    }

    async fn unlink(
        &self,
        user_id: &str,
        identity_id: &str,
        keep_session: &str,
        now: Micros,
    ) -> Result<u32, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let issuer: Option<(String,)> =
            sql::query_as("DELETE FROM identities WHERE id = $1 AND user_id = $2 RETURNING issuer")
                .bind(identity_id)
                .bind(user_id)
                .fetch_optional(&mut *writer)
                .await
                .map_err(failed)?;
        let (issuer,) = issuer.ok_or(Error::IdentityUnknown)?;
        let left: Option<(i32,)> = sql::query_as(
            "SELECT 1 FROM users u WHERE u.id = $1 AND (u.password_hash <> $2 \
             OR EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id))",
        )
        .bind(user_id)
        .bind(rows::NO_PASSWORD)
        .fetch_optional(&mut *writer)
        .await
        .map_err(failed)?;
        if left.is_none() {
            return Err(Error::LastSignIn);
        }
        let revoked = rows::revoke_sessions(&mut writer, user_id, keep_session, true, now).await?;
        let act = Act::new("identity.unlinked", user_id, user_id)
            .with("identity_id", identity_id)
            .with("issuer", issuer)
            .with("revoked_sessions", revoked.to_string());
        audit::record(&mut writer, act, now).await?;
        writer.commit().await.map_err(failed)?;
        Ok(u32::try_from(revoked).unwrap_or(u32::MAX))
    }
}

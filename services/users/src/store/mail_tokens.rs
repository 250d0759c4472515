//! The tokens that mails carried, in rows: each is spent in the transaction that does what it is for.

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Database, Writer, is_unique_violation};

use super::{api_keys, audit, failed, identities, mails, rows, second_factor};
use crate::audit::Act;
use crate::emails::{Confirmed, Purpose, Reset, Wanted};
use crate::error::Error;
use crate::ports::MailTokenStore;
use crate::tokens::TokenHash;

/// The mail tokens of one database.
pub(crate) struct SqlMailTokenStore {
    database: Database,
}

impl SqlMailTokenStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

/// What a token is good for.
#[derive(sqlx::FromRow)]
struct TokenRow {
    user_id: String,
    purpose: String,
    email: String,
}

/// Spends a token; what it was good for. It is unspent again when the transaction is dropped.
async fn spend(writer: &mut Writer, token: &TokenHash, now: Micros) -> Result<TokenRow, Error> {
    let row: Option<TokenRow> = sql::query_as(
        "DELETE FROM mail_tokens WHERE token_hash = $1 AND expire_time > $2 RETURNING user_id, purpose, email",
    )
    .bind(&token.0[..])
    .bind(now)
    .fetch_optional(writer)
    .await
    .map_err(failed)?;
    row.ok_or(Error::MailTokenInvalid)
}

#[async_trait]
impl MailTokenStore for SqlMailTokenStore {
    async fn resets(&self, token: &TokenHash, now: Micros) -> Result<bool, Error> {
        let row: Option<(i32,)> = sql::query_as(
            "SELECT 1 FROM mail_tokens WHERE token_hash = $1 AND expire_time > $2 AND purpose = 'reset'",
        )
        .bind(&token.0[..])
        .bind(now)
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        Ok(row.is_some())
    }

    async fn reset_password(
        &self,
        token: &TokenHash,
        replacement: &str,
        now: Micros,
    ) -> Result<Reset, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let spent = spend(&mut writer, token, now).await?;
        if spent.purpose != Purpose::Reset.name() {
            return Err(Error::MailTokenInvalid);
        }
        let before = rows::user(&mut writer, &spent.user_id).await?;
        // Sent to an e-mail that has since been changed, it proves nothing of the one that is there now.
        let done = sql::query(
            "UPDATE users SET password_hash = $3, email_verify_time = COALESCE(email_verify_time, $4), \
             update_time = $4 WHERE id = $1 AND email = $2",
        )
        .bind(&spent.user_id)
        .bind(&spent.email)
        .bind(replacement)
        .bind(now)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        if done.rows_affected() == 0 {
            return Err(Error::MailTokenInvalid);
        }
        if before.is_some_and(|user| !user.email_verified) {
            // Until now nobody had shown that the e-mail is his: whoever set these up may be somebody else.
            identities::unlink_all(&mut writer, &spent.user_id, now).await?;
            api_keys::revoke_all(&mut writer, &spent.user_id, now).await?;
            second_factor::drop_of(&mut writer, &spent.user_id, now).await?;
        }
        mails::end_tokens(&mut writer, &spent.user_id, now).await?;
        let revoked_sessions = rows::revoke_all_sessions(&mut writer, &spent.user_id, now).await?;
        let act = Act::new("password.reset", &spent.user_id, &spent.user_id)
            .with("revoked_sessions", revoked_sessions.to_string());
        audit::record(&mut writer, act, now).await?;
        writer.commit().await.map_err(failed)?;
        Ok(Reset {
            user_id: spent.user_id,
            email: spent.email,
            revoked_sessions,
        })
    }

    async fn confirm(&self, token: &TokenHash, now: Micros) -> Result<Confirmed, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let spent = spend(&mut writer, token, now).await?;
        match Purpose::of(&spent.purpose) {
            Some(Purpose::Verify) => verify(&mut writer, &spent, now).await?,
            Some(Purpose::Change) => change(&mut writer, &spent, now).await?,
            _ => return Err(Error::MailTokenInvalid),
        }
        writer.commit().await.map_err(failed)?;
        Ok(Confirmed {
            user_id: spent.user_id,
            email: spent.email,
        })
    }
}

/// The account's e-mail is read, as long as it is the one that the token was sent to.
async fn verify(writer: &mut Writer, spent: &TokenRow, now: Micros) -> Result<(), Error> {
    let done = sql::query(
        "UPDATE users SET email_verify_time = $3, update_time = $3 \
         WHERE id = $1 AND email = $2 AND email_verify_time IS NULL",
    )
    .bind(&spent.user_id)
    .bind(&spent.email)
    .bind(now)
    .execute(&mut *writer)
    .await
    .map_err(failed)?;
    if done.rows_affected() == 0 {
        let user = rows::user(writer, &spent.user_id).await?;
        // Verified by a reset meanwhile, it is what the caller asks for.
        return match user.and_then(|user| user.email) {
            Some(email) if email == spent.email => Ok(()),
            _ => Err(Error::MailTokenInvalid),
        };
    }
    // Which one it is stands in the account, and goes with it.
    let act = Act::new("email.verified", &spent.user_id, &spent.user_id);
    audit::record(writer, act, now).await
}

/// The account has the e-mail that the token was sent to, and its former one is told.
async fn change(writer: &mut Writer, spent: &TokenRow, now: Micros) -> Result<(), Error> {
    let user = rows::user(writer, &spent.user_id).await?;
    let former = user
        .and_then(|user| user.email)
        .ok_or(Error::MailTokenInvalid)?;
    if former == spent.email {
        return verify(writer, spent, now).await;
    }
    sql::query(
        "UPDATE users SET email = $2, email_verify_time = $3, update_time = $3 WHERE id = $1",
    )
    .bind(&spent.user_id)
    .bind(&spent.email)
    .bind(now)
    .execute(&mut *writer)
    .await
    .map_err(|error| {
        if is_unique_violation(&error) {
            Error::EmailTaken
        } else {
            failed(error)
        }
    })?;
    // What was sent to the former e-mail is good for nothing any more.
    sql::query("DELETE FROM mail_tokens WHERE user_id = $1")
        .bind(&spent.user_id)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
    let wanted = Wanted {
        purpose: Purpose::Changed,
        recipient: &former,
        user_id: Some(&spent.user_id),
    };
    mails::add(writer, &wanted, now).await?;
    let act = Act::new("email.changed", &spent.user_id, &spent.user_id);
    audit::record(writer, act, now).await
}

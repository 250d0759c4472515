//! Sign-ins with somebody else that are under way, in rows: each is completed in the transaction that does what it is for.

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use atelier_kit::sql::{self, Database, Transaction, Writer};

use super::{audit, failed, identities, mails, rows};
use crate::audit::Act;
use crate::error::Error;
use crate::identities::{Holder, Identity, Known, Person, Standing};
use crate::ports::{HeldSignIn, SignInStore};
use crate::sessions::Opening;
use crate::sign_in::{NewSignIn, Purpose, SignIn};
use crate::tokens::TokenHash;
use crate::users::User;

/// How many there may be at once.
const ROOM: i64 = 50_000;
/// How many rows one sweep deletes.
const SWEEP_ROWS: i64 = 1_000;

/// The sign-ins of one database.
pub(crate) struct SqlSignInStore {
    database: Database,
}

impl SqlSignInStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[derive(sqlx::FromRow)]
struct SignInRow {
    state_hash: Vec<u8>,
    purpose: String,
    user_id: Option<String>,
    issuer: String,
    redirect_uri: String,
    secrets: Vec<u8>,
    person: Option<Vec<u8>>,
}

impl TryFrom<SignInRow> for SignIn {
    type Error = Error;

    fn try_from(row: SignInRow) -> Result<Self, Error> {
        let state = row.state_hash.try_into().map(TokenHash);
        Ok(Self {
            state: state.map_err(|_| Error::store("the hash of a state has another length"))?,
            purpose: Purpose::of(&row.purpose).ok_or_else(|| {
                Error::store(format!(
                    "a sign-in has the unknown purpose {:?}",
                    row.purpose
                ))
            })?,
            user_id: row.user_id,
            issuer: row.issuer,
            redirect_uri: row.redirect_uri,
            secrets: row.secrets,
            person: row.person,
        })
    }
}

#[derive(sqlx::FromRow)]
struct HolderRow {
    id: String,
    password_hash: String,
    email_verified: bool,
    second_factor: bool,
    linked: bool,
}

/// How a person stands, as the connection sees it.
async fn standing(connection: &mut Writer, person: &Person) -> Result<Standing, Error> {
    let known: Option<(String, bool)> = sql::query_as(
        "SELECT u.id, u.second_factor_time IS NOT NULL FROM identities i JOIN users u ON u.id = i.user_id \
         WHERE i.issuer = $1 AND i.subject = $2",
    )
    .bind(&person.issuer)
    .bind(&person.subject)
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed)?;
    let holder: Option<HolderRow> = sql::query_as(
        "SELECT u.id, u.password_hash, u.email_verify_time IS NOT NULL AS email_verified, \
         u.second_factor_time IS NOT NULL AS second_factor, \
         EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id AND i.issuer = $2) AS linked \
         FROM users u WHERE u.email = $1",
    )
    .bind(&person.email)
    .bind(&person.issuer)
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    Ok(Standing {
        known: known.map(|(user_id, second_factor)| Known {
            user_id,
            second_factor,
        }),
        holder: holder.map(|row| Holder {
            user_id: row.id,
            password_hash: rows::password(row.password_hash),
            email_verified: row.email_verified,
            second_factor: row.second_factor,
            linked: row.linked,
        }),
    })
}

#[async_trait]
impl SignInStore for SqlSignInStore {
    async fn begin(&self, sign_in: &NewSignIn) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let (all,): (i64,) =
            sql::query_as("SELECT COUNT(*) FROM (SELECT 1 FROM sign_ins LIMIT $1) s")
                .bind(ROOM)
                .fetch_one(&mut *writer)
                .await
                .map_err(failed)?;
        if all >= ROOM {
            return Err(Error::Busy);
        }
        sql::query(
            "INSERT INTO sign_ins (token_hash, state_hash, purpose, user_id, issuer, redirect_uri, secrets, expire_time) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&sign_in.token.0[..])
        .bind(&sign_in.state.0[..])
        .bind(sign_in.purpose.name())
        .bind(&sign_in.user_id)
        .bind(&sign_in.issuer)
        .bind(&sign_in.redirect_uri)
        .bind(&sign_in.secrets)
        .bind(sign_in.expire_time)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }

    async fn find(&self, token: &TokenHash, now: Micros) -> Result<Option<SignIn>, Error> {
        let row: Option<SignInRow> = sql::query_as(
            "SELECT state_hash, purpose, user_id, issuer, redirect_uri, secrets, person FROM sign_ins \
             WHERE token_hash = $1 AND expire_time > $2",
        )
        .bind(&token.0[..])
        .bind(now)
        .fetch_optional(self.database.read())
        .await
        .map_err(failed)?;
        row.map(SignIn::try_from).transpose()
    }

    async fn exchange(&self, token: &TokenHash, now: Micros) -> Result<bool, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let done = sql::query(
            "UPDATE sign_ins SET exchange_time = $2 \
             WHERE token_hash = $1 AND exchange_time IS NULL AND expire_time > $2",
        )
        .bind(&token.0[..])
        .bind(now)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    async fn answered(&self, token: &TokenHash, person: &[u8]) -> Result<(), Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        sql::query("UPDATE sign_ins SET person = $2 WHERE token_hash = $1")
            .bind(&token.0[..])
            .bind(person)
            .execute(&mut *writer)
            .await
            .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }

    async fn standing(&self, person: &Person) -> Result<Standing, Error> {
        let mut reader = self.database.read().acquire().await.map_err(failed)?;
        standing(&mut reader, person).await
    }

    async fn hold(
        &self,
        token: &TokenHash,
        person: Person,
        now: Micros,
    ) -> Result<Option<Box<dyn HeldSignIn>>, Error> {
        let mut writer = self.database.begin().await.map_err(failed)?;
        let there: Option<(i32,)> = sql::query_as(
            "SELECT 1 FROM sign_ins WHERE token_hash = $1 AND expire_time > $2 AND person IS NOT NULL",
        )
        .bind(&token.0[..])
        .bind(now)
        .fetch_optional(&mut *writer)
        .await
        .map_err(failed)?;
        if there.is_none() {
            return Ok(None);
        }
        let standing = standing(&mut writer, &person).await?;
        Ok(Some(Box::new(HeldRow {
            writer,
            token: *token,
            person,
            standing,
        })))
    }

    async fn sweep(&self, now: Micros) -> Result<(), Error> {
        let (due,): (bool,) =
            sql::query_as("SELECT EXISTS (SELECT 1 FROM sign_ins WHERE expire_time <= $1)")
                .bind(now)
                .fetch_one(self.database.read())
                .await
                .map_err(failed)?;
        if !due {
            return Ok(());
        }
        let mut writer = self.database.begin().await.map_err(failed)?;
        sql::query(
            "DELETE FROM sign_ins WHERE token_hash IN \
             (SELECT token_hash FROM sign_ins WHERE expire_time <= $1 ORDER BY expire_time LIMIT $2)",
        )
        .bind(now)
        .bind(SWEEP_ROWS)
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
        writer.commit().await.map_err(failed)
    }
}

/// A sign-in, held by the one writing transaction.
struct HeldRow {
    writer: Transaction,
    token: TokenHash,
    person: Person,
    standing: Standing,
}

impl HeldRow {
    /// Ends the sign-in with what was done.
    async fn complete(mut self: Box<Self>) -> Result<(), Error> {
        sql::query("DELETE FROM sign_ins WHERE token_hash = $1")
            .bind(&self.token.0[..])
            .execute(&mut *self.writer)
            .await
            .map_err(failed)?;
        self.writer.commit().await.map_err(failed)
    }

    async fn user(&mut self, user_id: &str) -> Result<User, Error> {
        rows::user(&mut self.writer, user_id)
            .await?
            .ok_or(Error::SignInInvalid)
    }
}

/// Adds an account without a password.
async fn insert(writer: &mut Writer, user: &User, verified: Option<Micros>) -> Result<(), Error> {
    sql::query(
        "INSERT INTO users (id, email, password_hash, display_name, role, create_time, update_time, email_verify_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&user.id)
    .bind(&user.email)
    .bind(rows::NO_PASSWORD)
    .bind(&user.display_name)
    .bind(user.role.name())
    .bind(user.create_time)
    .bind(user.update_time)
    .bind(verified)
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Registers an anonymous account without a password, and ends its sessions.
async fn register(writer: &mut Writer, user: &User, verified: Option<Micros>) -> Result<(), Error> {
    let done = sql::query(
        "UPDATE users SET email = $2, password_hash = $3, display_name = $4, role = $5, update_time = $6, \
         email_verify_time = $7 WHERE id = $1 AND role = 'anonymous'",
    )
    .bind(&user.id)
    .bind(&user.email)
    .bind(rows::NO_PASSWORD)
    .bind(&user.display_name)
    .bind(user.role.name())
    .bind(user.update_time)
    .bind(verified)
    .execute(&mut *writer)
    .await
    .map_err(failed)?;
    if done.rows_affected() == 0 {
        return Err(Error::SignInInvalid);
    }
    rows::revoke_all_sessions(writer, &user.id, user.update_time).await?;
    Ok(())
}

#[async_trait]
impl HeldSignIn for HeldRow {
    fn standing(&self) -> &Standing {
        &self.standing
    }

    async fn enter(
        mut self: Box<Self>,
        user_id: &str,
        link: bool,
        opening: &Opening,
    ) -> Result<User, Error> {
        if link {
            identities::link(&mut self.writer, user_id, &self.person, opening.now).await?;
        } else {
            identities::touch(&mut self.writer, &self.person, opening.now).await?;
        }
        let user = self.user(user_id).await?;
        rows::insert_session(&mut self.writer, user_id, opening).await?;
        self.complete().await?;
        Ok(user)
    }

    async fn create(
        mut self: Box<Self>,
        user: &User,
        anonymous: bool,
        opening: &Opening,
    ) -> Result<User, Error> {
        let now = opening.now;
        let verified = user.email_verified.then_some(now);
        if anonymous {
            register(&mut self.writer, user, verified).await?;
        } else {
            insert(&mut self.writer, user, verified).await?;
        }
        let act =
            Act::new("account.created", &user.id, &user.id).with("issuer", &self.person.issuer);
        audit::record(&mut self.writer, act, now).await?;
        identities::link(&mut self.writer, &user.id, &self.person, now).await?;
        if let Some(email) = user.email.as_ref().filter(|_| !user.email_verified) {
            mails::welcome(&mut self.writer, &user.id, email, now).await?;
        }
        let user = self.user(&user.id).await?;
        rows::insert_session(&mut self.writer, &user.id, opening).await?;
        self.complete().await?;
        Ok(user)
    }

    async fn link(mut self: Box<Self>, user_id: &str, now: Micros) -> Result<Identity, Error> {
        let identity = match &self.standing.known {
            Some(known) if known.user_id != user_id => return Err(Error::IdentityTaken),
            Some(_) => identities::touch(&mut self.writer, &self.person, now).await?,
            None => identities::link(&mut self.writer, user_id, &self.person, now).await?,
        };
        self.complete().await?;
        Ok(identity)
    }
}

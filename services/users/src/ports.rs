//! What the rules need from outside, in their own words; no driver and no wire is named here.

mod api_keys;
mod attempts;
mod credits;
mod leaving;
mod mails;
mod second_factor;
mod sign_in;

use async_trait::async_trait;
use atelier_kit::identity::Role;
use atelier_kit::moment::Micros;
use secrecy::SecretString;

use crate::audit::{Act, AuditEvent};
use crate::error::Error;
use crate::revocations::Revocation;
use crate::sessions::{FamilyState, Opening, Rotation, Session};
use crate::tokens::TokenHash;
use crate::users::{PasswordChange, ProfileChange, User};

pub(crate) use api_keys::ApiKeyStore;
pub(crate) use attempts::AttemptStore;
pub(crate) use credits::{Holder, HolderStore, Maker, PlanChange, Standing, UsedRequest};
pub(crate) use leaving::{DeletionStore, Erasure, Peer, Pieces};
pub(crate) use mails::{Mail, MailError, MailStore, MailTokenStore, Mailer};
pub(crate) use second_factor::{Factor, FactorStore};
pub(crate) use sign_in::{HeldSignIn, IdentityStore, Provider, ProviderName, SignInStore};

/// Tells the time, so that tests can move it.
pub trait Clock: Send + Sync + 'static {
    /// Now, in microseconds since the Unix epoch.
    fn now(&self) -> Micros;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        atelier_kit::moment::now()
    }
}

/// Hashes and verifies passwords; slow on purpose, and never on the threads that serve calls.
#[async_trait]
pub trait Passwords: Send + Sync + 'static {
    /// What to keep of a password. A new salt each time.
    async fn hash(&self, password: SecretString) -> Result<String, Error>;

    /// Whether a password is the one that `kept` was made of. `None` (there is no such account) is always `false`
    /// and costs exactly what a wrong password costs.
    async fn verify(&self, password: SecretString, kept: Option<String>) -> Result<bool, Error>;

    /// Whether `kept` was made with less work than is asked for today, so that the password is to be hashed anew when it
    /// is next shown.
    fn needs_rehash(&self, kept: &str) -> bool;
}

/// The place in a listing after which the next page begins: time and id of the last row told.
pub(crate) type Cursor = (Micros, String);

/// What is kept of a registered account to sign in with.
pub(crate) struct Credentials {
    /// The account.
    pub(crate) user_id: String,
    /// What is kept of its password.
    pub(crate) password_hash: String,
    /// Whether a second factor is needed, and by the time that a session begins: whether one was shown.
    pub(crate) second_factor: bool,
}

/// The accounts.
#[async_trait]
pub(crate) trait UserStore: Send + Sync + 'static {
    /// Adds an account and its first session, both or neither. [`Error::EmailTaken`] when the e-mail has one.
    async fn insert(
        &self,
        user: &User,
        password_hash: Option<&str>,
        opening: &Opening,
    ) -> Result<(), Error>;

    /// Registers an anonymous account under an e-mail: its id stays, its sessions end, and a first one of its new kind
    /// begins. [`Error::EmailTaken`] when the e-mail has an account, [`Error::SessionEnded`] when it is anonymous no more.
    async fn register_anonymous(
        &self,
        user: &User,
        password_hash: &str,
        opening: &Opening,
    ) -> Result<(), Error>;

    /// What an account signs in with, by its e-mail; `None` also for one without a password.
    async fn credentials(&self, email: &str) -> Result<Option<Credentials>, Error>;

    /// What is kept of an account's password; `None` for an account without one, an anonymous or an unknown one.
    async fn password_hash(&self, user_id: &str) -> Result<Option<String>, Error>;

    /// Keeps the same password in another form; `false` when it has been changed since it was verified.
    async fn rehash(&self, verified: &Credentials, replacement: &str) -> Result<bool, Error>;

    /// Changes what an account says of itself.
    async fn update(
        &self,
        user_id: &str,
        change: &ProfileChange,
        now: Micros,
    ) -> Result<User, Error>;

    /// Replaces the password and ends the other sessions, both or neither; returns how many ended.
    /// [`Error::WrongPassword`] when the password has been changed since it was verified.
    async fn change_password(&self, change: &PasswordChange<'_>) -> Result<u32, Error>;

    /// At most `rows` registered accounts after a place, the newest first.
    async fn list(&self, after: Option<Cursor>, rows: i64) -> Result<Vec<User>, Error>;

    /// Gives a registered account another role, while `actor` is an admin and without losing the last admin.
    async fn set_role(
        &self,
        actor: &str,
        user_id: &str,
        role: Role,
        now: Micros,
    ) -> Result<User, Error>;

    /// Gives the account of an e-mail another role in the name of the owner of the machine, without losing the last
    /// admin; returns its id and the role it had, `None` when there is no such account.
    async fn grant(
        &self,
        email: &str,
        role: Role,
        now: Micros,
    ) -> Result<Option<(String, Role)>, Error>;
}

/// The audit log. Acts that change something are kept by the store that changes it, in the same transaction.
#[async_trait]
pub(crate) trait AuditStore: Send + Sync + 'static {
    /// At most `rows` acts before an id, the newest first; only those of one subject unless it is empty.
    async fn list(
        &self,
        subject: &str,
        before: Option<String>,
        rows: i64,
    ) -> Result<Vec<AuditEvent>, Error>;
}

/// The sessions.
#[async_trait]
pub(crate) trait SessionStore: Send + Sync + 'static {
    /// Adds a session of an account whose password is still the one that was verified, and returns the account.
    /// [`Error::InvalidCredentials`] when it has been changed meanwhile, [`Error::SecondFactorRequired`] when the account
    /// has a second factor that was not shown.
    async fn insert(&self, verified: &Credentials, opening: &Opening) -> Result<User, Error>;

    /// The account of a live session.
    async fn holder(
        &self,
        session_id: &str,
        user_id: &str,
        now: Micros,
    ) -> Result<Option<User>, Error>;

    /// When a session began.
    async fn began(&self, session_id: &str) -> Result<Option<Micros>, Error>;

    /// At most `rows` live sessions of an account after a place, the newest first.
    async fn list(
        &self,
        user_id: &str,
        now: Micros,
        after: Option<Cursor>,
        rows: i64,
    ) -> Result<Vec<Session>, Error>;

    /// Ends a live session of an account; `false` when there is none of that id.
    async fn revoke(&self, user_id: &str, session_id: &str, now: Micros) -> Result<bool, Error>;

    /// The family of a refresh token, held so that nobody else can change it until it is dropped.
    async fn family(&self, presented: &TokenHash) -> Result<Option<Box<dyn Family>>, Error>;

    /// Ends all live sessions of an account, but that one of them; returns how many.
    async fn revoke_all(
        &self,
        user_id: &str,
        keep: Option<&str>,
        now: Micros,
    ) -> Result<u32, Error>;

    /// What was revoked after a number and is not to be forgotten yet, in order.
    async fn revocations_after(&self, number: i64, now: Micros) -> Result<Vec<Revocation>, Error>;

    /// Erases pairs whose grace has passed, and tokens, sessions and revocations that have expired.
    async fn sweep(&self, now: Micros) -> Result<(), Error>;
}

/// A family of refresh tokens, held exclusively. Each ending also erases the family's pairs whose grace has passed;
/// dropped without an ending, nothing has changed.
#[async_trait]
pub(crate) trait Family: Send {
    /// How it stands.
    fn state(&self) -> &FamilyState;

    /// Spends the presented token and adds its successor.
    async fn rotate(self: Box<Self>, rotation: Rotation) -> Result<(), Error>;

    /// Ends the whole family, whose token came again when it should not have, and keeps that in the audit log.
    async fn revoke(self: Box<Self>, now: Micros) -> Result<(), Error>;

    /// Leaves it as it is.
    async fn release(self: Box<Self>, now: Micros) -> Result<(), Error>;
}

/// A signing key as it is kept.
#[derive(Clone)]
pub(crate) struct SealedKey {
    /// The thumbprint of the public key.
    pub(crate) kid: String,
    /// The private key, sealed.
    pub(crate) sealed: Vec<u8>,
    /// When it was made.
    pub(crate) create_time: Micros,
    /// From when it signs; `None` for the first one.
    pub(crate) sign_time: Option<Micros>,
}

/// The signing keys.
#[async_trait]
pub(crate) trait KeyStore: Send + Sync + 'static {
    /// All keys that are not erased, in the order in which they sign.
    async fn all(&self) -> Result<Vec<SealedKey>, Error>;

    /// Adds a key unless there is one, and returns all: of two that add at once, both get the same.
    async fn insert_first(&self, key: &SealedKey) -> Result<Vec<SealedKey>, Error>;

    /// Adds the key that signs next, and keeps what is done. [`Error::RotationUnderWay`] while another one waits to
    /// sign, [`Error::KeyUnusable`] when this one was here before.
    async fn insert_next(&self, key: &SealedKey, act: Act, now: Micros) -> Result<(), Error>;

    /// Erases the private halves of keys whose successor signs since before `sign_time`; how many there were.
    async fn erase(&self, sign_time: Micros) -> Result<u64, Error>;
}

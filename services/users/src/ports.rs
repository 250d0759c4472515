//! What the rules need from outside, in their own words; no driver and no wire is named here.

use async_trait::async_trait;
use atelier_kit::identity::Role;
use atelier_kit::moment::Micros;
use secrecy::SecretString;

use crate::error::Error;
use crate::sessions::{FamilyState, Opening, Rotation, Session};
use crate::tokens::TokenHash;
use crate::users::{PasswordChange, User};

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
}

/// The place in a listing after which the next page begins: time and id of the last row told.
pub(crate) type Cursor = (Micros, String);

/// What is kept of a registered account to sign in with.
pub(crate) struct Credentials {
    /// The account.
    pub(crate) user_id: String,
    /// What is kept of its password.
    pub(crate) password_hash: String,
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

    /// What an account signs in with, by its e-mail.
    async fn credentials(&self, email: &str) -> Result<Option<Credentials>, Error>;

    /// What is kept of an account's password; `None` for an anonymous or unknown one.
    async fn password_hash(&self, user_id: &str) -> Result<Option<String>, Error>;

    /// Gives an account another name.
    async fn rename(&self, user_id: &str, display_name: &str, now: Micros) -> Result<User, Error>;

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
}

/// The sessions.
#[async_trait]
pub(crate) trait SessionStore: Send + Sync + 'static {
    /// Adds a session of an account whose password is still the one that was verified, and returns the account.
    /// [`Error::InvalidCredentials`] when it has been changed meanwhile.
    async fn insert(&self, verified: &Credentials, opening: &Opening) -> Result<User, Error>;

    /// The account of a live session.
    async fn holder(
        &self,
        session_id: &str,
        user_id: &str,
        now: Micros,
    ) -> Result<Option<User>, Error>;

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

    /// Erases pairs whose grace has passed, and tokens and sessions that have expired.
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

    /// Ends the whole family.
    async fn revoke(self: Box<Self>, now: Micros) -> Result<(), Error>;

    /// Leaves it as it is.
    async fn release(self: Box<Self>, now: Micros) -> Result<(), Error>;
}

/// A signing key as it is kept.
pub(crate) struct SealedKey {
    /// The thumbprint of the public key.
    pub(crate) kid: String,
    /// The private key, sealed.
    pub(crate) sealed: Vec<u8>,
    /// When it was made.
    pub(crate) create_time: Micros,
}

/// The signing keys.
#[async_trait]
pub(crate) trait KeyStore: Send + Sync {
    /// The live keys, the newest first.
    async fn live(&self) -> Result<Vec<SealedKey>, Error>;

    /// Adds a key unless there is a live one, and returns the live keys: of two that add at once, both get the same.
    async fn insert_first(&self, key: &SealedKey) -> Result<Vec<SealedKey>, Error>;
}

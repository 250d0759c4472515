//! The rules of accounts: registering, names, passwords and roles; how they are kept is not known here.

use atelier_kit::identity::Role;
use atelier_kit::moment::{Micros, new_id};
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::error::Error;
use crate::ports::Cursor;
use crate::sessions::SignedIn;
use crate::tokens::Pair;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: String,
    /// In lower case; `None` for an anonymous account.
    pub(crate) email: Option<String>,
    pub(crate) display_name: String,
    pub(crate) role: Role,
    pub(crate) create_time: Micros,
    pub(crate) update_time: Micros,
}

/// A password to be replaced, and the session that outlives it.
pub(crate) struct PasswordChange<'a> {
    pub(crate) user_id: &'a str,
    /// What was kept of the password that the caller proved to know.
    pub(crate) verified: &'a str,
    /// What to keep from now on.
    pub(crate) replacement: &'a str,
    pub(crate) keep_session: &'a str,
    pub(crate) now: Micros,
}

impl Accounts {
    /// Makes an account and signs it in. `email` is normalised.
    pub(crate) async fn register(
        &self,
        email: String,
        password: SecretString,
        display_name: String,
        user_agent: &str,
    ) -> Result<(User, Pair), Error> {
        let password_hash = self.passwords.hash(password).await?;
        let user = self.new_user(Some(email), display_name, Role::User);
        let pair = self.admit(&user, Some(&password_hash), user_agent).await?;
        tracing::info!(user_id = user.id, "account registered");
        Ok((user, pair))
    }

    /// Makes an anonymous account and its session.
    pub(crate) async fn create_anonymous_session(
        &self,
        user_agent: &str,
    ) -> Result<(User, Pair), Error> {
        let user = self.new_user(None, String::new(), Role::Anonymous);
        let pair = self.admit(&user, None, user_agent).await?;
        Ok((user, pair))
    }

    fn new_user(&self, email: Option<String>, display_name: String, role: Role) -> User {
        let now = self.clock.now();
        User {
            id: new_id(),
            email,
            display_name,
            role,
            create_time: now,
            update_time: now,
        }
    }

    async fn admit(
        &self,
        user: &User,
        password_hash: Option<&str>,
        user_agent: &str,
    ) -> Result<Pair, Error> {
        let (opening, refresh) = self.open(user_agent)?;
        // Signed before anything is kept: a failure leaves no account behind.
        let pair = self
            .ring
            .mint(user, &opening.session_id, &refresh, opening.now)?;
        self.users.insert(user, password_hash, &opening).await?;
        Ok(pair)
    }

    /// Changes the caller's name.
    pub(crate) async fn update_me(
        &self,
        caller: &SignedIn,
        display_name: &str,
    ) -> Result<User, Error> {
        self.users
            .rename(&caller.user.id, display_name, self.clock.now())
            .await
    }

    /// Changes the caller's password and ends the account's other sessions; returns how many ended.
    pub(crate) async fn change_password(
        &self,
        caller: &SignedIn,
        current: SecretString,
        replacement: SecretString,
    ) -> Result<u32, Error> {
        let kept = self.users.password_hash(&caller.user.id).await?;
        if !self.passwords.verify(current, kept.clone()).await? {
            return Err(Error::WrongPassword);
        }
        let verified = kept.ok_or(Error::WrongPassword)?;
        let replacement = self.passwords.hash(replacement).await?;
        let change = PasswordChange {
            user_id: &caller.user.id,
            verified: &verified,
            replacement: &replacement,
            keep_session: &caller.session_id,
            now: self.clock.now(),
        };
        let revoked = self.users.change_password(&change).await?;
        tracing::info!(user_id = caller.user.id, revoked, "password changed");
        Ok(revoked)
    }

    /// At most `rows` registered accounts after a place, the newest first.
    pub(crate) async fn list_users(
        &self,
        caller: &SignedIn,
        after: Option<Cursor>,
        rows: i64,
    ) -> Result<Vec<User>, Error> {
        // The token may be older than the role: here the account itself is asked.
        if caller.user.role != Role::Admin {
            return Err(Error::NoLongerAdmin);
        }
        self.users.list(after, rows).await
    }

    /// Gives an account another role.
    pub(crate) async fn set_user_role(
        &self,
        caller: &SignedIn,
        user_id: &str,
        role: Role,
    ) -> Result<User, Error> {
        let user = self
            .users
            .set_role(&caller.user.id, user_id, role, self.clock.now())
            .await?;
        tracing::info!(
            actor = caller.user.id,
            user_id,
            role = role.name(),
            "role set"
        );
        Ok(user)
    }
}

//! The rules of accounts: registering, names, passwords and roles; how they are kept is not known here.

use std::collections::BTreeMap;

use atelier_kit::identity::Role;
use atelier_kit::moment::{Micros, new_id};
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::error::Error;
use crate::ports::Cursor;
use crate::sessions::{Client, SignedIn};
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
    /// Whether somebody has shown to read what is sent to the e-mail.
    pub(crate) email_verified: bool,
    pub(crate) bio: String,
    pub(crate) preferences: BTreeMap<String, String>,
    /// What it has subscribed to.
    pub(crate) plan: String,
    /// Whether signing in needs a second factor.
    pub(crate) second_factor: bool,
}

/// The plan of an account that has subscribed to nothing.
pub(crate) const FREE: &str = "free";

impl User {
    /// A new account.
    pub(crate) fn new(
        email: Option<String>,
        display_name: String,
        role: Role,
        now: Micros,
    ) -> Self {
        Self {
            id: new_id(),
            email,
            display_name,
            role,
            create_time: now,
            update_time: now,
            email_verified: false,
            bio: String::new(),
            preferences: BTreeMap::new(),
            plan: FREE.to_owned(),
            second_factor: false,
        }
    }
}

/// What an account says of itself from now on; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProfileChange {
    pub(crate) display_name: Option<String>,
    pub(crate) bio: Option<String>,
    pub(crate) preferences: Option<BTreeMap<String, String>>,
}

/// What somebody registers with.
pub(crate) struct Registration {
    /// Normalised.
    pub(crate) email: String,
    pub(crate) password: SecretString,
    pub(crate) display_name: String,
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
    /// Makes an account and signs it in; called by an anonymous account, makes that one a registered one. `email` is
    /// normalised.
    pub(crate) async fn register(
        &self,
        registration: Registration,
        anonymous: Option<&SignedIn>,
        client: &Client,
    ) -> Result<(User, Pair), Error> {
        let Registration {
            email,
            password,
            display_name,
        } = registration;
        let password_hash = self.passwords.hash(password).await?;
        let now = self.clock.now();
        let mut user = User::new(Some(email), display_name, Role::User, now);
        let pair = match anonymous {
            None => self.admit(&user, Some(&password_hash), client).await?,
            Some(before) => {
                user.id.clone_from(&before.user.id);
                user.create_time = before.user.create_time;
                let (opening, refresh) = self.open(client)?;
                let pair = self.mint(&user, &opening.session_id, &refresh, opening.now)?;
                self.users
                    .register_anonymous(&user, &password_hash, &opening)
                    .await?;
                pair
            }
        };
        self.bell.notify_one();
        // The account is made: that its network is not known yet is no reason to say that it is not.
        if let Err(error) = self
            .attempts
            .met(
                user.email.as_deref().unwrap_or_default(),
                client.network.as_ref(),
                now,
            )
            .await
        {
            tracing::warn!(error = %atelier_kit::fault::chain(&error), "the network could not be kept");
        }
        tracing::info!(user_id = user.id, "account registered");
        Ok((user, pair))
    }

    /// Makes an anonymous account and its session.
    pub(crate) async fn create_anonymous_session(
        &self,
        client: &Client,
    ) -> Result<(User, Pair), Error> {
        let user = User::new(None, String::new(), Role::Anonymous, self.clock.now());
        let pair = self.admit(&user, None, client).await?;
        Ok((user, pair))
    }

    async fn admit(
        &self,
        user: &User,
        password_hash: Option<&str>,
        client: &Client,
    ) -> Result<Pair, Error> {
        let (opening, refresh) = self.open(client)?;
        // Signed before anything is kept: a failure leaves no account behind.
        let pair = self.mint(user, &opening.session_id, &refresh, opening.now)?;
        self.users.insert(user, password_hash, &opening).await?;
        Ok(pair)
    }

    /// Changes what the caller's account says of itself.
    pub(crate) async fn update_me(
        &self,
        caller: &SignedIn,
        change: &ProfileChange,
    ) -> Result<User, Error> {
        self.users
            .update(&caller.user.id, change, self.clock.now())
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
        let verified = kept.ok_or(Error::NoPassword)?;
        if !self
            .passwords
            .verify(current, Some(verified.clone()))
            .await?
        {
            return Err(Error::WrongPassword);
        }
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
        caller.must_be_admin()?;
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

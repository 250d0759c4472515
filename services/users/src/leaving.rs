//! The rules of leaving: who may delete an account, what happens at once, and how far the erasure is in all services.
//! Erasing itself is each service's own; asking them is the eraser's.

use std::collections::BTreeMap;

use atelier_kit::fault::chain;
use atelier_kit::identity::Role;
use atelier_kit::moment::{Micros, new_id, span};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::error::Error;
use crate::sessions::{Client, SignedIn};
use crate::tokens::{Opaque, TokenHash};

/// This service's role: it has erased its part when the deletion begins.
pub(crate) const ROLE: &str = "users";
/// How young a session must be that deletes an account without a password, in microseconds.
const YOUNG: Micros = 10 * 60 * 1_000_000;
/// How many unused accounts are deleted at once, and of how many deleted ones the credits are taken.
const EXPIRED_AT_ONCE: i64 = 100;
/// How long a deletion that is done can be asked for, in microseconds.
pub(crate) const REMEMBERED: Micros = 90 * 24 * 3600 * 1_000_000;

/// What one service has erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    /// How many of what was erased.
    pub(crate) erased: BTreeMap<String, u64>,
    /// How many of what stays without the person.
    pub(crate) kept: BTreeMap<String, u64>,
    pub(crate) time: Micros,
}

/// The deletion of an account, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) user_id: String,
    pub(crate) create_time: Micros,
    pub(crate) done_time: Option<Micros>,
    /// What each service has erased, by its role.
    pub(crate) receipts: BTreeMap<String, Receipt>,
    /// The roles that have not answered yet.
    pub(crate) waiting: Vec<String>,
}

/// Why an account goes; it must still be so when it does.
pub(crate) enum Basis {
    /// Whoever it belongs to asked for it, and has shown enough.
    Shown(Shown),
    /// It is anonymous, and was not used since.
    Unused { before: Micros },
}

/// What the caller has shown of an account that is to be deleted, as it was when it was looked at.
pub(crate) struct Shown {
    pub(crate) is_anonymous: bool,
    /// What was kept of the password that was verified; `None` when there is none.
    pub(crate) password_hash: Option<String>,
    /// Whether a second factor was shown.
    pub(crate) second_factor: bool,
}

/// An account that is to be deleted.
pub(crate) struct Departure<'a> {
    pub(crate) id: String,
    pub(crate) token: TokenHash,
    pub(crate) user_id: &'a str,
    pub(crate) basis: Basis,
    /// The services that erase their parts later.
    pub(crate) services: &'a [&'static str],
    pub(crate) now: Micros,
}

impl Accounts {
    /// Deletes the caller's account. `code` is empty when none was sent. Returns how far it is, and what asks for it later.
    pub(crate) async fn delete_account(
        &self,
        caller: &SignedIn,
        password: SecretString,
        code: &str,
        client: &Client,
    ) -> Result<(Deletion, Opaque), Error> {
        let shown = if caller.user.role == Role::Anonymous {
            Shown {
                is_anonymous: true,
                password_hash: None,
                second_factor: false,
            }
        } else {
            self.show_all(caller, password, code, client).await?
        };
        let left = self.depart(&caller.user.id, Basis::Shown(shown)).await?;
        if let Some(email) = &caller.user.email
            && let Err(error) = self.mailer.forget(email).await
        {
            tracing::warn!(error = %chain(&error), "mails to a deleted account could not be erased");
        }
        self.write_back().await;
        Ok(left)
    }

    /// Deletes an account here, and has the others asked to.
    async fn depart(&self, user_id: &str, basis: Basis) -> Result<(Deletion, Opaque), Error> {
        let token = Opaque::new()?;
        let services: Vec<&'static str> = self.peers.iter().map(|peer| peer.role()).collect();
        let departure = Departure {
            id: new_id(),
            token: token.hash(),
            user_id,
            basis,
            services: &services,
            now: self.clock.now(),
        };
        let mut deletion = self.deletions.delete_account(&departure).await?;
        self.departures.send_modify(|count| *count += 1);
        tracing::info!(user_id, "account deleted");
        // The account is gone: that its credits are taken later is no reason to say that it is not.
        match self.close_account(&departure.id, user_id).await {
            Ok(()) => {
                if let Ok(Some(told)) = self.deletions.find(&departure.token).await {
                    deletion = told;
                }
            }
            Err(error) => {
                tracing::warn!(user_id, error = %chain(&error), "the credits of a deleted account are still to be taken");
            }
        }
        Ok((deletion, token))
    }

    /// Takes the credits of a deleted account, and keeps how many entries stay. A second time changes nothing.
    async fn close_account(&self, deletion_id: &str, user_id: &str) -> Result<(), Error> {
        let entries = self.credits.leave(user_id).await?;
        let now = self.clock.now();
        self.deletions.left(deletion_id, entries, now).await
    }

    /// Takes the credits of deleted accounts where that was not done at once.
    pub(crate) async fn close_departed(&self) -> Result<(), Error> {
        let mut closed = Ok(());
        for (deletion_id, user_id) in self.deletions.departed(EXPIRED_AT_ONCE).await? {
            // One that fails keeps no other from it.
            if let Err(error) = self.close_account(&deletion_id, &user_id).await {
                closed = Err(error);
            }
        }
        closed
    }

    /// What was deleted stands in no table any more; that it still stands in the log beside them is no reason to fail.
    async fn write_back(&self) {
        if let Err(error) = self.deletions.write_back().await {
            tracing::warn!(error = %chain(&error), "the log of the database could not be emptied");
        }
    }

    /// Deletes anonymous accounts that were not used for long, some at a time; nobody has the tokens of these deletions.
    pub(crate) async fn expire_anonymous(&self) -> Result<(), Error> {
        let before = self.clock.now() - span(self.anonymous_for);
        let unused = self.deletions.unused(before, EXPIRED_AT_ONCE).await?;
        for user_id in &unused {
            match self.depart(user_id, Basis::Unused { before }).await {
                // Used, or gone, since it was looked for.
                Ok(_) | Err(Error::SessionEnded) => {}
                Err(error) => return Err(error),
            }
        }
        if !unused.is_empty() {
            self.write_back().await;
        }
        Ok(())
    }

    /// What a registered account must show: its password, or a sign-in of just now, and the second factor if it has one.
    async fn show_all(
        &self,
        caller: &SignedIn,
        password: SecretString,
        code: &str,
        client: &Client,
    ) -> Result<Shown, Error> {
        let user = &caller.user;
        let kept = self.users.password_hash(&user.id).await?;
        let attempt = match &kept {
            None => {
                let began = self.sessions.began(&caller.session_id).await?;
                if began.is_none_or(|began| began + YOUNG <= self.clock.now()) {
                    return Err(Error::SignInAgain);
                }
                None
            }
            Some(_) if password.expose_secret().is_empty() => {
                return Err(Error::Missing("password"));
            }
            // Counted as a sign-in is: whoever holds a token must not be able to guess on.
            Some(kept) => {
                let email = user.email.as_deref().unwrap_or_default();
                let network = client.network.as_ref();
                let attempt = self
                    .attempts
                    .begin(email, network, self.clock.now())
                    .await?;
                if !self.passwords.verify(password, Some(kept.clone())).await? {
                    return Err(Error::WrongPassword);
                }
                Some(attempt)
            }
        };
        let mut second_factor = user.second_factor;
        if second_factor {
            second_factor = match self.show_second_factor(&user.id, code).await {
                Err(Error::SecondFactorRequired) => return Err(Error::Missing("second_factor")),
                Err(Error::WrongLoginCode) => return Err(Error::WrongCode),
                shown => shown?,
            };
        }
        // All was shown: that the failures before it are still counted is no reason to ask for it again.
        if let Some(attempt) = attempt
            && let Err(error) = self.attempts.succeeded(attempt, self.clock.now()).await
        {
            tracing::warn!(error = %chain(&error), "the failed attempts could not be forgiven");
        }
        Ok(Shown {
            is_anonymous: false,
            password_hash: kept,
            second_factor,
        })
    }

    /// How far the deletion of a token is.
    pub(crate) async fn deletion(&self, token: &Opaque) -> Result<Deletion, Error> {
        let found = self.deletions.find(&token.hash()).await?;
        found.ok_or(Error::DeletionUnknown)
    }
}

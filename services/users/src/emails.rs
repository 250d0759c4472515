//! The rules of mails: what is sent to whom and how often, and what a token from a mail does; no mail is sent here.

use atelier_kit::moment::Micros;
use atelier_kit::network::Network;
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::email;
use crate::error::Error;
use crate::mail_token::MailToken;
use crate::sessions::SignedIn;

const SECOND: Micros = 1_000_000;
const HOUR: Micros = 3600 * SECOND;

/// The least time between two mails for one purpose to one recipient or account.
pub(crate) const PAUSE: Micros = 60 * SECOND;
/// How many mails for one purpose a recipient or an account gets within [`WINDOW`].
pub(crate) const MOST: i64 = 5;
/// The time within which they are counted.
pub(crate) const WINDOW: Micros = HOUR;

/// What a mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To set another password; goes to whatever account the recipient has, if any.
    Reset,
    /// To show that the account's e-mail is read.
    Verify,
    /// To show that the e-mail which the account wants is read.
    Change,
    /// Tells the present e-mail that another is wanted.
    Changing,
    /// Tells the former e-mail that it was changed.
    Changed,
}

impl Purpose {
    pub(crate) const ALL: [Self; 5] = [
        Self::Reset,
        Self::Verify,
        Self::Change,
        Self::Changing,
        Self::Changed,
    ];

    /// Its name in tables and links.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::Change => "change",
            Self::Changing => "changing",
            Self::Changed => "changed",
        }
    }

    /// The purpose of a name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    /// How long the token of such a mail is good; `None` for mails without one.
    pub(crate) fn lifetime(self) -> Option<Micros> {
        match self {
            Self::Reset => Some(HOUR),
            Self::Verify | Self::Change => Some(24 * HOUR),
            Self::Changing | Self::Changed => None,
        }
    }
}

/// A mail that somebody wants sent.
pub(crate) struct Wanted<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) recipient: &'a str,
    /// The account it is about; `None` for [`Purpose::Reset`], where nobody has looked yet.
    pub(crate) user_id: Option<&'a str>,
}

/// A mail that waits to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) id: String,
    pub(crate) purpose: Purpose,
    pub(crate) recipient: String,
    pub(crate) user_id: Option<String>,
    pub(crate) create_time: Micros,
    /// How often it was begun to be sent, this time counted.
    pub(crate) attempts: i64,
}

/// A password that was reset.
pub(crate) struct Reset {
    pub(crate) user_id: String,
    /// The e-mail that the token was sent to.
    pub(crate) email: String,
    pub(crate) revoked_sessions: u64,
}

/// An e-mail that is verified now.
pub(crate) struct Confirmed {
    pub(crate) user_id: String,
    pub(crate) email: String,
}

impl Accounts {
    /// Sends a token for another password to the account of an e-mail, when there is one. Nobody looks whether there is
    /// before the answer is given: that is the courier's, so the answer's time cannot tell.
    pub(crate) async fn request_password_reset(&self, email: &str) -> Result<(), Error> {
        let recipient = email::lookup(email);
        let wanted = Wanted {
            purpose: Purpose::Reset,
            recipient: &recipient,
            user_id: None,
        };
        self.mails.want(&[wanted], self.clock.now()).await?;
        self.bell.notify_one();
        Ok(())
    }

    /// Sets another password with a token from a mail, and ends all sessions of its account; returns how many ended.
    pub(crate) async fn reset_password(
        &self,
        token: String,
        replacement: SecretString,
        network: Option<&Network>,
    ) -> Result<u64, Error> {
        let token = MailToken::presented(token).hash();
        // Asked first, so that nobody makes us hash passwords with tokens that he made up.
        if !self.mail_tokens.resets(&token, self.clock.now()).await? {
            return Err(Error::MailTokenInvalid);
        }
        let replacement = self.passwords.hash(replacement).await?;
        let now = self.clock.now();
        let reset = self
            .mail_tokens
            .reset_password(&token, &replacement, now)
            .await?;
        let (user_id, revoked) = (&reset.user_id, reset.revoked_sessions);
        tracing::info!(user_id, revoked, "password reset");
        // Who reads the account's mail is its owner, and has not to wait for what others tried. The password is set
        // already: that he might wait after all is no reason to say that it is not.
        if let Err(error) = self.attempts.met(&reset.email, network, now).await {
            tracing::warn!(error = %atelier_kit::fault::chain(&error), "the failed attempts could not be forgiven");
        }
        Ok(reset.revoked_sessions)
    }

    /// Sends a token that verifies the caller's e-mail.
    pub(crate) async fn request_email_verification(&self, caller: &SignedIn) -> Result<(), Error> {
        let user = &caller.user;
        let recipient = user.email.as_deref().ok_or(Error::AnonymousAccount)?;
        if user.email_verified {
            return Err(Error::EmailVerified);
        }
        let wanted = Wanted {
            purpose: Purpose::Verify,
            recipient,
            user_id: Some(&user.id),
        };
        self.mails.want(&[wanted], self.clock.now()).await?;
        self.bell.notify_one();
        Ok(())
    }

    /// Sends a token that changes the caller's e-mail to the new one, and tells the present one. `new_email` is
    /// normalised; whether it has an account is not looked at.
    pub(crate) async fn request_email_change(
        &self,
        caller: &SignedIn,
        new_email: &str,
        password: SecretString,
    ) -> Result<(), Error> {
        let user = &caller.user;
        let present = user.email.as_deref().ok_or(Error::AnonymousAccount)?;
        self.must_know_password(caller, password).await?;
        let wanted = |purpose, recipient| Wanted {
            purpose,
            recipient,
            user_id: Some(&user.id),
        };
        let wanted = [
            wanted(Purpose::Change, new_email),
            wanted(Purpose::Changing, present),
        ];
        self.mails.want(&wanted, self.clock.now()).await?;
        self.bell.notify_one();
        Ok(())
    }

    /// Verifies an e-mail, or changes it, with a token from a mail; returns the e-mail.
    pub(crate) async fn confirm_email(&self, token: String) -> Result<String, Error> {
        let token = MailToken::presented(token).hash();
        let confirmed = self.mail_tokens.confirm(&token, self.clock.now()).await?;
        tracing::info!(user_id = confirmed.user_id, "e-mail confirmed");
        // The former e-mail may have to be told.
        self.bell.notify_one();
        Ok(confirmed.email)
    }
}

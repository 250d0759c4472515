//! What the rules of mails need: somebody who sends them, and a place where they wait and where their tokens are known.

use async_trait::async_trait;
use atelier_kit::moment::Micros;
use secrecy::SecretString;

use crate::emails::{Confirmed, Reset, Waiting, Wanted};
use crate::error::Error;
use crate::tokens::TokenHash;

/// A mail, ready to be sent.
pub(crate) struct Mail {
    /// Its id: a mail that is sent again has the same.
    pub(crate) id: String,
    /// The e-mail it goes to.
    pub(crate) to: String,
    pub(crate) subject: &'static str,
    /// The whole text, the link included.
    pub(crate) text: SecretString,
    /// The link in the text, where there is one: who has it may do what it is for.
    pub(crate) link: Option<SecretString>,
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailError {
    /// Nobody will ever take it.
    #[error("the mail is refused")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It may be tried again later.
    #[error("the mail could not be sent")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends mails.
#[async_trait]
pub(crate) trait Mailer: Send + Sync + 'static {
    /// Hands a mail over; when this returns, it is somebody else's. Whoever calls it bounds its time.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;

    /// Erases mails to an e-mail that are still here; those that were handed over are somebody else's.
    async fn forget(&self, _to: &str) -> Result<(), MailError> {
        Ok(())
    }

    /// Where mails go, for the inventory; never a password.
    fn told(&self) -> String;
}

/// The mails that are to be sent.
#[async_trait]
pub(crate) trait MailStore: Send + Sync + 'static {
    /// Adds a mail and those that go with it, all or none, in place of earlier ones for the same purpose that have not
    /// been sent. None, silently, when its recipient or its account has had as many as it may. [`Error::Busy`] when too
    /// many wait altogether.
    async fn want(&self, wanted: &[Wanted<'_>], now: Micros) -> Result<(), Error>;

    /// At most `most` mails that are due, the first due first. They are due again at `until`, so that nobody else sends
    /// them, and somebody does when this process ends before it did.
    async fn claim(&self, now: Micros, until: Micros, most: i64) -> Result<Vec<Waiting>, Error>;

    /// Makes a claimed mail's token good from now on, when it has one, in place of the account's older one for the same
    /// purpose. `false` when nobody is to get the mail any more.
    async fn ready(&self, mail: &Waiting, token: &TokenHash, now: Micros) -> Result<bool, Error>;

    /// A mail was sent, or is not to be.
    async fn done(&self, id: &str, now: Micros) -> Result<(), Error>;

    /// A mail is to be tried again.
    async fn again(&self, id: &str, next_time: Micros) -> Result<(), Error>;

    /// Erases mails that are done and no longer bound others, and tokens that have expired.
    async fn sweep(&self, now: Micros) -> Result<(), Error>;
}

/// The tokens that mails carried.
#[async_trait]
pub(crate) trait MailTokenStore: Send + Sync + 'static {
    /// Whether a token is good for setting a password.
    async fn resets(&self, token: &TokenHash, now: Micros) -> Result<bool, Error>;

    /// Spends a token: sets another password, verifies the e-mail, and ends the account's sessions and its other tokens,
    /// and its identities when the e-mail was not verified before, all or none. [`Error::MailTokenInvalid`] when it is not good.
    async fn reset_password(
        &self,
        token: &TokenHash,
        replacement: &str,
        now: Micros,
    ) -> Result<Reset, Error>;

    /// Spends a token: verifies the account's e-mail, or changes it and tells the former one. [`Error::MailTokenInvalid`]
    /// when it is not good, [`Error::EmailTaken`] when another account has the e-mail; then the token stays good.
    async fn confirm(&self, token: &TokenHash, now: Micros) -> Result<Confirmed, Error>;
}

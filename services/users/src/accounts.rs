//! The desk that all rules of this service work at: the ports they use; it decides nothing itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::attempts::Attempts;
use crate::keyring::KeyRing;
use crate::ports::{
    ApiKeyStore, AuditStore, Clock, FactorStore, MailStore, MailTokenStore, Passwords,
    SessionStore, UserStore,
};

/// The accounts and their sessions. Its verbs are in [`crate::users`] and [`crate::sessions`].
pub(crate) struct Accounts {
    pub(crate) users: Arc<dyn UserStore>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) audit: Arc<dyn AuditStore>,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) factors: Arc<dyn FactorStore>,
    /// Seals the secrets of second factors.
    pub(crate) factor_key: [u8; 32],
    pub(crate) api_keys: Arc<dyn ApiKeyStore>,
    pub(crate) mails: Arc<dyn MailStore>,
    pub(crate) mail_tokens: Arc<dyn MailTokenStore>,
    /// Rung when a mail was added, so that the courier looks.
    pub(crate) bell: Arc<Notify>,
    pub(crate) attempts: Attempts,
    pub(crate) ring: KeyRing,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long a spent refresh token may be presented again.
    pub(crate) grace: Duration,
}

//! The desk that all rules of this service work at: the ports they use; it decides nothing itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::attempts::Attempts;
use crate::credits::Credits;
use crate::keyring::KeyRing;
use crate::ports::{
    ApiKeyStore, AuditStore, Clock, DeletionStore, FactorStore, IdentityStore, MailStore,
    MailTokenStore, Mailer, Passwords, Peer, SessionStore, UserStore,
};
use crate::sign_in::SignIns;

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
    pub(crate) identities: Arc<dyn IdentityStore>,
    pub(crate) sign_ins: SignIns,
    /// Rung when a mail was added, so that the courier looks.
    pub(crate) bell: Arc<Notify>,
    pub(crate) attempts: Attempts,
    pub(crate) ring: KeyRing,
    pub(crate) credits: Arc<Credits>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) deletions: Arc<dyn DeletionStore>,
    /// The other services that keep something of accounts.
    pub(crate) peers: Vec<Arc<dyn Peer>>,
    /// Changed when a deletion has begun, so that the erasers look.
    pub(crate) departures: watch::Sender<u64>,
    /// How long an anonymous account is kept that nobody uses.
    pub(crate) anonymous_for: Duration,
    /// How long a spent refresh token may be presented again.
    pub(crate) grace: Duration,
}

//! The desk that all rules of this service work at: the ports they use; it decides nothing itself.

use std::sync::Arc;
use std::time::Duration;

use crate::keyring::KeyRing;
use crate::ports::{Clock, Passwords, SessionStore, UserStore};

/// The accounts and their sessions. Its verbs are in [`crate::users`] and [`crate::sessions`].
pub(crate) struct Accounts {
    pub(crate) users: Arc<dyn UserStore>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) ring: KeyRing,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long a spent refresh token may be presented again.
    pub(crate) grace: Duration,
}

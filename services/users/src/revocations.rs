//! Revocations: which sessions' access tokens no longer count, told in order; ending a session is the rule of sessions.

use atelier_kit::moment::Micros;

use crate::accounts::Accounts;
use crate::error::Error;
use crate::tokens::ACCESS_SECONDS;

/// By how much the clocks of verifiers may differ, in seconds; generous, since it costs a row for a minute.
const LEEWAY_SECONDS: i64 = 60;

/// A session whose tokens no longer count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revocation {
    /// Its place in the order of all.
    pub(crate) number: i64,
    /// The `sid` of the tokens.
    pub(crate) session_id: String,
    /// When the last of them is dead.
    pub(crate) forget_time: Micros,
}

/// Until when a session that is revoked now must be remembered.
pub(crate) fn forget_time(now: Micros) -> Micros {
    now + (i64::try_from(ACCESS_SECONDS).unwrap_or(i64::MAX / 2_000_000) + LEEWAY_SECONDS)
        * 1_000_000
}

impl Accounts {
    /// What was revoked after a number and is not to be forgotten yet, in order.
    pub(crate) async fn revocations_after(&self, number: i64) -> Result<Vec<Revocation>, Error> {
        self.sessions
            .revocations_after(number, self.clock.now())
            .await
    }
}

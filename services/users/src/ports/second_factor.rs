//! What the rules of the second factor need kept.

use async_trait::async_trait;
use atelier_kit::moment::Micros;

use crate::error::Error;
use crate::recovery::RecoveryHash;
use crate::second_factor::{FactorState, Proof};

/// The second factors.
#[async_trait]
pub(crate) trait FactorStore: Send + Sync + 'static {
    /// Keeps a sealed secret that is not confirmed, in place of an earlier one. [`Error::TotpActive`] when the account
    /// has one that is.
    async fn enroll(&self, user_id: &str, sealed: &[u8], now: Micros) -> Result<(), Error>;

    /// The factor of an account, confirmed or not, held so that nobody else can change it until it is dropped; with the
    /// wrong codes after `since`. `None` when there is none.
    async fn hold(&self, user_id: &str, since: Micros) -> Result<Option<Box<dyn Factor>>, Error>;

    /// Replaces all recovery codes of an account. [`Error::TotpNotEnrolled`] when it has no factor that is confirmed.
    async fn renew(&self, user_id: &str, codes: &[RecoveryHash], now: Micros) -> Result<(), Error>;
}

/// A factor, held exclusively. Each ending is one transaction; dropped without an ending, nothing has changed.
#[async_trait]
pub(crate) trait Factor: Send {
    /// How it stands.
    fn state(&self) -> &FactorState;

    /// Counts a wrong code.
    async fn miss(self: Box<Self>, now: Micros) -> Result<(), Error>;

    /// Spends what was shown.
    async fn spend(self: Box<Self>, proof: Proof, now: Micros) -> Result<(), Error>;

    /// Makes it the account's factor by the code of a time step, with these recovery codes, and ends all sessions but one.
    async fn confirm(
        self: Box<Self>,
        step: i64,
        codes: &[RecoveryHash],
        keep_session: &str,
        now: Micros,
    ) -> Result<(), Error>;

    /// Ends it and its recovery codes by what was shown.
    async fn disable(self: Box<Self>, proof: Proof, now: Micros) -> Result<(), Error>;
}

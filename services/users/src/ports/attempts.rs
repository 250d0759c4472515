//! What the rule of attempts needs kept.

use async_trait::async_trait;
use atelier_kit::moment::Micros;

use crate::attempts::{Begun, Subjects, Success};
use crate::error::Error;

/// The failed attempts to sign in.
#[async_trait]
pub(crate) trait AttemptStore: Send + Sync + 'static {
    /// Counts an attempt as a failure of each subject, unless [`crate::attempts::Standing::wait`] makes it wait.
    async fn begin(&self, subjects: &Subjects, now: Micros) -> Result<Begun, Error>;

    /// Forgives the failures of the account, from this network and from all, and the attempt itself to the network; keeps
    /// that the account has signed in from the network.
    async fn succeeded(&self, success: &Success, now: Micros) -> Result<(), Error>;

    /// Erases what is forgiven, and networks that were not used for long.
    async fn sweep(&self, now: Micros) -> Result<(), Error>;
}

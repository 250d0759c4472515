//! What the rules of leaving need: a place where deletions are kept, and the other services, each of which has its part.

use std::pin::Pin;

use async_trait::async_trait;
use atelier_kit::call::Call;
use atelier_kit::fault::Fault;
use atelier_kit::moment::Micros;
use atelier_proto::privacy::v1::ExportPiece;
use futures_util::Stream;

use crate::error::Error;
use crate::leaving::{Deletion, Departure, Receipt};
use crate::tokens::TokenHash;

/// A service that is to erase its part of a deleted account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Erasure {
    pub(crate) deletion_id: String,
    pub(crate) user_id: String,
    /// How often it was asked, this time counted.
    pub(crate) attempts: i64,
}

/// The deletions.
#[async_trait]
pub(crate) trait DeletionStore: Send + Sync + 'static {
    /// Deletes an account and all that is kept of it here, ends its tokens, and begins the deletion: all or nothing.
    ///
    /// [`Error::LastAdmin`] when it would leave no admin, [`Error::WrongPassword`] and [`Error::WrongCode`] when the account
    /// is no longer as it was shown, [`Error::SessionEnded`] when it is gone.
    async fn delete_account(&self, departure: &Departure<'_>) -> Result<Deletion, Error>;

    /// The deletion of a token.
    async fn find(&self, token: &TokenHash) -> Result<Option<Deletion>, Error>;

    /// At most `most` erasures of a service that are due, the first due first. Each is due again after a pause that grows
    /// with its attempts, so that somebody asks when this process ends before it did; asking twice is harmless.
    async fn claim(&self, service: &str, now: Micros, most: i64) -> Result<Vec<Erasure>, Error>;

    /// Keeps what a service has erased, unless that is kept already; the last receipt ends the deletion.
    async fn erased(
        &self,
        deletion_id: &str,
        service: &str,
        receipt: &Receipt,
        now: Micros,
    ) -> Result<(), Error>;

    /// At most `most` deletions whose accounts the book of credits has not been told of yet, each with its account.
    async fn departed(&self, most: i64) -> Result<Vec<(String, String)>, Error>;

    /// Keeps that the book was told, and in the receipt of this service how many of the account's entries stay there.
    async fn left(&self, deletion_id: &str, entries: u64, now: Micros) -> Result<(), Error>;

    /// At most `most` anonymous accounts that were not used since `before`.
    async fn unused(&self, before: Micros, most: i64) -> Result<Vec<String>, Error>;

    /// Forgets deletions that were done long ago.
    async fn sweep(&self, now: Micros) -> Result<(), Error>;

    /// Takes what was erased out of the files as well.
    async fn write_back(&self) -> Result<(), Error>;
}

/// What a service tells of an account, as it comes.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Result<ExportPiece, Fault>> + Send>>;

/// Another service of the mesh, as far as it keeps something of accounts.
#[async_trait]
pub(crate) trait Peer: Send + Sync + 'static {
    /// Its role.
    fn role(&self) -> &'static str;

    /// Begins to read what it keeps of an account, within a call.
    async fn export(&self, user_id: &str, call: &Call) -> Result<Pieces, Fault>;

    /// Has it erase what it keeps of an account, on this service's own account and within a bounded time.
    async fn erase(&self, user_id: &str) -> Result<Receipt, Fault>;
}

//! What the rules of credits need beside the book: who holds them, and the services that make what is paid for.

use async_trait::async_trait;
use atelier_kit::fault::Fault;
use atelier_kit::identity::Role;
use atelier_kit::moment::Micros;
use atelier_ledger::Amounts;

use crate::error::Error;

/// An account, as far as its terms are made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) id: String,
    pub(crate) role: Role,
    /// What it has subscribed to.
    pub(crate) plan: String,
    /// The network that an anonymous account calls from; empty when it is not known, and for others.
    pub(crate) address: String,
}

/// A plan that an account is moved to.
pub(crate) struct PlanChange<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) plan: &'a str,
    /// Who does it.
    pub(crate) actor: &'a str,
    /// Whether the actor must be an admin still; else it is the account itself.
    pub(crate) by_admin: bool,
    pub(crate) now: Micros,
}

/// What a request id was used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsedRequest {
    /// The first part of the grant's key.
    pub(crate) kind: String,
    /// The account, or the generation.
    pub(crate) subject: String,
}

/// The accounts, as those who hold credits.
#[async_trait]
pub(crate) trait HolderStore: Send + Sync + 'static {
    /// The account of an id, in one read.
    async fn find(&self, user_id: &str) -> Result<Option<Holder>, Error>;

    /// Moves a registered account to a plan, and keeps who did it.
    ///
    /// [`Error::UserUnknown`] when there is none, [`Error::AnonymousAccount`] for one that is not registered,
    /// [`Error::NoLongerAdmin`] when the actor must be an admin and is none.
    async fn set_plan(&self, change: &PlanChange<'_>) -> Result<(), Error>;

    /// The currency that the book is kept in; `None` before the first start.
    async fn currency(&self) -> Result<Option<String>, Error>;

    /// Keeps it.
    async fn set_currency(&self, code: &str) -> Result<(), Error>;

    /// What somebody has used a request id for, if anything.
    async fn used_request(
        &self,
        actor: &str,
        request_id: &str,
    ) -> Result<Option<UsedRequest>, Error>;
}

/// How a generation stands, as its service says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is no such generation.
    Unknown,
    /// It waits, or is at work.
    Open,
    /// It has ended, and is charged this; nothing without it.
    Ended(Option<Amounts>),
}

/// A service that makes what is paid for.
#[async_trait]
pub(crate) trait Maker: Send + Sync + 'static {
    /// Its role.
    fn role(&self) -> &'static str;

    /// Asks how a generation stands, as this service and within a bounded time.
    async fn inspect(&self, generation_id: &str) -> Result<Standing, Fault>;
}

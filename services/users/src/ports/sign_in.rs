//! What the rules of signing in with somebody else need: a provider, and places where sign-ins and identities are kept.

use async_trait::async_trait;
use atelier_kit::moment::Micros;

use crate::error::Error;
use crate::identities::{Identity, Person, Standing};
use crate::sessions::Opening;
use crate::sign_in::{Journey, NewSignIn, SignIn};
use crate::tokens::TokenHash;
use crate::users::User;

/// Who a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProviderName {
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) issuer: String,
}

/// Somebody else who says who somebody is.
#[async_trait]
pub(crate) trait Provider: Send + Sync + 'static {
    /// Who it is.
    fn name(&self) -> &ProviderName;

    /// Whether it may send browsers back there.
    fn returns_to(&self, redirect_uri: &str) -> bool;

    /// Makes sure that all is there which [`Provider::person`] needs besides the code. [`Error::ProviderAway`].
    async fn ready(&self) -> Result<(), Error>;

    /// Where to send the browser.
    async fn authorization_url(&self, state: &str, journey: &Journey) -> Result<String, Error>;

    /// Who came back with a code, which is spent by it. [`Error::ProviderRefused`] when the provider does not know the
    /// code or what it says does not hold, [`Error::ProviderAway`] when it does not answer.
    async fn person(&self, code: String, journey: &Journey) -> Result<Person, Error>;
}

/// The sign-ins that are under way.
#[async_trait]
pub(crate) trait SignInStore: Send + Sync + 'static {
    /// Adds one. [`Error::Busy`] when too many are under way.
    async fn begin(&self, sign_in: &NewSignIn) -> Result<(), Error>;

    /// One that has not expired.
    async fn find(&self, token: &TokenHash, now: Micros) -> Result<Option<SignIn>, Error>;

    /// Keeps that the code is taken to the provider; `false` when it was before.
    async fn exchange(&self, token: &TokenHash, now: Micros) -> Result<bool, Error>;

    /// Keeps what the provider said, sealed.
    async fn answered(&self, token: &TokenHash, person: &[u8]) -> Result<(), Error>;

    /// How a person stands now.
    async fn standing(&self, person: &Person) -> Result<Standing, Error>;

    /// One that has not expired and whose provider has said that it is this person, held so that nobody else can change
    /// it, or how he stands, until it is dropped. `None` when there is none, or no longer.
    async fn hold(
        &self,
        token: &TokenHash,
        person: Person,
        now: Micros,
    ) -> Result<Option<Box<dyn HeldSignIn>>, Error>;

    /// Erases those that have expired.
    async fn sweep(&self, now: Micros) -> Result<(), Error>;
}

/// A sign-in, held exclusively. Each ending is one transaction and ends the sign-in; dropped without an ending, nothing
/// has changed.
#[async_trait]
pub(crate) trait HeldSignIn: Send {
    /// How the person stands.
    fn standing(&self) -> &Standing;

    /// Adds a session of an account, after the person was linked to it unless he is. Returns the account.
    async fn enter(
        self: Box<Self>,
        user_id: &str,
        link: bool,
        opening: &Opening,
    ) -> Result<User, Error>;

    /// Adds an account without a password, the person linked to it, and its first session. With `anonymous` it is the
    /// account of that id that is registered: its sessions end. Returns the account. [`Error::SignInInvalid`] when it is
    /// anonymous no more.
    async fn create(
        self: Box<Self>,
        user: &User,
        anonymous: bool,
        opening: &Opening,
    ) -> Result<User, Error>;

    /// Links the person to an account, unless he is. [`Error::IdentityTaken`] when he is to another,
    /// [`Error::ProviderLinked`] when another person of his provider is to this one.
    async fn link(self: Box<Self>, user_id: &str, now: Micros) -> Result<Identity, Error>;
}

/// The persons that accounts may be signed in with.
#[async_trait]
pub(crate) trait IdentityStore: Send + Sync + 'static {
    /// Those of an account, the newest first.
    async fn list(&self, user_id: &str) -> Result<Vec<Identity>, Error>;

    /// Deletes one of an account and ends all its sessions but one; returns how many ended. [`Error::IdentityUnknown`]
    /// when it has none of that id, [`Error::LastSignIn`] when nothing would be left to sign in with.
    async fn unlink(
        &self,
        user_id: &str,
        identity_id: &str,
        keep_session: &str,
        now: Micros,
    ) -> Result<u32, Error>;
}

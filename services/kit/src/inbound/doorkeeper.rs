//! Who the edge lets in: what it finds out of a caller before a call goes any further.

use async_trait::async_trait;
use http::request::Parts;
use tonic::Status;

use crate::fault::Fault;
use crate::identity::Caller;

/// Finds out who calls, at the edge.
#[async_trait]
pub trait Doorkeeper: Send + Sync + 'static {
    /// Who calls, or why what they show does not hold; a call that shows nothing is [`Caller::Nobody`]. What is passed on
    /// may be changed: an API key for what it was exchanged for. What is UNAUTHENTICATED counts by its address, as a
    /// call without a token does, so that nobody can try tokens without end.
    async fn recognise(&self, call: &mut Parts) -> Result<Caller, Fault>;
}

/// In the extensions of a request: why it gets no further, once it has been counted.
#[derive(Clone)]
pub(super) struct Refused(pub(super) Status);

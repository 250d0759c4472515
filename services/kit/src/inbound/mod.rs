//! The one ordered list of layers that every call of every service passes; read [`Inbound::guard`] from top to bottom.

mod admission;
mod arrival;
mod body;
mod deadline;
mod frames;
mod identify;
mod limits;
mod mapping;
mod message_size;
mod panic;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;

use crate::identity::Verifier;
use crate::limit::Limits;
use crate::policy::Policies;

pub use body::{Leased, trailers_of};
pub(crate) use deadline::parse as parse_timeout;

/// What the layers of one service need to know.
#[derive(Clone)]
pub struct Inbound {
    role: &'static str,
    policies: Policies,
    /// At the edge there is none.
    verifier: Option<Verifier>,
    places: Arc<Semaphore>,
    /// Without any nothing is limited.
    limits: Option<Arc<Limits>>,
}

impl Inbound {
    /// For the service of `role`: `limit` calls, streams included, may be under way at once.
    pub fn new(role: &'static str, policies: Policies, verifier: Verifier, limit: usize) -> Self {
        Self {
            role,
            policies,
            verifier: Some(verifier),
            places: Arc::new(Semaphore::new(limit)),
            limits: None,
        }
    }

    /// For the edge, which forwards: the service behind it verifies who calls, and methods for services alone are
    /// refused here.
    pub fn edge(role: &'static str, policies: Policies, limit: usize) -> Self {
        Self {
            role,
            policies,
            verifier: None,
            places: Arc::new(Semaphore::new(limit)),
            limits: None,
        }
    }

    /// Calls draw from these limits.
    #[must_use]
    pub fn limited(mut self, limits: Arc<Limits>) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Puts the layers around gRPC routes of the contract. The first in the list is the outermost.
    pub fn guard(self, routes: Router) -> Router {
        let routes = routes.layer(
            ServiceBuilder::new()
                // Before the body is read by anybody.
                .layer(from_fn(message_size::limit))
                // Who calls, and whether this method is for them.
                .layer(from_fn_with_state(self.clone(), identify::identify))
                // Innermost: a call that is refused above has cost nobody anything.
                .layer(from_fn_with_state(self.clone(), limits::draw)),
        );
        self.guard_open(routes)
    }

    /// Puts the outer layers alone around gRPC routes that anyone may call and that may take a stream: health and
    /// reflection. They need a policy too, of which only the deadline is read.
    pub fn guard_open(self, routes: Router) -> Router {
        routes.layer(
            ServiceBuilder::new()
                // Outermost, so that every answer has a request id, a log line and a measured time.
                .layer(from_fn_with_state(self.clone(), arrival::arrive))
                // Inside the arrival, so that a panic has a request id and a log line; outside all else, so that
                // none of it ends the connection's task and the caller is told.
                .layer(from_fn(panic::contain))
                // Outside all that can refuse, so that every error leaves with an ErrorInfo and no internals.
                .layer(from_fn_with_state(self.clone(), mapping::map_errors))
                // Finds the method's policy, which the layers below read; bounds streams to their last frame.
                .layer(from_fn_with_state(self.clone(), deadline::bound))
                // Before any work: what cannot be served is refused at once. Inside the deadline, so that a caller
                // who stops reading loses the place when the time is over.
                .layer(from_fn_with_state(self, admission::admit)),
        )
    }
}

/// In the extensions of a response: the caller has sent something wrong, also where gRPC's code for it is INTERNAL, so that no log
/// says that this process has failed.
#[derive(Clone, Copy, Debug)]
struct CallersFault;

/// In the extensions of an answer that another service gave: its status is told as that service told it.
#[derive(Clone, Copy, Debug)]
pub struct AsTold;

/// The method's policy, as [`deadline::bound`] found it.
#[derive(Clone)]
struct Method(Arc<crate::policy::Policy>);

/// An error as an HTTP answer.
fn refuse(fault: crate::fault::Fault) -> axum::response::Response {
    tonic::Status::from(fault).into_http()
}

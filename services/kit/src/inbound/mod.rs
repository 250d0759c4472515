//! The one ordered list of layers that every call of every service passes; read `outer` and `inner` from top to bottom.

mod admission;
mod arrival;
mod body;
mod deadline;
mod doorkeeper;
mod frames;
mod identify;
mod lease;
mod limits;
mod mapping;
mod message_size;
mod meter;
mod panic;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next as Routes, from_fn_with_state};
use axum::response::Response;
use tokio::sync::Semaphore;

use crate::identity::Verifier;
use crate::limit::Limits;
use crate::next::Next;
use crate::policy::Policies;

pub use body::trailers_of;
pub(crate) use deadline::parse as parse_timeout;
pub use doorkeeper::Doorkeeper;
pub use lease::{Leased, Leases};
use meter::Meters;

/// Who finds out who calls.
#[derive(Clone)]
enum Side {
    /// A service, which believes nobody else.
    Service(Verifier),
    /// The edge.
    Edge(Option<Arc<dyn Doorkeeper>>),
}

/// What the layers of one service need to know.
#[derive(Clone)]
pub struct Inbound {
    role: &'static str,
    meters: Arc<Meters>,
    policies: Policies,
    side: Side,
    places: Arc<Semaphore>,
    leases: Leases,
    /// Without any nothing is limited.
    limits: Option<Arc<Limits>>,
}

impl Inbound {
    /// For the service of `role`: `limit` calls, streams included, may be under way at once.
    pub fn new(role: &'static str, policies: Policies, verifier: Verifier, limit: usize) -> Self {
        Self {
            role,
            meters: Arc::new(Meters::new(role, &policies)),
            policies,
            side: Side::Service(verifier),
            places: Arc::new(Semaphore::new(limit)),
            leases: Leases::default(),
            limits: None,
        }
    }

    /// For the edge, which forwards: the service behind it decides whom a method is for, and methods for services alone
    /// are refused here. Without a [`Doorkeeper`] nobody looks at tokens.
    pub fn edge(role: &'static str, policies: Policies, limit: usize) -> Self {
        Self {
            role,
            meters: Arc::new(Meters::new(role, &policies)),
            policies,
            side: Side::Edge(None),
            places: Arc::new(Semaphore::new(limit)),
            leases: Leases::default(),
            limits: None,
        }
    }

    /// At the edge: a token that does not hold gets no further.
    #[must_use]
    pub fn kept_by(mut self, doorkeeper: impl Doorkeeper) -> Self {
        self.side = Side::Edge(Some(Arc::new(doorkeeper)));
        self
    }

    /// Calls draw from these limits.
    #[must_use]
    pub fn limited(mut self, limits: Arc<Limits>) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Puts all layers around gRPC routes of the contract.
    pub fn guard(self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(Arc::new(self), whole))
    }

    /// Whether a path is one of the methods that these layers have policies of.
    pub fn has(&self, path: &str) -> bool {
        self.policies.of(path).is_some()
    }

    /// All layers around whatever answers a call of the contract.
    pub async fn around(&self, request: Request, next: impl Next) -> Response {
        outer(self, request, |request| inner(self, request, next)).await
    }

    /// The outer layers alone, as [`Self::guard_open`] puts them around routes.
    pub async fn around_open(&self, request: Request, next: impl Next) -> Response {
        outer(self, request, next).await
    }

    /// Puts the outer layers alone around gRPC routes that anyone may call and that may take a stream: health and
    /// reflection. They need a policy too, of which only the deadline is read.
    pub fn guard_open(self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(Arc::new(self), open))
    }
}

async fn whole(State(inbound): State<Arc<Inbound>>, request: Request, routes: Routes) -> Response {
    inbound.around(request, |request| routes.run(request)).await
}

async fn open(State(inbound): State<Arc<Inbound>>, request: Request, routes: Routes) -> Response {
    let routes = |request| routes.run(request);
    inbound.around_open(request, routes).await
}

/// The outer layers. The first is the outermost.
async fn outer(inbound: &Inbound, request: Request, next: impl Next) -> Response {
    // Outermost, so that every answer has a request id, a log line and a measured time.
    arrival::arrive(inbound, request, |request| {
        // Inside the arrival, so that a panic has a request id and a log line; outside all else, so that none of it ends
        // the connection's task and the caller is told.
        panic::contain(request, |request| {
            // Outside all that can refuse, so that every error leaves with an ErrorInfo and no internals.
            mapping::map_errors(request, |request| {
                // Finds the method's policy, which the layers below read; bounds streams to their last frame.
                deadline::bound(inbound, request, |request| {
                    // Before any work: what cannot be served is refused at once. Inside the deadline, so that a caller
                    // who stops reading loses the place when the time is over.
                    admission::admit(inbound, request, next)
                })
            })
        })
    })
    .await
}

/// The inner layers.
async fn inner(inbound: &Inbound, request: Request, next: impl Next) -> Response {
    // Before the body is read by anybody.
    message_size::limit(request, |request| {
        // Who calls, and whether this method is for them.
        identify::identify(inbound, request, |request| {
            // Innermost: a call that is refused above has cost nobody anything.
            limits::draw(inbound, request, next)
        })
    })
    .await
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
fn refuse(fault: crate::fault::Fault) -> Response {
    tonic::Status::from(fault).into_http()
}

//! The layers of the edge, from top to bottom; those of [`atelier_kit::inbound`] follow, around whatever answers a call. What is
//! on the way of every call is functions that call one another; a router is asked for the rest.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use atelier_kit::inbound::Inbound;
use atelier_kit::next::Answer;
use atelier_kit::policy::Policies;
use axum::Router;
use axum::extract::Request;
use axum::response::Response;

use crate::address::Proxies;
use crate::dialect::Listening;
use crate::forward::{Onward, forward};
use crate::origins::Current;
use crate::{address, bare, cors, dialect, remainder, web};

/// The edge as [`atelier_kit::serve::serve_within`] takes it. Clones are the same.
#[derive(Clone)]
pub struct Edge(Arc<Outside>);

/// The layers around everything, and what stands behind them.
pub(crate) struct Outside {
    pub(crate) origins: Current,
    pub(crate) proxies: Proxies,
    /// What is no gRPC; what it does not know either is for the calls to refuse.
    pub(crate) plain: Router,
    pub(crate) calls: Arc<Calls>,
}

/// What speaks gRPC.
pub(crate) struct Calls {
    pub(crate) listening: Listening,
    /// What the edge answers itself: health and reflection.
    pub(crate) own: (Inbound, Policies, Router),
    /// What it forwards.
    pub(crate) others: (Inbound, Onward),
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Edge")
    }
}

impl From<Outside> for Edge {
    fn from(outside: Outside) -> Self {
        Self(Arc::new(outside))
    }
}

impl Answer for Edge {
    async fn answer(self, request: Request) -> Response {
        self.0.answer(request).await
    }
}

impl Outside {
    async fn answer(&self, request: Request) -> Response {
        // Outermost: whoever answers may leave the rest of a request unread.
        remainder::read(request, |request| {
            // No page of a foreign origin gets further.
            cors::guard(&self.origins, request, |request| {
                // Before whatever asks where a call comes from.
                address::find(&self.proxies, request, |request| self.route(request))
            })
        })
        .await
    }

    async fn route(&self, request: Request) -> Response {
        let path = request.uri().path();
        let is_plain = path == "/" || path.starts_with(OBJECTS) || path.starts_with(WELL_KNOWN);
        if is_plain {
            return self.plain.clone().answer(request).await;
        }
        self.calls.answer(request).await
    }
}

/// Where objects are.
const OBJECTS: &str = "/objects/";
/// Where the public keys are.
const WELL_KNOWN: &str = "/.well-known/";

impl Calls {
    /// In a box, since a connection would keep room for it while nobody calls; the compiler is glad of it too.
    pub(crate) fn answer(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Response> + Send + '_>> {
        // Outside the next, since it tells it which form is spoken.
        Box::pin(dialect::listen(&self.listening, request, |request| {
            // Around every layer that can refuse, so that a refusal too is told in the caller's own protocol.
            web::translate(request, |request| {
                bare::strip(self.listening.bare, request, |request| self.route(request))
            })
        }))
    }

    async fn route(&self, request: Request) -> Response {
        let (layers, policies, routes) = &self.own;
        if policies.of(request.uri().path()).is_some() {
            let routes = |request| routes.clone().answer(request);
            return layers.around_open(request, routes).await;
        }
        let (layers, onward) = &self.others;
        let next = |request| forward(onward, request);
        layers.around(request, next).await
    }
}

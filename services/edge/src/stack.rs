//! The layers of the edge, from top to bottom; those of [`atelier_kit::inbound`] follow, around whatever answers a call. What is
//! on the way of every call is functions that call one another; a router is asked for the rest.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use atelier_kit::inbound::Inbound;
use atelier_kit::next::Answer;
use axum::Router;
use axum::extract::Request;
use axum::response::Response;

use crate::address::Proxies;
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
    /// What is no method; what it does not know either is for the calls to refuse.
    pub(crate) plain: Router,
    pub(crate) calls: Arc<Calls>,
}

/// What speaks gRPC.
pub(crate) struct Calls {
    /// Whether errors have no details.
    pub(crate) bare: bool,
    /// What the edge answers itself: health and reflection.
    pub(crate) own: (Inbound, Router),
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
        if self.calls.has(request.uri().path()) {
            return self.calls.answer(request).await;
        }
        self.plain.clone().answer(request).await
    }
}

impl Calls {
    /// Whether a path is a method of the contract, of health or of reflection.
    fn has(&self, path: &str) -> bool {
        self.others.0.has(path) || self.own.0.has(path)
    }

    /// In a box, since a connection would keep room for it while nobody calls; the compiler is glad of it too.
    pub(crate) fn answer(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Response> + Send + '_>> {
        let is_method = self.has(request.uri().path());
        // Outside the next, since it tells it which form is spoken.
        Box::pin(dialect::listen(is_method, self.bare, request, |request| {
            // Around every layer that can refuse, so that a refusal too is told in the caller's own protocol.
            web::translate(request, |request| {
                bare::strip(self.bare, request, |request| self.route(request))
            })
        }))
    }

    async fn route(&self, request: Request) -> Response {
        let (layers, routes) = &self.own;
        if layers.has(request.uri().path()) {
            let routes = |request| routes.clone().answer(request);
            return layers.around_open(request, routes).await;
        }
        let (layers, onward) = &self.others;
        let next = |request| forward(onward, request);
        layers.around(request, next).await
    }
}

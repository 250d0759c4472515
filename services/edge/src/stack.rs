//! The layers of the edge, from top to bottom; those of [`atelier_kit::inbound`] follow, around whatever answers a call.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next as Routes;
use axum::response::Response;

use crate::address::Proxies;
use crate::dialect::Listening;
use crate::origins::Current;
use crate::{address, bare, cors, dialect, remainder, web};

/// What the layers around everything know.
pub(crate) struct Outside {
    pub(crate) origins: Current,
    pub(crate) proxies: Proxies,
}

/// Around everything.
pub(crate) async fn outside(
    State(outside): State<Arc<Outside>>,
    request: Request,
    routes: Routes,
) -> Response {
    let Outside { origins, proxies } = &*outside;
    // Outermost: whoever answers may leave the rest of a request unread.
    remainder::read(request, |request| {
        // No page of a foreign origin gets further.
        cors::guard(origins, request, |request| {
            // Before whatever asks where a call comes from.
            address::find(proxies, request, |request| routes.run(request))
        })
    })
    .await
}

/// Around what speaks gRPC.
pub(crate) async fn spoken(
    State(listening): State<Arc<Listening>>,
    request: Request,
    routes: Routes,
) -> Response {
    let is_bare = listening.bare;
    // Outside the next, since it tells it which form is spoken.
    dialect::listen(&listening, request, |request| {
        // Around every layer that can refuse, so that a refusal too is told in the caller's own protocol.
        web::translate(request, |request| {
            bare::strip(is_bare, request, |request| routes.run(request))
        })
    })
    .await
}

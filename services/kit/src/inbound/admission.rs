//! Load shedding: a service that is full says so at once, instead of making everybody wait.

use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;

use super::body::Held;
use super::{Inbound, refuse};
use crate::fault::{Fault, Kind};
use crate::next::Next;

pub(super) async fn admit(inbound: &Inbound, request: Request, next: impl Next) -> Response {
    let Ok(place) = inbound.places.clone().try_acquire_owned() else {
        metrics::counter!("atelier_rpc_shed_total", "service" => inbound.role).increment(1);
        return refuse(
            Fault::new(
                Kind::Unavailable,
                "OVERLOADED",
                "too many calls are under way",
            )
            .retry_after(Duration::from_secs(1)),
        );
    };
    // A stream keeps its place until its last frame.
    next.run(request)
        .await
        .map(|body| axum::body::Body::new(Held::new(body, place)))
}

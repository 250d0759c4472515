//! Forwards calls to the service that has them, frame by frame: it reads no message and keeps none.

mod ending;
mod headers;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use atelier_kit::fault::{Fault, Kind};
use atelier_kit::inbound::AsTold;
use atelier_kit::link::Link;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode, Uri, Version};
use tonic::Status;

use crate::exchange::{Exchange, Stand};
use crate::retry::Retries;
use ending::Ending;
pub(crate) use headers::is_hop_by_hop;

/// Where each service is, by its full name.
pub(crate) struct Destinations(HashMap<&'static str, (&'static str, Link)>);

impl Destinations {
    pub(crate) fn new(links: impl IntoIterator<Item = (&'static str, Link)>) -> Self {
        let named = |(service, link)| (service, (service, link));
        Self(links.into_iter().map(named).collect())
    }

    /// The service that a path names, and the way there.
    fn of(&self, path: &str) -> Option<&(&'static str, Link)> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        self.0.get(service)
    }
}

/// What forwarding needs.
pub(crate) struct Onward {
    pub(crate) destinations: Destinations,
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) retries: Retries,
}

/// Forwards one call and streams its answer back. The layers around it have checked the method, the size and the
/// time; here only the service can be missing.
pub(crate) async fn forward(onward: &Onward, request: Request) -> Response {
    match pass(onward, request).await {
        Ok(response) => response,
        Err(status) => status.into_http(),
    }
}

async fn pass(
    Onward {
        destinations,
        exchange,
        retries,
    }: &Onward,
    request: Request,
) -> Result<Response, Status> {
    let (service, link) = destinations.of(request.uri().path()).ok_or_else(|| {
        Fault::new(
            Kind::Unimplemented,
            "METHOD_UNKNOWN",
            "no service here has this method",
        )
    })?;
    let (mut parts, body) = request.into_parts();
    let stand = parts.extensions.remove::<Stand>();
    headers::onward(&mut parts.headers);
    parts.method = Method::POST;
    parts.version = Version::HTTP_2;
    if parts.uri.query().is_some() {
        // The path alone: gRPC knows no query.
        parts.uri = Uri::try_from(parts.uri.path()).map_err(|error| Fault::internal(&error))?;
    }
    let path = parts.uri.clone();
    // The link writes the remaining time, the trace and the request id from the call among the extensions.
    let onward = http::Request::from_parts(parts, tonic::body::Body::new(body));
    let response = retries.send(service, link, onward).await?;
    if !is_grpc(&response) {
        let status = response.status();
        tracing::warn!(http.status = %status, path = path.path(), "a peer answered without gRPC");
        let fault = Fault::new(
            Kind::Unavailable,
            "PEER_UNREACHABLE",
            "a service that is needed cannot be reached",
        );
        return Err(fault.retry_after(Duration::from_secs(1)).into());
    }
    let (mut parts, body) = response.into_parts();
    if let Some(stand) = &stand {
        exchange.heed(stand, &parts.headers);
    }
    headers::backward(&mut parts.headers);
    parts.extensions.insert(AsTold);
    let has_ended = parts.headers.contains_key("grpc-status");
    let body = if has_ended {
        Body::empty()
    } else {
        Body::new(Ending::new(body))
    };
    Ok(Response::from_parts(parts, body))
}

/// A proxy between the services may answer with a page of its own.
fn is_grpc<T>(response: &http::Response<T>) -> bool {
    response.status() == StatusCode::OK
        && response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

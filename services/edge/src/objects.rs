//! `/objects/{role}/…`: pictures and audio, fetched from the service that has them. The service checks the URL's
//! signature; the edge only carries.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use atelier_kit::inbound::Leases;
use atelier_kit::link::Link;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::header::{
    CONTENT_TYPE, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Uri, Version};
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use crate::forward::is_hop_by_hop;
use crate::plain;

/// How many objects may be on their way at once.
const PLACES: usize = 256;
/// How long the service may take to begin.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a caller may take to fetch one object.
const LONGEST: Duration = Duration::from_secs(600);
/// What the service hears of a request.
const ASKED: [HeaderName; 4] = [RANGE, IF_NONE_MATCH, IF_RANGE, IF_MODIFIED_SINCE];

/// The services that have objects, by role.
#[derive(Clone)]
pub(crate) struct Shelves {
    links: Arc<HashMap<&'static str, Link>>,
    places: Arc<Semaphore>,
    leases: Leases,
}

impl Shelves {
    pub(crate) fn new(links: impl IntoIterator<Item = (&'static str, Link)>) -> Self {
        Self {
            links: Arc::new(links.into_iter().collect()),
            places: Arc::new(Semaphore::new(PLACES)),
            leases: Leases::default(),
        }
    }
}

/// Carries a GET or HEAD, and streams the answer back.
pub(crate) async fn carry(
    State(shelves): State<Shelves>,
    Path((role, _)): Path<(String, String)>,
    request: Request,
) -> Response {
    let Some(link) = shelves.links.get(role.as_str()).cloned() else {
        return plain::not_found();
    };
    let Ok(place) = shelves.places.try_acquire_owned() else {
        return plain::unavailable("too many objects are on their way", Duration::from_secs(1));
    };
    let Some(onward) = onward(&request) else {
        return plain::not_found();
    };
    let response = match tokio::time::timeout(PATIENCE, link.oneshot(onward)).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) | Err(_) => {
            return plain::unavailable(
                "the service that has this object cannot be reached",
                Duration::from_secs(1),
            );
        }
    };
    let (mut parts, body) = response.into_parts();
    let is_grpc = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if is_grpc {
        // The service knows no such path, and said so in its own language.
        return plain::not_found();
    }
    parts.version = Version::HTTP_11;
    let stays: Vec<HeaderName> = parts
        .headers
        .keys()
        .filter(|name| is_hop_by_hop(name) || name.as_str().starts_with("access-control-"))
        .cloned()
        .collect();
    for name in stays {
        parts.headers.remove(name);
    }
    // What a caller uploaded must never be taken for a page of the edge.
    parts
        .headers
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The place is taken until the last byte, or until the time is over.
    let body = body.map_frame(move |frame| {
        let _taken = &place;
        frame
    });
    let until = Box::pin(tokio::time::sleep(LONGEST));
    Response::from_parts(
        parts,
        Body::new(shelves.leases.lend(Body::new(body), until)),
    )
}

fn onward(request: &Request) -> Option<http::Request<tonic::body::Body>> {
    let mut onward = http::Request::new(tonic::body::Body::empty());
    *onward.method_mut() = request.method().clone();
    *onward.version_mut() = Version::HTTP_2;
    *onward.uri_mut() = Uri::from(request.uri().path_and_query()?.clone());
    for name in ASKED {
        if let Some(value) = request.headers().get(&name) {
            onward.headers_mut().insert(name, value.clone());
        }
    }
    Some(onward)
}

//! Which web pages may call (the Fetch standard's CORS protocol). A page that may not gets no CORS header at all,
//! and its grpc-web calls are refused before anything is done.

use atelier_kit::next::Next;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderValue, Method, StatusCode};

use crate::dialect::Dialect;
use crate::origins::Current;
use crate::plain;

/// What a page may read of an answer: the status of gRPC, the request id, what is left of its limit, and what a player
/// needs to seek.
const EXPOSED: &str = "grpc-status, grpc-message, grpc-status-details-bin, x-request-id, retry-after, \
                       ratelimit-limit, ratelimit-remaining, ratelimit-reset, \
                       accept-ranges, content-range, content-disposition, etag";
/// How long a browser may remember a preflight, in seconds; no browser takes more.
const MAX_AGE: &str = "7200";

/// The outermost layer of the edge.
pub(crate) async fn guard(origins: &Current, request: Request, next: impl Next) -> Response {
    let headers = request.headers();
    let Some(origin) = headers.get(ORIGIN).cloned() else {
        return varied(next.run(request).await);
    };
    let is_preflight =
        request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let is_allowed = origin
        .to_str()
        .is_ok_and(|origin| origins.now().allow(origin));
    if !is_allowed {
        // A page could send a grpc-web call without a preflight in an old browser or from an extension.
        if is_preflight || Dialect::of_request(headers) != Dialect::Other {
            return varied(plain::error(
                StatusCode::FORBIDDEN,
                "ORIGIN_NOT_ALLOWED",
                "pages of this origin may not call; see ATELIER_CORS_ORIGINS",
            ));
        }
        return varied(next.run(request).await);
    }
    let mut response = if is_preflight {
        preflight(headers.get(ACCESS_CONTROL_REQUEST_HEADERS))
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if !is_preflight {
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(EXPOSED),
        );
    }
    varied(response)
}

fn preflight(asked: Option<&HeaderValue>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, OPTIONS"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    if let Some(asked) = asked {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        headers.append(
            VARY,
            HeaderValue::from_static("access-control-request-headers"),
        );
    }
    response
}

/// A cache must not give one origin's answer to another.
fn varied(mut response: Response) -> Response {
    response
        .headers_mut()
        .append(VARY, HeaderValue::from_static("origin"));
    response
}

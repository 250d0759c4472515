//! Answers to plain HTTP: small JSON errors, in one shape.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

/// An error as JSON: `{"error": {"reason": "NOT_FOUND", "message": "…"}, "status": 404}`. A client of Connect's protocol
/// takes whatever is `application/json` for an error of that protocol; as a problem (RFC 9457) it is read by nobody who
/// does not mean to.
pub(crate) fn error(status: StatusCode, reason: &str, message: &str) -> Response {
    let error = serde_json::json!({"reason": reason, "message": message});
    let body = serde_json::json!({"error": error, "status": status.as_u16()}).to_string();
    (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
}

/// There is nothing at this path.
pub(crate) fn not_found() -> Response {
    error(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        "there is nothing at this path",
    )
}

/// The path is right, the HTTP method is not.
pub(crate) fn method_not_allowed(allowed: &'static str) -> Response {
    let mut response = error(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        &format!("this path takes {allowed}"),
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Something that is needed is away; the request may be repeated after a while.
pub(crate) fn unavailable(message: &str, wait: Duration) -> Response {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    response
}

//! Answers to plain HTTP: small JSON errors, in one shape.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

/// An error as JSON: `{"error": {"reason": "NOT_FOUND", "message": "…"}}`.
pub(crate) fn error(status: StatusCode, reason: &str, message: &str) -> Response {
    let body = serde_json::json!({"error": {"reason": reason, "message": message}}).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
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

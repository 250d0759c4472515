//! The door of the edge: reads of objects by signed URL, over plain HTTP; it cannot write, list, or read unsigned.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use serde::Deserialize;

use super::{Blob, BlobError, BlobInfo, BlobStore, ByteRange, DoorKey, ObjectKey};

/// The one object store behind a door.
struct Door {
    store: Arc<dyn BlobStore>,
    key: DoorKey,
    role: String,
}

/// The routes of one role's objects: `GET` and `HEAD` of `/objects/{role}/{key}?expires=…&signature=…`.
///
/// A URL that was changed is 403 `SIGNATURE_INVALID`, one whose time is over 403 `URL_EXPIRED`; nothing is looked up
/// before. One range is served as 206, one outside the object is 416, several are answered with the whole. `download=1`
/// asks for a file rather than a page. Refusals are JSON: `{"error":{"reason":…,"message":…}}`.
///
/// `role` is a single segment of small letters, digits and `-`; the routers of several roles can be merged.
pub fn router(store: Arc<dyn BlobStore>, key: DoorKey, role: &str) -> Router {
    let door = Arc::new(Door {
        store,
        key,
        role: role.to_owned(),
    });
    let read = on(MethodFilter::GET.or(MethodFilter::HEAD), serve).fallback(only_reading);
    Router::new()
        .route(&format!("/objects/{role}/{{*key}}"), read)
        .with_state(door)
}

/// What a signed URL says behind its question mark.
#[derive(Deserialize)]
struct Claim {
    expires: u64,
    signature: String,
    download: Option<String>,
}

/// A checked claim: the object that may be read, the seconds it may be read yet, and whether as a file.
struct Permit {
    key: ObjectKey,
    seconds: u64,
    download: bool,
}

async fn only_reading() -> Response {
    let mut response = refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        "objects are only read here",
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

async fn serve(
    State(door): State<Arc<Door>>,
    method: Method,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
    claim: Result<Query<Claim>, QueryRejection>,
) -> Response {
    let permit = match door.admit(path.ok(), claim.ok()) {
        Ok(permit) => permit,
        Err(response) => return response,
    };
    match door.read(&permit, method == Method::HEAD, &headers).await {
        Ok(response) => response,
        Err(error) => failure(&permit.key, &error),
    }
}

impl Door {
    /// Checks the signature, then the time: an expired URL is only called so when it once was good. Whatever cannot be
    /// read cannot have been signed.
    #[expect(
        clippy::result_large_err,
        reason = "the refusal is the answer, made once a request"
    )]
    fn admit(
        &self,
        path: Option<Path<String>>,
        claim: Option<Query<Claim>>,
    ) -> Result<Permit, Response> {
        let invalid = || {
            refusal(
                StatusCode::FORBIDDEN,
                "SIGNATURE_INVALID",
                "the URL is not one that was handed out",
            )
        };
        let key = path
            .and_then(|Path(text)| ObjectKey::new(text).ok())
            .ok_or_else(invalid)?;
        let Query(claim) = claim.ok_or_else(invalid)?;
        if !self
            .key
            .verify(&self.role, &key, claim.expires, &claim.signature)
        {
            return Err(invalid());
        }
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let seconds = claim.expires.saturating_sub(now);
        if seconds == 0 {
            return Err(refusal(
                StatusCode::FORBIDDEN,
                "URL_EXPIRED",
                "the URL's time is over: ask for a new one",
            ));
        }
        Ok(Permit {
            key,
            seconds,
            download: claim.download.as_deref() == Some("1"),
        })
    }

    /// Answers in the order of RFC 9110, section 13.2.2: `If-None-Match`, then `If-Range`, then `Range`.
    async fn read(
        &self,
        permit: &Permit,
        head: bool,
        headers: &HeaderMap,
    ) -> Result<Response, BlobError> {
        let range = asked_range(headers).filter(|_| !head);
        let if_range = headers.get(IF_RANGE).filter(|_| range.is_some());
        // The object's head is asked for only when the answer hangs on it.
        let info = if head || if_range.is_some() || headers.contains_key(IF_NONE_MATCH) {
            Some(self.store.head(&permit.key).await?)
        } else {
            None
        };
        if let Some(info) = &info
            && none_match_holds(headers, &info.etag)
        {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            permit.mark(response.headers_mut(), &info.etag);
            return Ok(response);
        }
        if head && let Some(info) = info {
            return Ok(permit.head(&info));
        }
        // A tag that is weak, or a date, never matches: then the whole is served.
        let unchanged = |tag: &HeaderValue| {
            info.as_ref()
                .is_some_and(|info| strong(&info.etag) && tag.as_bytes() == info.etag.as_bytes())
        };
        let range = range.filter(|_| if_range.is_none_or(unchanged));
        match self.store.get(&permit.key, range).await {
            Err(BlobError::Range) => {
                let size = self.store.head(&permit.key).await?.size;
                let mut response = refusal(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "RANGE_NOT_SATISFIABLE",
                    "the range lies outside the object",
                );
                set(
                    response.headers_mut(),
                    CONTENT_RANGE,
                    &format!("bytes */{size}"),
                );
                Ok(response)
            }
            found => Ok(permit.whole_or_part(found?)),
        }
    }
}

impl Permit {
    fn head(&self, info: &BlobInfo) -> Response {
        let mut response = Body::empty().into_response();
        self.describe(
            response.headers_mut(),
            &info.content_type,
            &info.etag,
            info.size,
        );
        response
    }

    fn whole_or_part(&self, blob: Blob) -> Response {
        let length = blob.length();
        let (total, range) = (blob.total_size, blob.range);
        let key = self.key.clone();
        let body = futures_util::TryStreamExt::inspect_err(blob.body, move |error| {
            tracing::warn!(%key, error = error as &dyn std::error::Error, "an object broke off while it was read");
        });
        // The length is promised below, so a body that fails ends the connection and cannot pass for a whole one.
        let mut response = Body::from_stream(body).into_response();
        self.describe(
            response.headers_mut(),
            &blob.content_type,
            &blob.etag,
            length,
        );
        if let Some(range) = range {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(
                response.headers_mut(),
                CONTENT_RANGE,
                &format!("bytes {}-{}/{total}", range.first, range.last),
            );
        }
        response
    }

    fn describe(&self, headers: &mut HeaderMap, content_type: &str, etag: &str, length: u64) {
        let manner = if self.download {
            "attachment"
        } else {
            "inline"
        };
        // A key's characters need no escape between quotation marks.
        set(
            headers,
            CONTENT_DISPOSITION,
            &format!("{manner}; filename=\"{}\"", self.key.file_name()),
        );
        set(headers, CONTENT_TYPE, content_type);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // Whatever an object says it is, it runs nothing in the name of the edge, and its URL is told to nobody.
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"),
        );
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        self.mark(headers, etag);
    }

    /// What an answer without a body has too.
    fn mark(&self, headers: &mut HeaderMap, etag: &str) {
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        set(
            headers,
            CACHE_CONTROL,
            &format!("private, max-age={}", self.seconds),
        );
        if !etag.is_empty() {
            set(headers, ETAG, etag);
        }
    }
}

/// The range that is asked for; several headers are as good as none.
fn asked_range(headers: &HeaderMap) -> Option<ByteRange> {
    let mut asked = headers.get_all(RANGE).iter();
    let first = asked.next()?.to_str().ok()?;
    if asked.next().is_some() {
        None
    } else {
        ByteRange::parse(first)
    }
}

/// Whether the caller has this object already. Tags are compared weakly, as `If-None-Match` wants it.
fn none_match_holds(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || (!etag.is_empty() && opaque(tag) == opaque(etag)))
}

fn strong(etag: &str) -> bool {
    etag.starts_with('"')
}

/// Sets a header, or leaves it out when the store's text cannot be one.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn failure(key: &ObjectKey, error: &BlobError) -> Response {
    match error {
        BlobError::NotFound => refusal(
            StatusCode::NOT_FOUND,
            "OBJECT_NOT_FOUND",
            "there is no such object",
        ),
        BlobError::Unavailable(_) => {
            tracing::warn!(%key, error = error as &dyn std::error::Error, "an object could not be read");
            let mut response = refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "STORE_UNAVAILABLE",
                "the object store is not available",
            );
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
        _ => {
            tracing::error!(%key, error = error as &dyn std::error::Error, "an object could not be read");
            refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "INTERNAL",
                "the object could not be read",
            )
        }
    }
}

fn refusal(status: StatusCode, reason: &str, message: &str) -> Response {
    let body = serde_json::json!({ "error": { "reason": reason, "message": message } }).to_string();
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
#[path = "door_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "door_failure_tests.rs"]
mod failure_tests;

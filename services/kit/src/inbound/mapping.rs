//! Makes every error of the libraries look like ours: the right code, an `ErrorInfo`, and no internals.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use tonic::{Code, Status};

use super::body::{Mapped, trailers_of};
use super::{AsTold, refuse};
use crate::fault::{Fault, Kind};
use crate::next::Next;

pub(super) async fn map_errors(request: Request, next: impl Next) -> Response {
    let response = next.run(request).await;
    if response.extensions().get::<AsTold>().is_some() {
        return response;
    }
    if let Some(status) = Status::from_header_map(response.headers()) {
        if is_dressed(&status) {
            return response;
        }
        return refuse(translate(&status));
    }
    // Not an answer of gRPC at all: the router's own 405 or 415, for a request that was not one.
    match response.status() {
        http::StatusCode::OK => response.map(|body| Body::new(Mapped::new(body, map_trailers))),
        http::StatusCode::NOT_FOUND => refuse(unknown_method()),
        _ => refuse(Fault::new(
            Kind::Invalid,
            "NOT_GRPC",
            "this is not a gRPC request",
        )),
    }
}

/// The same for an error after the first message.
fn map_trailers(trailers: http::HeaderMap) -> http::HeaderMap {
    match Status::from_header_map(&trailers) {
        Some(status) if !is_dressed(&status) => trailers_of(&translate(&status).into()),
        _ => trailers,
    }
}

/// Whether a status needs nothing done to it.
fn is_dressed(status: &Status) -> bool {
    status.code() == Code::Ok || !status.details().is_empty()
}

/// What an error that a library made means to a caller.
fn translate(status: &Status) -> Fault {
    let text = status.message();
    match status.code() {
        // tonic and prost answer a message that cannot be read with INTERNAL; the fault is the caller's.
        Code::Internal if is_malformed(text) => Fault::new(
            Kind::Invalid,
            "MALFORMED_MESSAGE",
            "the request message cannot be decoded",
        ),
        Code::Unimplemented if text.is_empty() => unknown_method(),
        Code::Unimplemented => Fault::new(Kind::Unimplemented, "ENCODING_UNKNOWN", text),
        // tonic's own limit; the policy's is below it and answers first.
        Code::OutOfRange => Fault::new(Kind::Exhausted, "MESSAGE_TOO_LARGE", text),
        // The caller hung up in the middle of the message; nobody is left to be told, and nothing of ours failed.
        Code::Internal | Code::Unknown
            if text
                .trim_start_matches("h2 protocol error: ")
                .starts_with("error reading a body") =>
        {
            Fault::new(Kind::Cancelled, "CANCELLED", "the request broke off")
        }
        Code::Internal | Code::Unknown | Code::DataLoss => {
            Fault::internal(&std::io::Error::other(text.to_owned()))
        }
        code => {
            let kind = Kind::of(code);
            Fault::new(kind, kind.default_reason(), text)
        }
    }
}

fn is_malformed(text: &str) -> bool {
    [
        "failed to decode Protobuf message",
        "Missing request message",
        "Unexpected EOF decoding stream",
        "unexpected EOF",
        "protocol error: received message with invalid compression flag",
        "protocol error: received message with compressed-flag",
    ]
    .iter()
    .any(|start| text.starts_with(start))
}

pub(super) fn unknown_method() -> Fault {
    Fault::new(
        Kind::Unimplemented,
        "METHOD_UNKNOWN",
        "there is no such method",
    )
}

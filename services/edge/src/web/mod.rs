//! grpc-web made gRPC on the way in and grpc-web again on the way out, chunk by chunk as they come: no message is
//! decoded, and none is kept.
//!
//! The crate tonic-web (0.14.9) did this before. Every case of Connect's suite passes with it too, but the suite has no
//! text form, and breaks no stream. There, as its code reads, the crate refuses base64 that is padded before its end
//! when it comes in one chunk and takes it when it comes in two; takes a body whose last letters are missing for a whole
//! one when HTTP knew its length; writes the trailers into the middle of a message that broke off, where no client can
//! find them; and ends with no status at all when a body fails. The tests of this room are about these.

mod answer;
mod text;

use atelier_kit::next::Next;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use answer::Answer;
use text::Untexted;

/// How the bytes of grpc-web are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Binary,
    /// In base64, for browsers that read no bytes while they come.
    Text,
}

/// In the extensions of a request that speaks grpc-web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// How the request is written.
    pub(crate) asked: Form,
    /// How the answer shall be.
    pub(crate) answered: Form,
}

/// Translates what is [`Spoken`]; everything else passes as it is.
pub(crate) async fn translate(request: Request, next: impl Next) -> Response {
    let Some(spoken) = request.extensions().get::<Spoken>().copied() else {
        return next.run(request).await;
    };
    let request = match spoken.asked {
        Form::Binary => request,
        Form::Text => request.map(|body| Body::new(Untexted::new(body))),
    };
    let mut response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let name = match spoken.answered {
        Form::Binary => "application/grpc-web+proto",
        Form::Text => "application/grpc-web-text+proto",
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(name));
    headers.remove(CONTENT_LENGTH);
    // A status among the headers is the whole answer, here as in gRPC.
    if headers.contains_key("grpc-status") {
        return response.map(|_| Body::empty());
    }
    response.map(|body| Body::new(Answer::new(body, spoken.answered)))
}

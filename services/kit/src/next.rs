//! What follows a layer. Layers that always stand together are functions which call one another, and share one place in the
//! router: each place costs a copy of all that stands behind it and two allocations, for every call.

use std::future::Future;

use axum::extract::Request;
use axum::response::Response;

/// Takes a request from a layer to the next one; any function that answers requests does.
pub trait Next: Send {
    /// What the layers behind answer.
    fn run(self, request: Request) -> impl Future<Output = Response> + Send;
}

impl<F, Answer> Next for F
where
    F: FnOnce(Request) -> Answer + Send,
    Answer: Future<Output = Response> + Send,
{
    fn run(self, request: Request) -> impl Future<Output = Response> + Send {
        self(request)
    }
}

//! What follows a layer. Layers that always stand together are functions which call one another, and share one place in the
//! router: each place costs a copy of all that stands behind it and two allocations, for every call.

use std::future::Future;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use tower::ServiceExt as _;

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

/// Answers what arrives on a listener; a router does.
pub trait Answer: Clone + Send + Sync + 'static {
    /// The answer to one request.
    fn answer(self, request: Request) -> impl Future<Output = Response> + Send;
}

impl Answer for Router {
    async fn answer(self, request: Request) -> Response {
        match self.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

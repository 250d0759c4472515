//! A listener as the mesh has it: the edge on its cores, services on the runtime of the test.

use atelier_kit::cores::Cores;
use atelier_kit::next::Answer;
use atelier_kit::serve::{Bounds, Listener, Side, bind, serve_within};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::instrument::WithSubscriber as _;

/// Serves a router on a socket of its own.
pub async fn listen(answers: impl Answer, side: Side, address: &str) -> (String, DropGuard) {
    let listener = bind(address.parse().unwrap()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let closing = CancellationToken::new();
    // As the mesh has it.
    let cores = match side {
        Side::Edge => Cores::start().unwrap(),
        Side::Inside => Cores::none(),
    };
    let (bounds, closed) = (Bounds::of(side), closing.clone());
    let answers = Logged(answers, tracing::dispatcher::get_default(Clone::clone));
    tokio::spawn(async move {
        serve_within(
            answers,
            Listener::Tcp(listener),
            side,
            bounds,
            &cores,
            closed,
        )
        .await;
    });
    (url, closing.drop_guard())
}

/// Logs on every core what is logged where the test is.
#[derive(Clone)]
struct Logged<A>(A, tracing::Dispatch);

impl<A: Answer> Answer for Logged<A> {
    fn answer(
        self,
        request: axum::extract::Request,
    ) -> impl Future<Output = axum::response::Response> + Send {
        self.0.answer(request).with_subscriber(self.1)
    }
}

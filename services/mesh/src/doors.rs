//! The admin port: `/metrics`, `/livez` and `/readyz`, for operators and probes alone, and the operator's room;
//! liveness never asks a database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse as _;
use axum::routing::get;

use crate::needs::Needs;
use crate::peers::Peers;

/// Whether the process takes calls: it has started, is not ending, and has met whom it needs. A role that is lost
/// later is told, and is no reason to send nobody here any more: then all would be lost with it.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    open: Arc<AtomicBool>,
    peers: Peers,
    needs: Needs,
}

impl Readiness {
    /// Of a process that needs these roles, which run elsewhere, and these servers.
    pub fn new(peers: Peers, needs: Needs) -> Self {
        Self {
            open: Arc::default(),
            peers,
            needs,
        }
    }

    /// From now on it does, or does not.
    pub fn set(&self, ready: bool) {
        self.open.store(ready, Ordering::SeqCst);
    }

    /// Whether it does, and a line for it, for each role elsewhere and for each server.
    fn tell(&self) -> (bool, String) {
        let known = self.peers.known();
        let open = self.open.load(Ordering::SeqCst);
        let (met, servers) = self.needs.tell();
        let ready = open && met && known.values().all(|peer| peer.met);
        let mut text = String::from(if ready { "ready\n" } else { "not ready\n" });
        for (role, peer) in known {
            let is = match (peer.there, peer.met) {
                (true, _) => "there",
                (false, true) => "away",
                (false, false) => "not met yet",
            };
            text.push_str(&format!("{role}: {is}\n"));
        }
        text.push_str(&servers);
        (ready, text)
    }
}

/// The routes of the admin port, those of the operator's room beside its own.
pub fn admin(ready: Readiness, operator: Router) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route(
            "/readyz",
            get(move || async move {
                match ready.tell() {
                    (true, text) => (StatusCode::OK, text),
                    (false, text) => (StatusCode::SERVICE_UNAVAILABLE, text),
                }
            }),
        )
        .route(
            "/metrics",
            get(|| async {
                let text = atelier_kit::telemetry::metrics().render();
                (
                    [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
                    text,
                )
                    .into_response()
            }),
        )
        .merge(operator)
}

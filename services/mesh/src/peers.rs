//! Which other roles answer: each is asked for its health over its link, for `/readyz` and `/metrics`; nothing waits for them.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use atelier_kit::link::Link;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::roster::Seat;

/// How long after an answer the next question is asked.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a role may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of a role that runs elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether it answered when it was asked last.
    pub there: bool,
    /// Whether it has answered since this process started.
    pub met: bool,
}

/// The roles that run elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<RwLock<BTreeMap<&'static str, Known>>>);

impl Peers {
    /// Asks a role again and again until `stop`.
    pub fn follow(
        &self,
        seat: &'static Seat,
        link: Link,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) {
        self.set(seat.role, false);
        let peers = self.clone();
        let mut client = HealthClient::new(link);
        tasks.spawn(async move {
            loop {
                let mut request = tonic::Request::new(HealthCheckRequest {
                    service: seat.first().to_owned(),
                });
                request.set_timeout(PATIENCE);
                let asked = tokio::time::timeout(PATIENCE, client.check(request));
                let answer = tokio::select! {
                    answer = asked => answer,
                    () = stop.cancelled() => return,
                };
                let there = matches!(
                    answer,
                    Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving
                );
                if peers.set(seat.role, there) {
                    if there {
                        tracing::info!(role = seat.role, "a role is there");
                    } else {
                        tracing::warn!(role = seat.role, "a role is away");
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    /// What is known of each, in the order of their names.
    pub fn known(&self) -> BTreeMap<&'static str, Known> {
        self.0
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Whether that is news.
    fn set(&self, role: &'static str, there: bool) -> bool {
        metrics::gauge!("atelier_peer_up", "role" => role).set(f64::from(u8::from(there)));
        let mut known = self
            .0
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = known.entry(role).or_default();
        let news = known.there != there;
        known.there = there;
        known.met |= there;
        news
    }
}

//! The servers that the roles here cannot do without: each is asked again and again, for `/readyz`, for the health of its role
//! and for `/metrics`. Liveness asks none of them: a process is not broken because its database is away.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use atelier_kit::service::Need;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::roster::Seat;

/// How long after an answer the next question is asked.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the servers of each role.
#[derive(Clone, Debug, Default)]
pub struct Needs(Arc<RwLock<BTreeMap<(&'static str, String), Known>>>);

#[derive(Debug, Default)]
struct Known {
    /// Why it is not there.
    missing: Option<String>,
    /// Whether it has answered since this process started.
    met: bool,
}

impl Needs {
    /// Asks the servers of a role, and tells its health by their answers, until `ending`: the end has its own to tell.
    pub fn follow(
        &self,
        seat: &'static Seat,
        needs: Vec<Need>,
        reporter: HealthReporter,
        ending: &CancellationToken,
        tasks: &TaskTracker,
    ) {
        if needs.is_empty() {
            return;
        }
        let (known, ending) = (self.clone(), ending.clone());
        tasks.spawn(async move {
            let mut serving = true;
            loop {
                let mut all = true;
                for need in &needs {
                    let asked = tokio::time::timeout(PATIENCE, (need.ask)());
                    let answer = tokio::select! {
                        answer = asked => answer,
                        () = ending.cancelled() => return,
                    };
                    let missing = match answer {
                        Ok(Ok(())) => None,
                        Ok(Err(why)) => Some(why),
                        Err(_) => Some("it does not answer".to_owned()),
                    };
                    all &= missing.is_none();
                    let status = status(missing.is_none());
                    // As a service of its own, so that health too tells which it is.
                    reporter.set_service_status(kind(need), status).await;
                    known.set(seat.role, need, missing);
                }
                if all != serving && !ending.is_cancelled() {
                    serving = all;
                    crate::mesh::report(&reporter, seat, status(all)).await;
                }
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = ending.cancelled() => return,
                }
            }
        });
    }

    /// A line for each role and server, and whether all have been met. One that is lost later is told, and is no reason to
    /// send nobody here any more: it is lost to the other replicas as well, and whoever comes is told when to come again.
    pub fn tell(&self) -> (bool, String) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for ((role, engine), known) in known.iter() {
            let is = match &known.missing {
                None => "there".to_owned(),
                Some(why) => format!("missing ({why})"),
            };
            text.push_str(&format!("{role} on {engine}: {is}\n"));
        }
        (known.values().all(|known| known.met), text)
    }

    fn set(&self, role: &'static str, need: &Need, missing: Option<String>) {
        let up = f64::from(u8::from(missing.is_none()));
        metrics::gauge!("atelier_engine_up", "service" => role, "engine" => need.engine.clone())
            .set(up);
        let engine = &need.engine;
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry((role, engine.clone())).or_default();
        known.met |= missing.is_none();
        let before = std::mem::replace(&mut known.missing, missing);
        match (before, &known.missing) {
            (None, Some(why)) => tracing::warn!(role, %engine, why, "an engine is away"),
            (Some(_), None) => tracing::info!(role, %engine, "an engine is there again"),
            _ => {}
        }
    }
}

fn status(is_there: bool) -> ServingStatus {
    match is_there {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    }
}

/// What kind of server it is, as in `postgres`.
fn kind(need: &Need) -> &str {
    need.engine.split(' ').next().unwrap_or(&need.engine)
}

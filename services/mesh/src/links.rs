//! The routes to all roles, made before any service: in memory to those that run here, to all replicas of the others.

use std::collections::BTreeMap;

use atelier_kit::link::{PipeListener, Route, pipe};
use atelier_kit::tls::MeshTls;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::roster::ROSTER;
use crate::routes::Guide;

/// The routes to all roles, and the listening ends of those that run here. Those to the others are kept as their file says,
/// until `stop`.
pub fn routes(
    config: &Config,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> (
    BTreeMap<String, Route>,
    BTreeMap<&'static str, PipeListener>,
) {
    let mut routes = BTreeMap::new();
    let mut listeners = BTreeMap::new();
    for plan in &config.plans {
        let (near, far) = pipe();
        routes.insert(plan.seat.role.to_owned(), Route::Memory(near));
        listeners.insert(plan.seat.role, far);
    }
    let mut guide = Guide::default();
    for seat in ROSTER {
        let Some(urls) = config.addresses.get(seat.role) else {
            continue;
        };
        routes.entry(seat.role.to_owned()).or_insert_with(|| {
            let replicas = guide.lead_to(seat.role, urls, &config.routes.said);
            Route::Replicas(replicas.asked_for(seat.first()))
        });
    }
    if let Some(file) = config.routes.file.clone() {
        let stop = stop.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = guide.follow(file) => {}
            }
        });
    }
    (routes, listeners)
}

/// The routes as one role takes them: where there are certificates of the mesh, it shows its own.
pub fn as_role(
    routes: &BTreeMap<String, Route>,
    certificates: Option<MeshTls>,
) -> BTreeMap<String, Route> {
    let mut routes = routes.clone();
    let Some(tls) = certificates else {
        return routes;
    };
    for route in routes.values_mut() {
        // Whether they are shown is told by the URLs, which may become others.
        if let Route::Replicas(replicas) = route {
            *replicas = replicas.clone().with_certificates(tls.clone());
        }
    }
    routes
}

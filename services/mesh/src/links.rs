//! The routes to all roles, made before any service: in memory to those that run here, to all replicas of the others.

use std::collections::BTreeMap;

use atelier_kit::link::{PipeListener, Replicas, Route, pipe};
use atelier_kit::tls::MeshTls;

use crate::config::Config;
use crate::roster::ROSTER;

/// The routes to all roles, and the listening ends of those that run here.
pub fn routes(
    config: &Config,
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
    for seat in ROSTER {
        let Some(urls) = config.addresses.get(seat.role) else {
            continue;
        };
        routes
            .entry(seat.role.to_owned())
            .or_insert_with(|| Route::Replicas(Replicas::at(urls.clone()).asked_for(seat.first())));
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
        if let Route::Replicas(replicas) = route
            && replicas.are_secured()
        {
            *replicas = replicas.clone().with_certificates(tls.clone());
        }
    }
    routes
}

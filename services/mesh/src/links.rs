//! The routes to all roles, made before any service: in memory to those that run here, by URL to the others.

use std::collections::BTreeMap;

use atelier_kit::link::{PipeListener, Route, pipe};
use atelier_kit::tls::MeshTls;

use crate::config::Config;

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
    for (role, url) in &config.addresses {
        routes
            .entry((*role).to_owned())
            .or_insert_with(|| Route::Url(url.clone()));
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
        if let Route::Url(url) = route
            && url.scheme() == "https"
        {
            *route = Route::Mesh(url.clone(), tls.clone());
        }
    }
    routes
}

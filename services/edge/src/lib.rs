#![doc = include_str!("../README.md")]

mod address;
mod bare;
mod config;
mod cors;
mod dialect;
mod doorkeeper;
mod exchange;
mod forward;
mod health;
mod keys;
mod objects;
mod origins;
mod page;
mod plain;
mod reflection;
mod remainder;
mod retry;
mod stack;
mod web;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use atelier_kit::identity::{AccessVerifier, KeySource};
use atelier_kit::inbound::Inbound;
use atelier_kit::limit::Limits;
use atelier_kit::link::Link;
use atelier_kit::policy::{Access, Idempotency, Policies, Policy};
use atelier_kit::service::{Foundation, StartError};
use atelier_kit::stopgap::Stopgap;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

pub use address::Proxies;
pub use config::{
    CORS_ORIGINS, CORS_ORIGINS_FILE, EdgeConfig, MAX_CALLS, PUBLIC_URL, SETTINGS, TRUSTED_PROXIES,
};
use doorkeeper::Doorkeeper;
use exchange::Exchange;
pub use exchange::{ApiKeyExchange, Exchanged};
use forward::{Destinations, Onward};
use objects::Shelves;
use origins::Current;
pub use origins::Origins;
use retry::Retries;
pub use stack::Edge;
use stack::{Calls, Outside};

/// A service behind the edge.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Its full name, as in `atelier.users.v1.UsersService`.
    pub service: &'static str,
    /// The role that has it, as in `users`.
    pub role: &'static str,
    /// The way there.
    pub link: Link,
}

/// Everything the edge is made of; it knows no service but those it is given.
pub struct Door {
    /// The settings.
    pub config: EdgeConfig,
    /// The services behind the edge.
    pub roster: Vec<Destination>,
    /// The policies of all their methods.
    pub policies: Policies,
    /// The contract, as an encoded `FileDescriptorSet`.
    pub descriptor: &'static [u8],
    /// Where the public keys come from.
    pub jwks: Arc<dyn KeySource>,
    /// Verifies access tokens before a call is forwarded; with those of the services in this process it shares what it
    /// remembers.
    pub access: AccessVerifier,
    /// Where API keys are exchanged for access tokens.
    pub api_keys: Arc<dyn ApiKeyExchange>,
    /// The roles that have objects; each is in the roster.
    pub object_roles: Vec<&'static str>,
    /// What calls draw from that come without a token.
    pub limits: Arc<Limits>,
    /// Cancelled when the process is about to go: calls are still taken then, and whoever asks for the health of the
    /// door is told to take another.
    pub leaving: CancellationToken,
}

/// Builds the edge: it takes grpc-web, gRPC and plain HTTP, for [`atelier_kit::serve::serve_within`]
/// with `Side::Edge`. Health is asked in the background until `foundation.stop`.
///
/// An error when the descriptor cannot be read, or when a role with objects is not in the roster.
pub fn build(door: Door, foundation: &Foundation) -> Result<Edge, StartError> {
    if door.config.origins.are_any() {
        let what = "pages of any origin may call the edge (ATELIER_CORS_ORIGINS)";
        foundation.stopgaps.uses(Stopgap::AnyOrigin, what);
    }
    let origins = Current::new(door.config.origins.clone());
    if let Some(file) = door.config.origins_file.clone() {
        let followed = origins.clone().follow(file, door.config.own.clone());
        let stopped = foundation.stop.clone().cancelled_owned();
        foundation.tasks.spawn(async move {
            tokio::select! {
                () = stopped => {}
                () = followed => {}
            }
        });
    }
    let shelves = Shelves::new(links_of(&door)?);
    let page = page::text(&door);
    let links = door.roster.iter().map(|d| (d.service, d.link.clone()));
    let exchange = Arc::new(Exchange::new(door.api_keys));
    let doorkeeper = Doorkeeper::new(door.access, exchange.clone());
    let onward = Onward {
        destinations: Destinations::new(links),
        exchange,
        retries: Retries::new(&door.policies, &door.roster),
    };

    let health = health::follow(&door.roster, &door.leaving, foundation);
    let own = Router::new()
        .route_service(HEALTH_CHECK, health.clone())
        .route_service(HEALTH_WATCH, health)
        .merge(reflection::routes(door.descriptor)?);
    let layers = Inbound::edge("edge", door.policies, door.config.max_calls)
        .kept_by(doorkeeper)
        .limited(door.limits);
    let calls = Arc::new(Calls {
        bare: door.config.bare_errors,
        own: (Inbound::edge("edge", own_policies(), OWN_CALLS), own),
        others: (layers, onward),
    });

    let unknown = calls.clone();
    let plain = Router::new()
        .route("/", get(move || async move { page }).fallback(only_get))
        .route(
            "/.well-known/jwks.json",
            get(keys::get)
                .fallback(only_get)
                .with_state(Arc::new(keys::Keys::new(door.jwks))),
        )
        .route(
            "/objects/{role}/{*key}",
            get(objects::carry).fallback(only_get).with_state(shelves),
        )
        .fallback(move |request| async move { unknown.answer(request).await });
    Ok(Edge::from(Outside {
        origins,
        proxies: door.config.proxies,
        plain,
        calls,
    }))
}

const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";
/// How many questions of health and reflection may be under way; a place of their own, so that watchers take none
/// from calls.
const OWN_CALLS: usize = 256;

/// The policies of what the edge answers itself: anyone may ask, and a stream ends after an hour.
fn own_policies() -> Policies {
    let policy = |deadline, server_streaming| Policy {
        access: Access::Public,
        rate_bucket: "read".to_owned(),
        credit_class: "free".to_owned(),
        idempotency: Idempotency::Safe,
        max_request_bytes: 16 * 1024,
        deadline,
        client_streaming: false,
        server_streaming,
        scope: None,
    };
    let hour = Duration::from_secs(3600);
    Policies::new([
        (
            HEALTH_CHECK.to_owned(),
            policy(Duration::from_secs(5), false),
        ),
        (HEALTH_WATCH.to_owned(), policy(hour, true)),
        (reflection::V1.to_owned(), policy(hour, true)),
        (reflection::V1ALPHA.to_owned(), policy(hour, true)),
    ])
}

fn links_of(door: &Door) -> Result<HashMap<&'static str, Link>, StartError> {
    door.object_roles
        .iter()
        .map(|role| {
            let destination = door.roster.iter().find(|d| d.role == *role);
            let destination = destination.ok_or_else(|| {
                StartError::other(format!("objects of {role}"), "no such role in the roster")
            })?;
            Ok((*role, destination.link.clone()))
        })
        .collect()
}

async fn only_get() -> Response {
    plain::method_not_allowed("GET")
}

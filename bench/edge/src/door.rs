//! The edge as the mesh serves it in a process of its own, with one service behind it: the same door on the same listener, on the
//! same runtime. Its roster and its policies alone are the bench's.

use std::sync::Arc;

use atelier_edge::{Destination, Door, EdgeConfig};
use atelier_kit::config::Settings;
use atelier_kit::cores::Cores;
use atelier_kit::identity::{AccessVerifier, KEY_LEAD, ServiceTokens};
use atelier_kit::limit::Limits;
use atelier_kit::link::{Link, Replicas, Route};
use atelier_kit::serve::{Bounds, Listener, Side, bind, serve_within};
use atelier_kit::testing::{foundation, secret};
use bench_report::local;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::checks::{Checks, Keys, NoApiKeys};
use crate::service::{ROLE, SERVICE, policies};

/// The threshold from which on glibc gives memory back at once, as the program tells it to be.
pub const ALLOCATOR: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=131072",
);

/// Serves it until the process is ended.
pub async fn run(port: u16, behind: u16, checks: Checks) -> anyhow::Result<()> {
    let keys = Arc::new(Keys::read(&checks.keys)?);
    let url: Url = format!("http://{}", local(behind)).parse()?;
    let replicas = Replicas::at(vec![url]).asked_for(SERVICE);
    let tokens = ServiceTokens::new(&secret(), "edge");
    let folder = tempfile::tempdir()?;
    let door = Door {
        config: EdgeConfig::read(&Settings::new([])),
        roster: vec![Destination {
            service: SERVICE,
            role: ROLE,
            link: Link::new(ROLE, &Route::Replicas(replicas), Some(tokens))?,
        }],
        policies: policies(),
        // The whole contract, so that what the edge keeps of it in memory is there.
        descriptor: atelier_proto::DESCRIPTOR,
        jwks: keys.clone(),
        access: AccessVerifier::with_lead(keys, KEY_LEAD),
        api_keys: Arc::new(NoApiKeys),
        object_roles: Vec::new(),
        limits: Arc::new(Limits::local(checks.table()?)),
        leaving: CancellationToken::new(),
    };
    let router = atelier_edge::build(door, &foundation("edge", folder.path()))?;
    let listener = Listener::Tcp(bind(local(port)).await?);
    let (bounds, cores) = (Bounds::of(Side::Edge), Cores::start()?);
    let endless = CancellationToken::new();
    serve_within(router, listener, Side::Edge, bounds, &cores, endless).await;
    Ok(())
}

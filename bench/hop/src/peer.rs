//! The called role, served and linked the way the mesh serves and links one; each place it can be in.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use atelier_kit::identity::{AccessVerifier, ServiceTokens, Verifier};
use atelier_kit::inbound::Inbound;
use atelier_kit::link::{Link, Route, pipe};
use atelier_kit::policy::{Access, Idempotency, Policies, Policy};
use atelier_kit::serve::{Listener, Side, bind, serve};
use atelier_kit::service::Service;
use atelier_kit::testing::{Issuer, secret};
use atelier_kit::tls::{Authority, MeshTls};
use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use url::Url;

use crate::call::Checks;
use crate::echo::{Echo, FOR_ACCOUNTS, FOR_ANYONE, FOR_SERVICES};

/// The called role.
const ROLE: &str = "echo";
/// The calling role.
const CALLER: &str = "bench";

/// Where the called role is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its routes are called like a function. Atelier never does that; it is what there is below a link.
    Direct,
    /// In this process, over in-memory HTTP/2.
    Memory,
    /// Behind a loopback socket, in the clear.
    Loopback,
    /// Behind a loopback socket, with TLS and certificates of the mesh on both sides.
    Tls,
}

impl Place {
    /// All, from the nearest to the farthest.
    pub const ALL: [Self; 4] = [Self::Direct, Self::Memory, Self::Loopback, Self::Tls];

    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "no link (reference)",
            Self::Memory => "in memory",
            Self::Loopback => "loopback",
            Self::Tls => "loopback with TLS",
        }
    }
}

/// What a call is made on.
pub enum Peer {
    /// The routes themselves.
    Routes(Router),
    /// A link to them.
    Link(Link),
}

/// Starts the role. It runs as long as the runtime does.
pub async fn start(place: Place, checks: Checks, issuer: &Issuer) -> anyhow::Result<Peer> {
    let routes = Service::new(Routes::new(Echo)).grpc;
    let routes = match checks {
        Checks::None => routes,
        Checks::Nobody | Checks::Service | Checks::Account => guarded(routes, issuer),
    };
    let (route, listener) = match place {
        Place::Direct => return Ok(Peer::Routes(routes)),
        Place::Memory => {
            let (near, far) = pipe();
            (Route::Memory(near), Listener::Memory(far))
        }
        Place::Loopback => {
            let (socket, url) = socket("http").await?;
            (Route::Url(url), Listener::Tcp(socket))
        }
        Place::Tls => {
            let (socket, url) = socket("https").await?;
            let folder = tempfile::tempdir()?;
            let authority = Authority::in_folder(folder.path())?;
            for role in [ROLE, CALLER] {
                authority.issue(role, &[], 1)?;
            }
            let (near, far) = (
                MeshTls::read(folder.path(), CALLER)?,
                MeshTls::read(folder.path(), ROLE)?,
            );
            (Route::Mesh(url, near), Listener::Tls(socket, far.server()))
        }
    };
    tokio::spawn(serve(
        routes,
        listener,
        Side::Inside,
        CancellationToken::new(),
    ));
    let tokens = ServiceTokens::new(&secret(), CALLER);
    Ok(Peer::Link(Link::new(ROLE, &route, Some(tokens))?))
}

/// A loopback socket, and how it is reached.
async fn socket(scheme: &str) -> anyhow::Result<(TcpListener, Url)> {
    let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let url = format!("{scheme}://{}", socket.local_addr()?);
    Ok((socket, url.parse()?))
}

/// The routes behind the layers that every service of the mesh has.
fn guarded(routes: Router, issuer: &Issuer) -> Router {
    let policy = |access| Policy {
        access,
        rate_bucket: "read".into(),
        credit_class: "free".into(),
        idempotency: Idempotency::Safe,
        max_request_bytes: 1 << 20,
        deadline: Duration::from_secs(20),
        client_streaming: false,
        server_streaming: false,
        scope: None,
    };
    let policies = Policies::new([
        (FOR_ANYONE.to_owned(), policy(Access::Public)),
        (FOR_ACCOUNTS.to_owned(), policy(Access::User)),
        (FOR_SERVICES.to_owned(), policy(Access::Internal)),
    ]);
    let verifier = Verifier::new(
        AccessVerifier::new(Arc::new(issuer.clone())),
        Some(ServiceTokens::new(&secret(), ROLE)),
        ROLE,
    );
    Inbound::new(ROLE, policies, verifier, 4096).guard(routes)
}

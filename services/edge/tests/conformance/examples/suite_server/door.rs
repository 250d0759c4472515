//! The edge on a socket with one service behind it.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use atelier_conformance::DESCRIPTOR;
use atelier_edge::{ApiKeyExchange, Destination, Door, EdgeConfig, Exchanged};
use atelier_kit::config::Settings;
use atelier_kit::cores::Cores;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::{AccessVerifier, KeySource};
use atelier_kit::limit::{Limits, Table};
use atelier_kit::link::{Link, Route, pipe};
use atelier_kit::policy::{Access, Idempotency, Policies, Policy};
use atelier_kit::serve::{Bounds, Listener, Side, bind, serve, serve_within};
use atelier_kit::service::Service;
use atelier_kit::testing::{Issuer, foundation, mount_route};
use atelier_kit::tls::ServerTls;
use axum::Router;
use secrecy::SecretString;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::service::Routes;

/// The service behind the edge.
pub(crate) struct Behind {
    pub(crate) service: &'static str,
    /// The name, whether it takes a stream, whether it answers with one.
    pub(crate) methods: &'static [(&'static str, bool, bool)],
    pub(crate) routes: Router,
    /// How many bytes a message may have.
    pub(crate) limit: usize,
    /// Whether calls pass the layers that every service here has, and errors of the edge have their details. What does
    /// not belong to the house has none of either.
    pub(crate) of_the_house: bool,
}

impl Behind {
    fn policies(&self) -> Policies {
        Policies::new(self.methods.iter().map(|(method, many, stream)| {
            let path = format!("/{}/{method}", self.service);
            (path, policy(self.limit, *many, *stream))
        }))
    }

    /// Serves it in memory, and says how it is reached there.
    fn mount(&self) -> (Route, DropGuard) {
        if self.of_the_house {
            let service = Service::new(Routes::from(self.routes.clone()));
            return mount_route(service, "suite", self.policies(), &Issuer::new());
        }
        let closing = CancellationToken::new();
        let (near, far) = pipe();
        let memory = Listener::Memory(far);
        let serving = serve(self.routes.clone(), memory, Side::Inside, closing.clone());
        tokio::spawn(serving);
        (Route::Memory(near), closing.drop_guard())
    }
}

/// An edge that takes calls for as long as this lives.
pub(crate) struct Open {
    pub(crate) address: SocketAddr,
    _closing: [DropGuard; 2],
    _folder: tempfile::TempDir,
}

impl Open {
    /// With TLS if there are a certificate and a key in PEM.
    pub(crate) async fn new(
        behind: Behind,
        creds: Option<(Vec<u8>, Vec<u8>)>,
    ) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let closing = CancellationToken::new();
        let (route, mounted) = behind.mount();
        let mut config = EdgeConfig::read(&Settings::new(std::iter::empty::<(String, String)>()));
        if !behind.of_the_house {
            config = config.with_bare_errors();
        }
        let door = Door {
            config,
            roster: vec![Destination {
                service: behind.service,
                role: "suite",
                link: Link::new("suite", &route, None)?,
            }],
            policies: behind.policies(),
            descriptor: DESCRIPTOR,
            jwks: Arc::new(Nobody),
            access: AccessVerifier::new(Arc::new(Nobody)),
            api_keys: Arc::new(Nobody),
            object_roles: Vec::new(),
            limits: Arc::new(Limits::local(Table::unlimited())),
            leaving: CancellationToken::new(),
        };
        let router = atelier_edge::build(door, &foundation("edge", folder.path()))?;
        let socket = bind(([127, 0, 0, 1], 0).into()).await?;
        let address = socket.local_addr()?;
        let listener = match creds {
            None => Listener::Tcp(socket),
            Some((chain, key)) => {
                let (chain_file, key_file) =
                    (folder.path().join("c.pem"), folder.path().join("k.pem"));
                std::fs::write(&chain_file, chain)?;
                std::fs::write(&key_file, key)?;
                Listener::Tls(socket, ServerTls::public(chain_file, key_file)?)
            }
        };
        let (bounds, cores) = (Bounds::of(Side::Edge), Cores::start()?);
        let closed = closing.clone();
        tokio::spawn(async move {
            serve_within(router, listener, Side::Edge, bounds, &cores, closed).await;
        });
        Ok(Self {
            address,
            _closing: [closing.drop_guard(), mounted],
            _folder: folder,
        })
    }
}

fn policy(limit: usize, client_streaming: bool, server_streaming: bool) -> Policy {
    Policy {
        access: Access::Public,
        rate_bucket: "internal".to_owned(),
        credit_class: "free".to_owned(),
        idempotency: Idempotency::None,
        max_request_bytes: limit,
        deadline: Duration::from_secs(3600),
        client_streaming,
        server_streaming,
        scope: None,
    }
}

/// Nobody has a key here, and nobody needs one.
struct Nobody;

#[async_trait]
impl KeySource for Nobody {
    async fn fetch(&self) -> Result<String, Fault> {
        Err(away())
    }
}

#[async_trait]
impl ApiKeyExchange for Nobody {
    async fn exchange(&self, _: SecretString) -> Result<Exchanged, Fault> {
        Err(away())
    }
}

fn away() -> Fault {
    Fault::new(Kind::Unavailable, "AWAY", "there is nobody to ask")
}

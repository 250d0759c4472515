//! The edge on a socket with one service behind it, which knows nothing of the house.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use atelier_conformance::DESCRIPTOR;
use atelier_edge::{ApiKeyExchange, Destination, Door, EdgeConfig, Exchanged};
use atelier_kit::config::Settings;
use atelier_kit::fault::{Fault, Kind};
use atelier_kit::identity::{AccessVerifier, KeySource};
use atelier_kit::limit::{Limits, Table};
use atelier_kit::link::{Link, Route, pipe};
use atelier_kit::policy::{Access, Idempotency, Policies, Policy};
use atelier_kit::serve::{Listener, Side, bind, serve};
use atelier_kit::testing::foundation;
use atelier_kit::tls::ServerTls;
use axum::Router;
use secrecy::SecretString;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The service behind the edge.
pub(crate) struct Behind {
    pub(crate) service: &'static str,
    /// The name, whether it takes a stream, whether it answers with one.
    pub(crate) methods: &'static [(&'static str, bool, bool)],
    pub(crate) routes: Router,
    /// How many bytes a message may have.
    pub(crate) limit: usize,
}

/// An edge that takes calls for as long as this lives.
pub(crate) struct Open {
    pub(crate) address: SocketAddr,
    _closing: DropGuard,
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
        let (near, far) = pipe();
        let memory = Listener::Memory(far);
        tokio::spawn(serve(behind.routes, memory, Side::Inside, closing.clone()));

        let policies = behind.methods.iter().map(|(method, many, stream)| {
            let path = format!("/{}/{method}", behind.service);
            (path, policy(behind.limit, *many, *stream))
        });
        let door = Door {
            config: EdgeConfig::read(&Settings::new(std::iter::empty::<(String, String)>()))
                .with_bare_errors(),
            roster: vec![Destination {
                service: behind.service,
                role: "suite",
                link: Link::new("suite", &Route::Memory(near), None)?,
            }],
            policies: Policies::new(policies),
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
        tokio::spawn(serve(router, listener, Side::Edge, closing.clone()));
        Ok(Self {
            address,
            _closing: closing.drop_guard(),
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

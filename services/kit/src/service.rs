//! What the mesh hands to a service, and what it gets back; the mesh alone decides where it is served.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::ConfigError;
use crate::link::Links;
use crate::objects::BlobStore;
use crate::page::Pages;
use crate::secret::MeshSecret;

/// What a service stands on.
#[derive(Clone)]
pub struct Foundation {
    /// The service's role, as in `llm-chat`.
    pub role: &'static str,
    /// The mesh secret.
    pub secret: MeshSecret,
    /// The service's own folder; it exists.
    pub data: PathBuf,
    /// The links to all roles.
    pub links: Links,
    /// Page tokens.
    pub pages: Pages,
    /// The service's own object store, where its role has one.
    pub objects: Option<Arc<dyn BlobStore>>,
    /// Cancelled when no new calls are taken: streams that would last for ever end then, so that the drain waits only
    /// for calls that somebody waits for.
    pub closing: CancellationToken,
    /// Cancelled when background work must end.
    pub stop: CancellationToken,
    /// Background work is spawned here, so that the end can wait for it.
    pub tasks: TaskTracker,
}

/// Something to do when the service ends.
pub type Ending = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// One line of the inventory: which adapter a port got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The port, as in `records`.
    pub port: &'static str,
    /// The adapter, as in `sqlite /home/ana/.local/share/atelier/users/users.db`.
    pub adapter: String,
}

/// A service that is ready to be served.
pub struct Service {
    /// Its gRPC routes, without any layer.
    pub grpc: Router,
    /// Its plain HTTP routes, which the gRPC layers do not guard; they guard themselves.
    pub plain: Router,
    /// Which adapter each port got.
    pub inventory: Vec<Adapter>,
    /// Ends running work early and durably, when the time for draining is over.
    pub interrupt: Option<Ending>,
    /// Closes what is open, after the last call.
    pub close: Option<Ending>,
}

impl Service {
    /// A service of these gRPC routes.
    pub fn new(routes: tonic::service::Routes) -> Self {
        Self {
            grpc: routes.into_axum_router(),
            plain: Router::new(),
            inventory: Vec::new(),
            interrupt: None,
            close: None,
        }
    }

    /// Adds plain HTTP routes.
    #[must_use]
    pub fn with_plain(mut self, routes: Router) -> Self {
        self.plain = self.plain.merge(routes);
        self
    }

    /// Tells which adapter a port got.
    #[must_use]
    pub fn with_adapter(mut self, port: &'static str, adapter: impl Into<String>) -> Self {
        self.inventory.push(Adapter {
            port,
            adapter: adapter.into(),
        });
        self
    }

    /// What ends running work when the time for draining is over.
    #[must_use]
    pub fn on_interrupt<F>(mut self, ending: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.interrupt = Some(Box::new(move || Box::pin(ending())));
        self
    }

    /// What closes the service after its last call.
    #[must_use]
    pub fn on_close<F>(mut self, ending: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.close = Some(Box::new(move || Box::pin(ending())));
        self
    }
}

/// Why a service could not be built.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] crate::sqlite::OpenError),
    /// Something else that is needed at the start.
    #[error("{what}: {source}")]
    Other {
        /// What was tried.
        what: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StartError {
    /// What was tried, and what went wrong.
    pub fn other(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Other {
            what: what.into(),
            source: source.into(),
        }
    }
}

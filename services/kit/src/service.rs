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
use crate::mongo::{Mongo, MongoServer};
use crate::objects::BlobStore;
use crate::page::Pages;
use crate::redis::RedisServer;
use crate::secret::MeshSecret;
use crate::sql::{Database, Migrations, OpenError, PostgresServer};
use crate::stopgap::{Stopgap, Stopgaps};

/// What a service stands on.
#[derive(Clone)]
pub struct Foundation {
    /// The service's role, as in `llm-chat`.
    pub role: &'static str,
    /// The mesh secret.
    pub secret: MeshSecret,
    /// The service's own folder; it exists.
    pub data: PathBuf,
    /// The servers that services keep things on, where an operator has them.
    pub engines: Engines,
    /// What is no ground for a service in earnest: whoever stands on it says so here.
    pub stopgaps: Stopgaps,
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

/// The servers that services keep things on. What is not there is embedded: files and memory.
#[derive(Clone, Debug, Default)]
pub struct Engines {
    /// Accounts, credits, pictures and conversions: a schema for each service.
    pub postgres: Option<PostgresServer>,
    /// Conversations and usage.
    pub mongodb: Option<MongoServer>,
    /// What replicas share while a generation runs: its events, and what limits have counted.
    pub redis: Option<RedisServer>,
}

impl Foundation {
    /// The rows of this service: in its schema on the PostgreSQL server, or where there is none in this file of its folder.
    pub async fn database(
        &self,
        file: &str,
        migrations: &[Migrations],
    ) -> Result<Database, OpenError> {
        match &self.engines.postgres {
            Some(server) => Database::schema(server, self.role, migrations).await,
            None => {
                let what = format!("rows of {} in a file (ATELIER_POSTGRES_URL)", self.role);
                self.stopgaps.uses(Stopgap::Sqlite, what);
                Database::file(&self.data.join(file), migrations).await
            }
        }
    }
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

/// A server that a service cannot do without, and how it is asked whether it is there.
#[derive(Clone)]
pub struct Need {
    /// Which, as in `postgres db:5432/atelier, schema users`.
    pub engine: String,
    /// Asks it. The answer is why it is not there.
    pub ask: Arc<dyn Fn() -> Asked + Send + Sync>,
}

/// An answer that is on its way.
pub type Asked = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A service that is ready to be served.
pub struct Service {
    /// Its gRPC routes, without any layer.
    pub grpc: Router,
    /// Its plain HTTP routes, which the gRPC layers do not guard; they guard themselves.
    pub plain: Router,
    /// Which adapter each port got.
    pub inventory: Vec<Adapter>,
    /// The servers it cannot do without.
    pub needs: Vec<Need>,
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
            needs: Vec::new(),
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

    /// Tells which server it cannot do without, and how to ask whether it is there.
    #[must_use]
    pub fn with_need<F>(
        mut self,
        engine: impl Into<String>,
        ask: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.needs.push(Need {
            engine: engine.into(),
            ask: Arc::new(move || Box::pin(ask())),
        });
        self
    }

    /// The same for servers that somebody below knows.
    #[must_use]
    pub fn with_needs(mut self, needs: Vec<Need>) -> Self {
        self.needs.extend(needs);
        self
    }

    /// The same for the database of its rows; a file is always there.
    #[must_use]
    pub fn with_database(self, database: &Database) -> Self {
        if database.is_embedded() {
            return self;
        }
        let asked = database.clone();
        self.with_need(database.to_string(), move || {
            let asked = asked.clone();
            async move { asked.ping().await.map_err(|error| error.to_string()) }
        })
    }

    /// The same for its database on a MongoDB server.
    #[must_use]
    pub fn with_mongo(self, mongo: &Mongo) -> Self {
        let asked = mongo.clone();
        self.with_need(mongo.to_string(), move || {
            let asked = asked.clone();
            async move { asked.ping().await.map_err(|error| error.to_string()) }
        })
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
    Database(#[from] OpenError),
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

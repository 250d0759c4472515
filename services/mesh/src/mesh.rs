//! The running process: its services on their listeners, and its end in a bounded time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use atelier_edge::{Destination, Door};
use atelier_kit::cores::Cores;
use atelier_kit::identity::{AccessVerifier, Revocations, ServiceTokens, Verifier};
use atelier_kit::inbound::Inbound;
use atelier_kit::limit::Limits;
use atelier_kit::link::{Links, Route};
use atelier_kit::page::Pages;
use atelier_kit::policy::Policies;
use atelier_kit::secret::{MeshSecret, SecretError};
use atelier_kit::serve::{Listener, Side, bind, serve, serve_within};
use atelier_kit::service::{Adapter, Ending, Foundation, StartError};
use axum::Router;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use url::Url;

use crate::config::Config;
use crate::doors::{self, Readiness};
use crate::keys::{UsersExchange, UsersKeys};
use crate::needs::Needs;
use crate::peers::Peers;
use crate::revocations::UsersRevocations;
use crate::roster::{EDGE, KEYS, ROSTER, Seat};
use crate::{limits, links, objects, operator, profile, roster, running};

/// How long the end may take after the time for draining is over.
const LAST_SECONDS: Duration = Duration::from_secs(5);

/// How long a start waits for the first news of revocations from a role in the same process.
const FIRST_NEWS: Duration = Duration::from_secs(2);

/// What all roles of the process share.
struct Ground {
    secret: MeshSecret,
    policies: Policies,
    routes: BTreeMap<String, Route>,
    revocations: Revocations,
    limits: Arc<Limits>,
    access: OnceLock<AccessVerifier>,
}

impl Ground {
    /// Verifies access tokens: one for all roles here, so that the keys are fetched once and what holds is remembered once.
    fn access(&self, foundation: &Foundation, config: &Config) -> AccessVerifier {
        let keys = || Arc::new(UsersKeys::new(foundation.links.to(KEYS)));
        let made = || AccessVerifier::with_lead(keys(), config.key_lead);
        self.access.get_or_init(made).clone()
    }

    /// The routes as one role takes them: where there are certificates of the mesh, it shows its own.
    fn routes_of(
        &self,
        config: &Config,
        role: &str,
    ) -> Result<BTreeMap<String, Route>, StartError> {
        Ok(links::as_role(&self.routes, config.certs.of(role)?))
    }
}

/// One service of the inventory.
pub struct Entry {
    /// Its role.
    pub role: &'static str,
    /// Where it listens.
    pub address: String,
    /// The adapter of each of its ports.
    pub adapters: Vec<Adapter>,
}

/// A running process.
pub struct Mesh {
    /// Where everything is kept.
    pub data: PathBuf,
    /// What runs.
    pub inventory: Vec<Entry>,
    /// The edge as callers on this machine reach it, where it runs here.
    pub edge_url: Option<Url>,
    /// The authority to trust there, a PEM file, when it is one of Atelier's own.
    pub edge_ca: Option<PathBuf>,
    /// The admin port.
    pub admin_address: SocketAddr,
    ready: Readiness,
    health: Vec<(HealthReporter, &'static Seat)>,
    ending: CancellationToken,
    closing: CancellationToken,
    servers: TaskTracker,
    stop: CancellationToken,
    tasks: TaskTracker,
    interrupts: Vec<Ending>,
    closes: Vec<Ending>,
    drain: Duration,
    lame_duck: Duration,
}

impl Mesh {
    /// Starts all roles of the configuration. Returns when every listener is open.
    pub async fn start(mut config: Config) -> anyhow::Result<Self> {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (routes, mut pipes) = links::routes(&config, &tasks, &stop);
        let ground = Ground {
            secret: prepare(&config)?,
            policies: Policies::read(atelier_proto::DESCRIPTOR)?,
            routes,
            revocations: Revocations::unknown(),
            limits: config
                .limits
                .open(&config.engines, &config.stopgaps, &tasks, &stop)?,
            access: OnceLock::new(),
        };
        limits::know_every_bucket(&ground.policies)?;

        // The edge's socket first: its port is a part of every object's URL.
        let edge_socket = match &config.edge {
            Some(_) => Some(listen(&config, config.port, "the edge").await?),
            None => None,
        };
        let scheme = if config.certs.edge.is_on() {
            "https"
        } else {
            "http"
        };
        let edge_url = edge_socket
            .as_ref()
            .map(|socket| socket.local_addr())
            .transpose()?
            .map(|address| Url::parse(&format!("{scheme}://localhost:{}", address.port())))
            .transpose()?;
        let public_url = public_url(&config, edge_url.as_ref())?;
        let admin_socket = listen(&config, config.admin_port, "the admin port").await?;

        let (peers, needs) = (Peers::default(), Needs::default());
        let mut mesh = Self {
            data: config.data.clone(),
            inventory: Vec::new(),
            edge_url,
            edge_ca: None,
            admin_address: admin_socket.local_addr()?,
            ready: Readiness::new(peers.clone(), needs.clone()),
            health: Vec::new(),
            ending: CancellationToken::new(),
            closing: CancellationToken::new(),
            servers: TaskTracker::new(),
            stop,
            tasks,
            interrupts: Vec::new(),
            closes: Vec::new(),
            drain: config.drain,
            lame_duck: config.lame_duck,
        };
        mesh.tasks.spawn(serve(
            doors::admin(mesh.ready.clone(), operators_room(&config, &ground)?),
            Listener::Tcp(admin_socket),
            Side::Edge,
            mesh.stop.clone(),
        ));

        for plan in std::mem::take(&mut config.plans) {
            let seat = plan.seat;
            let mut foundation = mesh.foundation(seat.role, &config, &ground)?;
            let access = ground.access(&foundation, &config);
            let mut shelf = None;
            if seat.objects {
                let open =
                    objects::open(&config, seat.role, &ground.secret, &public_url, &mesh.stop)
                        .await?;
                foundation.objects = Some(open.store.clone());
                shelf = Some(open);
            }
            let mut service = (plan.build)(foundation)
                .await
                .with_context(|| format!("the role {}", seat.role))?;
            if let Some(shelf) = shelf {
                service = service
                    .with_adapter("objects", shelf.describe)
                    .with_plain(shelf.door);
            }
            if config.engines.redis.is_some() {
                service = service.with_adapter("limits", limits::told(&config.engines));
            }
            let verifier = Verifier::new(
                // The users role asks its own sessions, which know at once.
                match seat.role {
                    KEYS => access,
                    _ => access.heeding(ground.revocations.clone()),
                },
                Some(ServiceTokens::new(&ground.secret, seat.role)),
                seat.role,
            );
            let (reporter, health) = health_of(seat).await;
            let router = Inbound::new(
                seat.role,
                ground.policies.clone(),
                verifier,
                config.max_calls,
            )
            .limited(ground.limits.clone())
            .guard(service.grpc)
            .merge(service.plain)
            .merge(health);
            needs.follow(
                seat,
                std::mem::take(&mut service.needs),
                reporter.clone(),
                &mesh.ending,
                &mesh.tasks,
            );
            mesh.health.push((reporter, seat));
            let mut address = "in memory".to_owned();
            if let Some(pipe) = pipes.remove(seat.role) {
                mesh.serve_inside(router.clone(), Listener::Memory(pipe));
            }
            if config.split {
                let port = config.port_of(seat.role).unwrap_or(0);
                let socket = listen(&config, port, seat.role).await?;
                let (listener, scheme) = match config.tls_of(seat.role)? {
                    Some(tls) => (Listener::Tls(socket, tls.server()), "https"),
                    None => (Listener::Tcp(socket), "http"),
                };
                address = format!("{scheme}://{}:{port}", config.host);
                mesh.serve_inside(router, listener);
            }
            mesh.inventory.push(Entry {
                role: seat.role,
                address,
                adapters: service.inventory,
            });
            mesh.interrupts.extend(service.interrupt);
            mesh.closes.extend(service.close);
        }

        if let (Some(socket), Some(mut edge)) = (edge_socket, config.edge.take()) {
            edge.reached_at(&public_url);
            let address = format!("{scheme}://{}", socket.local_addr()?);
            let listener = match config.certs.open_edge(&config.data)? {
                Some((tls, authority)) => {
                    mesh.edge_ca = authority;
                    Listener::Tls(socket, tls)
                }
                None => Listener::Tcp(socket),
            };
            let mut adapters = mesh.open_edge(edge, listener, &config, &ground)?;
            if config.engines.redis.is_some() {
                adapters.push(Adapter {
                    port: "limits",
                    adapter: limits::told(&config.engines),
                });
            }
            mesh.inventory.push(Entry {
                role: EDGE,
                address,
                adapters,
            });
        }
        profile::check(&config.stopgaps)?;
        mesh.hear_of_revocations(&config, &ground).await?;
        mesh.meet(&peers, &config, &ground)?;
        mesh.ready.set(true);
        mesh.say_where()?;
        Ok(mesh)
    }

    fn open_edge(
        &self,
        edge: atelier_edge::EdgeConfig,
        listener: Listener,
        config: &Config,
        ground: &Ground,
    ) -> anyhow::Result<Vec<Adapter>> {
        let foundation = self.foundation(EDGE, config, ground)?;
        let adapters = ROSTER
            .iter()
            .map(|seat| Adapter {
                port: seat.role,
                adapter: ground.routes[seat.role].to_string(),
            })
            .collect();
        let destinations = |seat: &'static Seat| {
            let link = foundation.links.to(seat.role);
            seat.services.iter().map(move |service| Destination {
                service,
                role: seat.role,
                link: link.clone(),
            })
        };
        let door = Door {
            config: edge,
            roster: ROSTER.iter().flat_map(destinations).collect(),
            policies: ground.policies.clone(),
            descriptor: atelier_proto::DESCRIPTOR,
            jwks: Arc::new(UsersKeys::new(foundation.links.to("users"))),
            access: ground.access(&foundation, config),
            api_keys: Arc::new(UsersExchange::new(foundation.links.to("users"))),
            object_roles: ROSTER
                .iter()
                .filter(|seat| seat.objects)
                .map(|seat| seat.role)
                .collect(),
            limits: ground.limits.clone(),
            leaving: self.ending.clone(),
        };
        let router = atelier_edge::build(door, &foundation)?;
        let bounds = config.bounds.clone();
        let closing = self.closing.clone();
        let cores = Cores::start().context("a thread for each core")?;
        self.servers.spawn(async move {
            serve_within(router, listener, Side::Edge, bounds, &cores, closing).await;
        });
        Ok(adapters)
    }

    /// Follows who is revoked, in the name of the first role here that verifies tokens.
    async fn hear_of_revocations(&self, config: &Config, ground: &Ground) -> anyhow::Result<()> {
        let Some(first) = self.inventory.iter().find(|entry| entry.role != EDGE) else {
            return Ok(());
        };
        let tokens = ServiceTokens::new(&ground.secret, first.role);
        let links = Links::new(&ground.routes_of(config, first.role)?, Some(tokens))?;
        let source = Arc::new(UsersRevocations::new(links.to(KEYS)));
        let revocations = ground.revocations.clone();
        self.tasks
            .spawn(revocations.clone().follow(source, self.closing.clone()));
        // Where the users role is in this process, an admin's first call need not be turned away.
        if self.inventory.iter().any(|entry| entry.role == KEYS) {
            let known = async {
                while !revocations.is_current() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            let _ = tokio::time::timeout(FIRST_NEWS, known).await;
        }
        Ok(())
    }

    /// Asks for the roles elsewhere that some role here needs.
    fn meet(&self, peers: &Peers, config: &Config, ground: &Ground) -> anyhow::Result<()> {
        for entry in &self.inventory {
            let links = Links::new(&ground.routes_of(config, entry.role)?, None)?;
            for seat in roster::needs(entry.role) {
                let here = self.inventory.iter().any(|entry| entry.role == seat.role);
                if !here && !peers.known().contains_key(seat.role) {
                    let link = links.to(seat.role);
                    peers.follow(seat, link, &self.tasks, self.stop.clone());
                }
            }
        }
        Ok(())
    }

    fn foundation(
        &self,
        role: &'static str,
        config: &Config,
        ground: &Ground,
    ) -> anyhow::Result<Foundation> {
        let data = config.folder(role);
        std::fs::create_dir_all(&data).with_context(|| format!("the folder {}", data.display()))?;
        let tokens = ServiceTokens::new(&ground.secret, role);
        Ok(Foundation {
            role,
            secret: ground.secret.clone(),
            data,
            links: Links::new(&ground.routes_of(config, role)?, Some(tokens))?,
            pages: Pages::new(&ground.secret),
            engines: config.engines.clone(),
            stopgaps: config.stopgaps.clone(),
            objects: None,
            closing: self.closing.clone(),
            stop: self.stop.clone(),
            tasks: self.tasks.clone(),
        })
    }

    fn serve_inside(&self, router: Router, listener: Listener) {
        let side = Side::Inside;
        match listener {
            // What is under way may need another role of this process until its end: these doors close last.
            Listener::Memory(_) => {
                self.tasks
                    .spawn(serve(router, listener, side, self.stop.clone()))
            }
            Listener::Tcp(_) | Listener::Tls(..) => {
                self.servers
                    .spawn(serve(router, listener, side, self.closing.clone()))
            }
        };
    }

    /// Tells commands on this machine where the edge is.
    fn say_where(&self) -> anyhow::Result<()> {
        match &self.edge_url {
            Some(url) => {
                let ca = self.edge_ca.as_deref();
                running::write(&self.data, url, ca, self.admin_address)
            }
            None => Ok(()),
        }
    }

    /// Ends: health says NOT_SERVING, new calls are taken a little longer, running ones go on for a bounded time,
    /// then generations are ended durably and everything is closed, the doors between the roles of this process last.
    pub async fn stop(self) {
        self.ready.set(false);
        self.ending.cancel();
        if self.edge_url.is_some() {
            running::remove(&self.data);
        }
        for (reporter, seat) in &self.health {
            report(reporter, seat, ServingStatus::NotServing).await;
        }
        tokio::time::sleep(self.lame_duck).await;
        self.closing.cancel();
        self.servers.close();
        if tokio::time::timeout(self.drain, self.servers.wait())
            .await
            .is_err()
        {
            tracing::info!("the time for draining is over; running generations are interrupted");
        }
        for interrupt in self.interrupts {
            if tokio::time::timeout(LAST_SECONDS, interrupt())
                .await
                .is_err()
            {
                tracing::warn!("some generations were not ended; the next start will end them");
            }
        }
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_SECONDS, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("some background work did not end");
        }
        for close in self.closes {
            let _ = tokio::time::timeout(LAST_SECONDS, close()).await;
        }
    }
}

/// Makes the data folder, private to its owner, and reads or makes the secret.
fn prepare(config: &Config) -> anyhow::Result<MeshSecret> {
    let data = &config.data;
    std::fs::create_dir_all(data).with_context(|| format!("the data folder {}", data.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o700))
            .with_context(|| format!("the data folder {}", data.display()))?;
    }
    // A setting that is too short was refused before, so this one is in the folder.
    config.secret().map_err(|error| match error {
        SecretError::TooShort => anyhow::anyhow!("the secret in {}: {error}", data.display()),
        other => other.into(),
    })
}

/// The operator's room of this process, with links to all roles. Those elsewhere that ask for a certificate are reached
/// where there is one for the operator.
fn operators_room(config: &Config, ground: &Ground) -> anyhow::Result<Router> {
    let token = operator::OperatorToken::load_or_create(&config.data)?;
    let routes = ground
        .routes_of(config, operator::OPERATOR)
        .unwrap_or_else(|error| {
            tracing::debug!(%error, "the operator reaches the roles of this process alone");
            let mut here = ground.routes.clone();
            here.retain(|_, route| matches!(route, Route::Memory(_)));
            here
        });
    let tokens = ServiceTokens::new(&ground.secret, operator::OPERATOR);
    let links = Links::new(&routes, Some(tokens))?;
    Ok(operator::routes(token, &ground.policies, &links))
}

/// The edge's address as callers see it. A setting that was left at its default follows the port.
fn public_url(config: &Config, edge: Option<&Url>) -> anyhow::Result<Url> {
    let default = Url::parse(atelier_edge::PUBLIC_URL.default)?;
    match (&config.public_url, edge) {
        (Some(set), _) if *set != default => Ok(set.clone()),
        (_, Some(edge)) => Ok(edge.clone()),
        (_, None) => Ok(default),
    }
}

async fn listen(
    config: &Config,
    port: u16,
    what: &str,
) -> Result<tokio::net::TcpListener, StartError> {
    let address = SocketAddr::new(config.host, port);
    bind(address)
        .await
        .map_err(|error| StartError::other(format!("{what} cannot listen on {address}"), error))
}

/// The health of a role: each of its services, all serving.
async fn health_of(seat: &Seat) -> (HealthReporter, Router) {
    let (reporter, server) = tonic_health::server::health_reporter();
    report(&reporter, seat, ServingStatus::Serving).await;
    let router = Router::new().route_service("/grpc.health.v1.Health/{*rest}", server);
    (reporter, router)
}

/// Tells how all services of a role are.
pub(crate) async fn report(reporter: &HealthReporter, seat: &Seat, status: ServingStatus) {
    for service in seat.services {
        reporter.set_service_status(*service, status).await;
    }
}

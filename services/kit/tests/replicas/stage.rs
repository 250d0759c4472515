//! Replicas that run beside the test and can be killed, told to leave, or made slow, and wires whose connections are counted.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use atelier_kit::link::{Link, Replicas, Resolve, Route};
use atelier_kit::serve::Listener;
use atelier_kit::tls::MeshTls;
use futures_util::StreamExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, Streaming};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tonic_types::StatusExt as _;

use crate::probe::{Mount, Probe, ROLE, many, one};

/// The service that replicas are asked for.
pub const SERVICE: &str = "probe.Probe";

/// What a replica does with a call.
#[derive(Clone)]
pub struct Manner {
    /// How long it thinks before it answers a unary call.
    pub thinks: Duration,
    /// How often a stream says something after its first message.
    pub says: Duration,
    /// Its own certificates, and those of callers.
    pub tls: Option<MeshTls>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            thinks: Duration::ZERO,
            says: Duration::from_secs(3600),
            tls: None,
        }
    }
}

/// A replica that answers with its own address, on a runtime of its own, so that it can be killed with all it does.
pub struct Replica {
    pub address: SocketAddr,
    pub calls: Arc<AtomicUsize>,
    manner: Manner,
    running: Option<Running>,
}

struct Running {
    runtime: Runtime,
    closing: CancellationToken,
    health: HealthReporter,
}

impl Replica {
    /// Starts one.
    pub async fn start() -> Self {
        Self::with(Manner::default()).await
    }

    /// Starts one that behaves so.
    pub async fn with(manner: Manner) -> Self {
        let mut replica = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            calls: Arc::default(),
            manner,
            running: None,
        };
        replica.begin().await;
        replica
    }

    /// Starts it again, where it was.
    pub async fn begin(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let listener = std::net::TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (health, asked) = tonic_health::server::health_reporter();
        health
            .set_service_status(SERVICE, ServingStatus::Serving)
            .await;
        let mount = Mount {
            places: 4096,
            beside: axum::Router::new().route_service("/grpc.health.v1.Health/{*rest}", asked),
            ..Mount::default()
        };
        let (address, manner) = (self.address, self.manner.clone());
        let probe = probe(address, manner.clone(), self.calls.clone());
        let (ready, begun) = tokio::sync::oneshot::channel();
        runtime.spawn(async move {
            let socket = TcpListener::from_std(listener).unwrap();
            let listener = match &manner.tls {
                Some(own) => Listener::Tls(socket, own.server()),
                None => Listener::Tcp(socket),
            };
            let peer = mount.serve(probe, Route::Url(url(address)), listener);
            ready.send(peer.closing.clone()).unwrap();
            std::future::pending::<()>().await;
        });
        self.running = Some(Running {
            runtime,
            closing: begun.await.unwrap(),
            health,
        });
    }

    /// Ends it as a power cut would, with its connections.
    pub async fn kill(&mut self) {
        let running = self.running.take().expect("it runs");
        let runtime = running.runtime;
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(5)))
            .await
            .unwrap();
    }

    /// Tells it to leave: it takes no connection any more, and tells those there are to go away.
    pub fn leave(&self) {
        self.running.as_ref().expect("it runs").closing.cancel();
    }

    /// Has it say that it takes calls, or takes none.
    pub async fn says_that_it_serves(&self, serves: bool) {
        let status = match serves {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        };
        let health = &self.running.as_ref().expect("it runs").health;
        health.set_service_status(SERVICE, status).await;
    }

    /// How many calls it got.
    pub fn count(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn name(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.runtime.shutdown_background();
        }
    }
}

fn probe(address: SocketAddr, manner: Manner, calls: Arc<AtomicUsize>) -> Probe {
    let (unary, says) = (calls.clone(), manner.says);
    Probe::new()
        .one(move |_| {
            unary.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(manner.thinks).await;
                Ok(address.to_string())
            }
        })
        .many(move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            let more = futures_util::stream::unfold((), move |()| async move {
                tokio::time::sleep(says).await;
                Some((Ok("more".to_owned()), ()))
            });
            futures_util::stream::iter([Ok(address.to_string())]).chain(more)
        })
}

/// The URL of an address.
pub fn url(address: SocketAddr) -> url::Url {
    format!("http://{address}").parse().unwrap()
}

/// Where these are.
pub fn at(addresses: &[SocketAddr]) -> Replicas {
    Replicas::at(addresses.iter().copied().map(url).collect()).asked_for(SERVICE)
}

/// A link to replicas.
pub fn link(replicas: Replicas) -> Link {
    Link::new(ROLE, &Route::Replicas(replicas), None).unwrap()
}

/// An address at which nobody listens.
pub async fn dead() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// An address at which connections are taken and nothing is said; it ends with the listener.
pub async fn silent() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap(), listener)
}

/// Who answers a call.
pub async fn answered_by(link: &Link) -> Result<String, Status> {
    one(link, "").await.map(tonic::Response::into_inner)
}

/// How often each answers so many calls; none may fail.
pub async fn answers(link: &Link, calls: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in 0..calls {
        let name = answered_by(link)
            .await
            .unwrap_or_else(|status| panic!("call {call} failed: {status:?}"));
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// An open stream, and who sends it.
pub async fn stream(link: &Link) -> (String, Streaming<String>) {
    let mut stream = many(link, Request::new(String::new()))
        .await
        .unwrap()
        .into_inner();
    let name = stream.message().await.unwrap().expect("a first message");
    (name, stream)
}

/// The wait that an error tells.
pub fn retry_delay(status: &Status) -> Option<Duration> {
    status.get_details_retry_info()?.retry_delay
}

/// A wire to a socket whose connections are counted, and which can be frozen.
pub struct Wire {
    pub address: SocketAddr,
    open: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
    frozen: CancellationToken,
    full: CancellationToken,
    task: JoinHandle<()>,
}

impl Wire {
    pub async fn to(far: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, made) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (opened, counted) = (open.clone(), made.clone());
        let frozen = CancellationToken::new();
        let full = CancellationToken::new();
        let (freezing, closed) = (frozen.clone(), full.clone());
        let task = tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                if closed.is_cancelled() {
                    continue;
                }
                let (opened, freezing) = (opened.clone(), freezing.clone());
                opened.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(far).await {
                        tokio::select! {
                            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                            () = freezing.cancelled() => std::future::pending().await,
                        }
                    }
                    opened.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            address,
            open,
            made,
            frozen,
            full,
            task,
        }
    }

    /// From now on nothing passes, and nothing is closed: so a machine looks that was lost.
    pub fn freeze(&self) {
        self.frozen.cancel();
    }

    /// From now on whoever connects is hung up on; those who are there stay.
    pub fn refuse_newcomers(&self) {
        self.full.cancel();
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A name server of one name.
#[derive(Debug, Default)]
pub struct Names(Mutex<Option<Vec<SocketAddr>>>);

impl Names {
    /// The name stands for these.
    pub fn are(&self, addresses: &[SocketAddr]) {
        *self.0.lock().unwrap() = Some(addresses.to_vec());
    }

    /// The name server is away.
    pub fn are_away(&self) {
        *self.0.lock().unwrap() = None;
    }
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!((host, port), ("probe.test", 7000));
        let known = self.0.lock().unwrap().clone();
        known.ok_or_else(|| io::Error::other("the name server is away"))
    }
}

/// Replicas behind a name.
pub fn named(names: &Arc<Names>, scheme: &str, every: Duration) -> Replicas {
    let url = format!("{scheme}://probe.test:7000").parse().unwrap();
    Replicas::at(vec![url])
        .asked_for(SERVICE)
        .found_by(names.clone(), every)
}

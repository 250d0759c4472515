//! A service of two methods that answers what a test tells it to, behind the whole stack, and the words of these tests.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use atelier_kit::identity::{AccessVerifier, KeySource, ServiceTokens, Verifier};
use atelier_kit::inbound::Inbound;
use atelier_kit::limit::{Bucket, Limits};
use atelier_kit::link::{Link, Route, pipe};
use atelier_kit::policy::{Access, Idempotency, Policies, Policy, Scope};
use atelier_kit::serve::{Listener, Side, bind, serve};
use atelier_kit::service::Service;
use atelier_kit::testing::{Issuer, secret};
use atelier_kit::tls::MeshTls;
use futures_util::Stream;
use http::uri::PathAndQuery;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::{NamedService, ServerStreamingService, UnaryService};
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

/// The role that a probe is mounted as, unless a test says otherwise.
pub const ROLE: &str = "probe";
/// A unary method for anyone.
pub const ONE: &str = "/probe.Probe/One";
/// A streaming method for anyone.
pub const MANY: &str = "/probe.Probe/Many";
/// A unary method for each access: `/probe.Probe/ForUser` and so on.
pub const FOR_EACH: [(&str, Access); 6] = [
    ("/probe.Probe/ForPublic", Access::Public),
    ("/probe.Probe/ForAnonymous", Access::Anonymous),
    ("/probe.Probe/ForUser", Access::User),
    ("/probe.Probe/ForModerator", Access::Moderator),
    ("/probe.Probe/ForAdmin", Access::Admin),
    ("/probe.Probe/ForInternal", Access::Internal),
];
/// A unary method for registered accounts, and for API keys with the scope.
pub const TO_READ: &str = "/probe.Probe/ToRead";
/// A unary method for registered accounts, and for API keys with another scope.
pub const TO_CHAT: &str = "/probe.Probe/ToChat";
/// A unary method for each rate bucket, for anyone with a token, an API key with the scope included.
pub const FOR_BUCKET: [(&str, Bucket); 8] = [
    ("/probe.Probe/DrawsRead", Bucket::Read),
    ("/probe.Probe/DrawsWrite", Bucket::Write),
    ("/probe.Probe/DrawsLogin", Bucket::Login),
    ("/probe.Probe/DrawsRegister", Bucket::Register),
    ("/probe.Probe/DrawsChat", Bucket::Chat),
    ("/probe.Probe/DrawsImage", Bucket::Image),
    ("/probe.Probe/DrawsSpeech", Bucket::Speech),
    ("/probe.Probe/DrawsAdmin", Bucket::Admin),
];
/// A unary method for anyone, by which somebody becomes known.
pub const SIGN_IN: &str = "/probe.Probe/SignIn";
/// A unary method for registered accounts.
pub const FOR_USER: &str = FOR_EACH[2].0;
/// A unary method for services.
pub const FOR_INTERNAL: &str = FOR_EACH[5].0;
/// The largest message of every method, in bytes.
pub const MOST_BYTES: usize = 1024;

pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send>>;
pub type Messages = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;
type Handler<T> = Arc<dyn Fn(Request<String>) -> Answer<T> + Send + Sync>;

/// What the service answers; a message is a text.
#[derive(Clone)]
pub struct Probe {
    one: Handler<String>,
    many: Handler<Messages>,
}

impl Probe {
    /// Answers every call with the text it was sent, once.
    pub fn new() -> Self {
        Self {
            one: Arc::new(|request| Box::pin(async { Ok(request.into_inner()) })),
            many: Arc::new(|request| {
                let messages: Messages =
                    Box::pin(futures_util::stream::iter([Ok(request.into_inner())]));
                Box::pin(async { Ok(messages) })
            }),
        }
    }

    /// Answers unary calls so.
    pub fn one<F>(mut self, answer: impl Fn(Request<String>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, Status>> + Send + 'static,
    {
        self.one = Arc::new(move |request| Box::pin(answer(request)));
        self
    }

    /// Answers streaming calls so.
    pub fn many<S>(mut self, answer: impl Fn(Request<String>) -> S + Send + Sync + 'static) -> Self
    where
        S: Stream<Item = Result<String, Status>> + Send + 'static,
    {
        self.many = Arc::new(move |request| {
            let messages: Messages = Box::pin(answer(request));
            Box::pin(async { Ok(messages) })
        });
        self
    }
}

impl NamedService for Probe {
    const NAME: &'static str = "probe.Probe";
}

impl UnaryService<String> for Probe {
    type Response = String;
    type Future = Answer<Response<String>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let answer = (self.one)(request);
        Box::pin(async { answer.await.map(Response::new) })
    }
}

impl ServerStreamingService<String> for Probe {
    type Response = String;
    type ResponseStream = Messages;
    type Future = Answer<Response<Messages>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let answer = (self.many)(request);
        Box::pin(async { answer.await.map(Response::new) })
    }
}

impl tower::Service<http::Request<Body>> for Probe {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let probe = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, String>::default());
            Ok(if request.uri().path() == MANY {
                grpc.server_streaming(probe, request).await
            } else {
                grpc.unary(probe, request).await
            })
        })
    }
}

/// How a probe is mounted.
pub struct Mount {
    pub role: &'static str,
    pub places: usize,
    pub deadline: Duration,
    pub keys: Arc<dyn KeySource>,
    pub limits: Option<Arc<Limits>>,
    /// What is served beside it, outside the stack.
    pub beside: axum::Router,
}

impl Default for Mount {
    fn default() -> Self {
        Self {
            role: ROLE,
            places: 64,
            deadline: Duration::from_secs(20),
            keys: Arc::new(issuer().clone()),
            limits: None,
            beside: axum::Router::new(),
        }
    }
}

/// A mounted probe.
pub struct Peer {
    pub route: Route,
    pub closing: CancellationToken,
    pub served: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

impl Peer {
    /// A link to the probe that speaks for the role `tester`.
    pub fn link(&self) -> Link {
        let tokens = ServiceTokens::new(&secret(), "tester");
        Link::new(ROLE, &self.route, Some(tokens)).unwrap()
    }
}

impl Mount {
    /// Serves in memory.
    pub fn in_memory(self, probe: Probe) -> Peer {
        let (near, far) = pipe();
        self.serve(probe, Route::Memory(near), Listener::Memory(far))
    }

    /// Serves on loopback; port 0 is any.
    pub async fn on_loopback(self, probe: Probe, port: u16) -> Peer {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], port)))
            .await
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        self.serve(
            probe,
            Route::Url(url.parse().unwrap()),
            Listener::Tcp(listener),
        )
    }

    /// Serves on loopback with the certificates of this role; `caller` are those that links to it show.
    pub async fn with_tls(self, probe: Probe, own: &MeshTls, caller: &MeshTls) -> Peer {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        self.serve(
            probe,
            Route::Mesh(url.parse().unwrap(), caller.clone()),
            Listener::Tls(listener, own.server()),
        )
    }

    /// Serves on a listener; `route` is how others get there.
    pub fn serve(self, probe: Probe, route: Route, listener: Listener) -> Peer {
        let policy = |access, server_streaming| Policy {
            access,
            rate_bucket: "read".into(),
            credit_class: "free".into(),
            idempotency: Idempotency::Safe,
            max_request_bytes: MOST_BYTES,
            deadline: self.deadline,
            client_streaming: false,
            server_streaming,
            scope: None,
        };
        let mut policies = vec![
            (ONE.to_owned(), policy(Access::Public, false)),
            (MANY.to_owned(), policy(Access::Public, true)),
        ];
        let scoped = |scope| Policy {
            scope: Some(scope),
            ..policy(Access::User, false)
        };
        policies.push((TO_READ.to_owned(), scoped(Scope::Read)));
        policies.push((TO_CHAT.to_owned(), scoped(Scope::Chat)));
        policies.extend(FOR_BUCKET.map(|(path, bucket)| {
            let drawing = Policy {
                rate_bucket: bucket.name().into(),
                scope: Some(Scope::Read),
                ..policy(Access::Anonymous, false)
            };
            (path.to_owned(), drawing)
        }));
        let sign_in = Policy {
            rate_bucket: Bucket::Login.name().into(),
            ..policy(Access::Public, false)
        };
        policies.push((SIGN_IN.to_owned(), sign_in));
        policies.extend(FOR_EACH.map(|(path, access)| (path.to_owned(), policy(access, false))));
        let services = ServiceTokens::new(&secret(), self.role);
        let verifier = Verifier::new(AccessVerifier::new(self.keys), Some(services), self.role);
        let mut inbound = Inbound::new(self.role, Policies::new(policies), verifier, self.places);
        if let Some(limits) = self.limits {
            inbound = inbound.limited(limits);
        }
        let router = inbound
            .guard(Service::new(Routes::new(probe)).grpc)
            .merge(self.beside);
        let closing = CancellationToken::new();
        let closed = closing.clone();
        let served = tokio::spawn(async move {
            serve(router, listener, Side::Inside, closed).await;
        });
        Peer {
            route,
            closing,
            served,
        }
    }
}

/// One issuer for all tests of a file: making an RSA key takes a tenth of a second.
pub fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(Issuer::new)
}

/// The method that draws from a bucket.
pub fn path_of(bucket: Bucket) -> &'static str {
    let found = FOR_BUCKET.iter().find(|(_, of)| *of == bucket);
    found.expect("each bucket has a method").0
}

/// A unary call.
pub async fn call(
    link: &Link,
    path: &'static str,
    request: Request<String>,
) -> Result<Response<String>, Status> {
    let mut grpc = tonic::client::Grpc::new(link.clone());
    grpc.ready().await?;
    grpc.unary(
        request,
        PathAndQuery::from_static(path),
        ProstCodec::<String, String>::default(),
    )
    .await
}

/// A call of [`ONE`] with a text.
pub async fn one(link: &Link, text: &str) -> Result<Response<String>, Status> {
    call(link, ONE, Request::new(text.to_owned())).await
}

/// A call of [`MANY`].
pub async fn many(
    link: &Link,
    request: Request<String>,
) -> Result<Response<Streaming<String>>, Status> {
    let mut grpc = tonic::client::Grpc::new(link.clone());
    grpc.ready().await?;
    grpc.server_streaming(
        request,
        PathAndQuery::from_static(MANY),
        ProstCodec::<String, String>::default(),
    )
    .await
}

/// A request that wants its answer within a time.
pub fn within(limit: Duration) -> Request<String> {
    let mut request = Request::new(String::new());
    request.set_timeout(limit);
    request
}

/// Asserts what an error is, and that it is dressed as every error is.
#[track_caller]
pub fn assert_error(status: &Status, code: Code, reason: &str) {
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(
        (info.reason.as_str(), info.domain.as_str()),
        (reason, "atelier"),
        "{status:?}"
    );
}

/// The same, for an error that came as an answer of its own: it carries the request id.
#[track_caller]
pub fn assert_refused(status: &Status, code: Code, reason: &str) {
    assert_error(status, code, reason);
    assert!(
        status.metadata().get("x-request-id").is_some(),
        "{status:?}"
    );
}

/// Tells when it is dropped.
pub struct Alive(Arc<tokio::sync::Semaphore>);

impl Alive {
    /// The value to hold, and what its drop adds a permit to.
    pub fn new(told: &Arc<tokio::sync::Semaphore>) -> Self {
        Self(told.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// Waits until so many [`Alive`] were dropped, for at most five seconds.
pub async fn dropped(told: &tokio::sync::Semaphore, count: u32) {
    let waited = tokio::time::timeout(Duration::from_secs(5), told.acquire_many(count)).await;
    waited.expect("it was dropped").unwrap().forget();
}

//! The service behind the edge: it sends a message back, once or many times, and costs as little as a service can.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use atelier_kit::policy::{Access, Idempotency, Policies, Policy};
use atelier_kit::serve::{Listener, Side, bind, serve};
use atelier_kit::service::Service;
use axum::Router;
use bench_report::local;
use bytes::Bytes;
use futures_util::Stream;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// Its full name.
pub const SERVICE: &str = "bench.Echo";
/// Its role, and that of nobody else.
pub const ROLE: &str = "echo";
/// Sends the message back.
pub const UNARY: &str = "/bench.Echo/Unary";
/// Sends the message back [`MESSAGES`] times, as fast as they are taken.
pub const STREAM: &str = "/bench.Echo/Stream";
/// The same, but gives way to others after each, so that each leaves in a frame of its own.
pub const ONE_BY_ONE: &str = "/bench.Echo/OneByOne";
/// How many messages a stream has.
pub const MESSAGES: usize = 100;

/// The policies of its methods. Anyone may call them, and the edge counts him by his network: it does so for methods by which
/// one signs in, whatever token comes along.
pub fn policies() -> Policies {
    let policy = |server_streaming| Policy {
        access: Access::Public,
        rate_bucket: "login".to_owned(),
        credit_class: "free".to_owned(),
        idempotency: Idempotency::Safe,
        max_request_bytes: 1 << 20,
        deadline: Duration::from_secs(20),
        client_streaming: false,
        server_streaming,
        scope: None,
    };
    Policies::new([
        (UNARY.to_owned(), policy(false)),
        (STREAM.to_owned(), policy(true)),
        (ONE_BY_ONE.to_owned(), policy(true)),
    ])
}

/// Serves it until the process is ended, on the listener of the mesh's roles; around it there is nothing of theirs.
pub async fn run(port: u16) -> anyhow::Result<()> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_service_status(SERVICE, tonic_health::ServingStatus::Serving)
        .await;
    let health = Router::new().route_service("/grpc.health.v1.Health/{*rest}", health);
    let router = Service::new(Routes::new(Echo)).grpc.merge(health);
    let (listener, end) = (
        Listener::Tcp(bind(local(port)).await?),
        CancellationToken::new(),
    );
    serve(router, listener, Side::Inside, end).await;
    Ok(())
}

#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = SERVICE;
}

impl UnaryService<Bytes> for Echo {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_inner())))
    }
}

#[derive(Clone, Copy)]
struct Many {
    gives_way: bool,
}

impl ServerStreamingService<Bytes> for Many {
    type Response = Bytes;
    type ResponseStream = Repeated;
    type Future = std::future::Ready<Result<Response<Repeated>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(Response::new(Repeated {
            message: request.into_inner(),
            left: MESSAGES,
            gives_way: self.gives_way,
            waits: false,
        })))
    }
}

/// A message, many times.
struct Repeated {
    message: Bytes,
    left: usize,
    gives_way: bool,
    waits: bool,
}

impl Stream for Repeated {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if std::mem::replace(&mut self.waits, false) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.left -= 1;
        self.waits = self.gives_way;
        Poll::Ready(Some(Ok(self.message.clone())))
    }
}

impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Bytes, Bytes>::default());
            Ok(match request.uri().path() {
                UNARY => grpc.unary(Echo, request).await,
                STREAM => {
                    grpc.server_streaming(Many { gives_way: false }, request)
                        .await
                }
                ONE_BY_ONE => {
                    grpc.server_streaming(Many { gives_way: true }, request)
                        .await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

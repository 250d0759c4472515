//! Replicas that answer, and say UNAVAILABLE: which of them are left out for that, and which are not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::HeaderMap;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::stage::*;

/// How long one that fails is left out here.
const LEFT_OUT: Duration = Duration::from_secs(3);

/// A server that is healthy as far as it says, and answers every call with this status and these headers.
async fn answers_with(code: u16, headers: HeaderMap) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let calls = Arc::<AtomicUsize>::default();
    let counted = calls.clone();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let (headers, counted) = (headers.clone(), counted.clone());
            let answer = hyper::service::service_fn(move |request: http::Request<_>| {
                let _: &hyper::body::Incoming = request.body();
                let mut response = http::Response::new(String::new());
                if request.uri().path().starts_with("/grpc.health") {
                    let told = response.headers_mut();
                    told.insert("content-type", "application/grpc".parse().unwrap());
                    told.insert("grpc-status", "12".parse().unwrap());
                } else {
                    counted.fetch_add(1, Ordering::SeqCst);
                    *response.status_mut() = code.try_into().unwrap();
                    *response.headers_mut() = headers.clone();
                }
                async move { Ok::<_, std::convert::Infallible>(response) }
            });
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(socket), answer),
            );
        }
    });
    (address, calls)
}

/// How many of the calls that a failing replica is asked for come to it once it might have been left out.
async fn asked_later(failing: SocketAddr, calls: &AtomicUsize) -> usize {
    let live = Replica::start().await;
    let link = link(at(&[failing, live.address]).left_out_for(LEFT_OUT));
    let calling = async |lasts: Duration| {
        let begun = Instant::now();
        while begun.elapsed() < lasts {
            if let Err(status) = answered_by(&link).await {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    calling(Duration::from_secs(2)).await;
    let before = calls.load(Ordering::SeqCst);
    assert!(before >= 5, "it got no more than {before} calls");
    calling(Duration::from_secs(1)).await;
    calls.load(Ordering::SeqCst) - before
}

fn trailers_only(status: Status) -> HeaderMap {
    status.into_http::<String>().headers().clone()
}

#[tokio::test]
async fn one_that_says_unavailable_and_not_until_when_is_left_out() {
    let headers = trailers_only(Status::unavailable("upstream connect error"));
    let (failing, calls) = answers_with(200, headers).await;
    assert_eq!(asked_later(failing, &calls).await, 0);
}

#[tokio::test]
async fn a_proxy_that_reaches_nobody_is_left_out() {
    let (failing, calls) = answers_with(503, HeaderMap::new()).await;
    assert_eq!(asked_later(failing, &calls).await, 0);
}

#[tokio::test]
async fn one_that_says_when_to_come_again_is_not_left_out() {
    let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(1)));
    let status = Status::with_error_details(Code::Unavailable, "no database", details);
    let (waiting, calls) = answers_with(200, trailers_only(status)).await;
    let asked = asked_later(waiting, &calls).await;
    assert!(asked > 5, "it got {asked} calls");
}

//! How a server ends and what it bears: running streams finish, newcomers are refused, and one caller's misuse is not another's trouble.

mod probe;

use std::time::Duration;

use atelier_kit::link::{Link, Route};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use probe::*;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tonic::{Code, Request};

/// A stream that says what it is told to say, and ends when nobody can tell it anything any more.
fn echoing(told: watch::Receiver<u32>) -> Probe {
    Probe::new().many(move |_| {
        let told = told.clone();
        futures_util::stream::unfold(told, |mut told| async {
            told.changed().await.ok()?;
            let text = told.borrow_and_update().to_string();
            Some((Ok(text), told))
        })
    })
}

async fn a_running_stream_ends_well(mut peer: Peer, tell: watch::Sender<u32>) {
    let link = peer.link();
    let mut stream = many(&link, Request::new(String::new()))
        .await
        .unwrap()
        .into_inner();
    tell.send(1).unwrap();
    assert_eq!(stream.message().await.unwrap().as_deref(), Some("1"));
    peer.closing.cancel();
    // A newcomer is refused, while the stream goes on.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let newcomer = peer.link();
    assert_eq!(
        one(&newcomer, "x").await.unwrap_err().code(),
        Code::Unavailable
    );
    assert_eq!(one(&link, "x").await.unwrap_err().code(), Code::Unavailable);
    assert!(!peer.served.is_finished(), "it did not wait for the stream");
    for n in 2..5 {
        tell.send(n).unwrap();
        assert_eq!(stream.message().await.unwrap(), Some(n.to_string()));
    }
    drop(tell);
    assert_eq!(stream.message().await.unwrap(), None);
    let served = std::mem::replace(&mut peer.served, tokio::spawn(async {}));
    tokio::time::timeout(Duration::from_secs(5), served)
        .await
        .expect("it ends")
        .unwrap();
}

#[tokio::test]
async fn a_running_stream_ends_well_in_memory() {
    let (tell, told) = watch::channel(0);
    a_running_stream_ends_well(Mount::default().in_memory(echoing(told)), tell).await;
}

#[tokio::test]
async fn a_running_stream_ends_well_over_a_socket() {
    let (tell, told) = watch::channel(0);
    let peer = Mount::default().on_loopback(echoing(told), 0).await;
    a_running_stream_ends_well(peer, tell).await;
}

#[tokio::test]
async fn a_unary_call_under_way_is_answered_at_the_end() {
    let probe = Probe::new().one(|request| async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        Ok(request.into_inner())
    });
    let peer = Mount::default().in_memory(probe);
    let link = peer.link();
    let waiting = tokio::spawn(async move { one(&link, "late").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    peer.closing.cancel();
    assert_eq!(waiting.await.unwrap().unwrap().into_inner(), "late");
}

#[tokio::test]
async fn an_idle_server_ends_at_once_though_callers_are_connected() {
    let mut peer = Mount::default().on_loopback(Probe::new(), 0).await;
    let link = peer.link();
    one(&link, "x").await.unwrap();
    peer.closing.cancel();
    let served = std::mem::replace(&mut peer.served, tokio::spawn(async {}));
    tokio::time::timeout(Duration::from_secs(2), served)
        .await
        .expect("it ends")
        .unwrap();
}

fn address(peer: &Peer) -> String {
    let Route::Url(url) = &peer.route else {
        unreachable!("it is on loopback")
    };
    format!("127.0.0.1:{}", url.port().unwrap())
}

#[tokio::test]
async fn a_header_block_larger_than_sixteen_kibibytes_is_refused_and_the_server_goes_on() {
    let peer = Mount::default().on_loopback(Probe::new(), 0).await;
    let stream = TcpStream::connect(address(&peer)).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let request = |size: usize| {
        http::Request::post(format!("http://{}{ONE}", address(&peer)))
            .header("content-type", "application/grpc")
            .header("x-large", "x".repeat(size))
            .body(Empty::<Bytes>::new())
            .unwrap()
    };
    assert_eq!(
        sender
            .send_request(request(8 * 1024))
            .await
            .unwrap()
            .status(),
        200
    );
    // Refused by the server, by the client who was told the limit, or by the end of the connection.
    let refused = sender.send_request(request(40 * 1024)).await;
    assert!(refused.is_err() || refused.unwrap().status() == 431);
    assert_eq!(one(&peer.link(), "x").await.unwrap().into_inner(), "x");
    connection.abort();
}

#[tokio::test]
async fn noise_on_the_socket_is_nobodys_trouble() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let peer = Mount::default().on_loopback(Probe::new(), 0).await;
    for noise in [
        &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..],
        &[0xff; 4096],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnoise noise noise",
    ] {
        let mut stream = TcpStream::connect(address(&peer)).await.unwrap();
        stream.write_all(noise).await.unwrap();
        let mut answer = Vec::new();
        let ended =
            tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "the connection stays open after noise");
    }
    assert_eq!(one(&peer.link(), "x").await.unwrap().into_inner(), "x");
}

#[tokio::test]
async fn a_caller_has_at_most_a_thousand_streams_on_one_connection_and_the_rest_wait() {
    let probe = Probe::new().many(|_| {
        futures_util::stream::iter([Ok("first".to_owned())]).chain(futures_util::stream::pending())
    });
    let peer = Mount {
        places: 5_000,
        ..Mount::default()
    }
    .in_memory(probe);
    let link: Link = peer.link();
    let mut open = Vec::new();
    for _ in 0..1000 {
        open.push(many(&link, Request::new(String::new())).await.unwrap());
    }
    let more = tokio::time::timeout(Duration::from_millis(300), one(&link, "x")).await;
    assert!(more.is_err(), "the thousand and first did not wait");
    drop(open.pop());
    let more = tokio::time::timeout(Duration::from_secs(5), one(&link, "x")).await;
    assert_eq!(more.expect("there is room").unwrap().into_inner(), "x");
}

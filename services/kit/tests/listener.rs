//! What a listener ends by its own clocks and counts, with fast clocks and small counts; the system's tests hold it to the real ones.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use atelier_kit::cores::Cores;
use atelier_kit::serve::{Bounds, Listener, Side, bind, serve_within};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const GO_AWAY: u8 = 7;

/// Tells when it is dropped.
struct Dropped(mpsc::Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// Serves `/`, an answer without end, of which it is told when it is dropped, `/never`, no answer, and
/// `/read`, what was sent.
async fn listen(side: Side, bounds: Bounds) -> (SocketAddr, mpsc::Receiver<()>, DropGuard) {
    let (tell, dropped) = mpsc::channel(1);
    let endless = move || {
        let part = Dropped(tell.clone());
        async move {
            Body::from_stream(futures_util::stream::repeat_with(move || {
                let _ = &part;
                Ok::<_, Infallible>(Bytes::from_static(&[0; 16 * 1024]))
            }))
        }
    };
    let router = Router::new()
        .route("/", get(endless))
        .route("/never", get(std::future::pending::<()>))
        .route("/read", get(|body: Bytes| async move { body }));
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    let closing = CancellationToken::new();
    let listener = Listener::Tcp(listener);
    let closed = closing.clone();
    tokio::spawn(async move {
        // As the mesh has it.
        let cores = match side {
            Side::Edge => Cores::start().unwrap(),
            Side::Inside => Cores::none(),
        };
        serve_within(router, listener, side, bounds, &cores, closed).await;
    });
    (address, dropped, closing.drop_guard())
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
    frame.extend_from_slice(payload);
    frame
}

/// `GET` of a path, for HTTP/2.
fn ask(stream: u8, path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x01, 1, b'x', 0x04, path.len() as u8];
    block.extend_from_slice(path.as_bytes());
    frame(HEADERS, 5, stream, &block)
}

/// What every HTTP/2 connection begins with, here without room for any data.
fn begin() -> Vec<u8> {
    let shut = [0, 4, 0, 0, 0, 0];
    [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &frame(SETTINGS, 0, 0, &shut),
    ]
    .concat()
}

/// The kinds of the frames until the end of the connection.
async fn kinds(socket: &mut TcpStream) -> Vec<u8> {
    let mut told = Vec::new();
    let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut told)).await;
    // It may end with a reset.
    let _ = read.expect("the connection ends");
    let (mut kinds, mut rest) = (Vec::new(), &told[..]);
    while rest.len() >= 9 {
        let length = usize::from(rest[1]) << 8 | usize::from(rest[2]);
        kinds.push(rest[3]);
        rest = rest.get(9 + length..).unwrap_or_default();
    }
    kinds
}

#[tokio::test]
async fn an_answer_of_which_nothing_is_taken_is_dropped() {
    let bounds = Bounds {
        stalled: Duration::from_millis(300),
        ..Bounds::default()
    };
    let (address, mut dropped, _guard) = listen(Side::Edge, bounds).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    // Nothing is read, and the connection stays.
    let told = tokio::time::timeout(PATIENCE, dropped.recv()).await;
    assert_eq!(told.expect("it is dropped"), Some(()));
}

#[tokio::test]
async fn one_that_is_slowly_taken_goes_on() {
    let bounds = Bounds {
        stalled: Duration::from_millis(400),
        ..Bounds::default()
    };
    let (address, _dropped, _guard) = listen(Side::Edge, bounds).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut piece = vec![0; 4 * 1024 * 1024];
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        socket.read_exact(&mut piece).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_is_old_is_told_so_and_one_that_does_not_end_is_cut() {
    let bounds = Bounds {
        age: Duration::from_millis(300),
        last: Duration::from_millis(300),
        ..Bounds::default()
    };
    let (address, _dropped, _guard) = listen(Side::Edge, bounds).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket
        .write_all(&[begin(), ask(1, "/")].concat())
        .await
        .unwrap();
    let kinds = kinds(&mut socket).await;
    assert!(
        kinds.contains(&HEADERS) && kinds.contains(&GO_AWAY),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn half_a_preface_is_not_awaited_for_long() {
    for side in [Side::Edge, Side::Inside] {
        let bounds = Bounds {
            opening: Duration::from_millis(300),
            ..Bounds::default()
        };
        let (address, _dropped, _guard) = listen(side, bounds).await;
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(&begin()[..20]).await.unwrap();
        kinds(&mut socket).await;
        // Whoever has begun is not meant.
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket
            .write_all(&[begin(), ask(1, "/never")].concat())
            .await
            .unwrap();
        let waited = tokio::time::timeout(Duration::from_secs(1), kinds(&mut socket)).await;
        assert!(waited.is_err(), "{side:?}: {waited:?}");
    }
}

#[tokio::test]
async fn a_connection_that_abandons_what_it_asks_for_is_told_to_go_away() {
    let bounds = Bounds {
        abandoned: 3,
        silence: (Duration::from_secs(60), Duration::from_secs(1)),
        ..Bounds::default()
    };
    let (address, _dropped, _guard) = listen(Side::Edge, bounds).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(&begin()).await.unwrap();
    for stream in [1, 3, 5, 7] {
        // Of two the whole request is there, and of two the body is awaited.
        let (path, all) = if stream < 4 {
            ("/never", 5)
        } else {
            ("/read", 4)
        };
        let mut asked = ask(stream, path);
        asked[4] = all;
        socket.write_all(&asked).await.unwrap();
        // It runs by then.
        tokio::time::sleep(Duration::from_millis(100)).await;
        socket
            .write_all(&frame(RESET, 0, stream, &[0, 0, 0, 8]))
            .await
            .unwrap();
    }
    assert!(kinds(&mut socket).await.contains(&GO_AWAY));
}

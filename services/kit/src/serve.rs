//! Listeners with safe settings, and their bounded end; what is served is a parameter.
//!
//! Each setting answers something that was measured on a server without it; none of them is tonic's default.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::link::PipeListener;
use crate::tls::{self, ServerTls};

/// Where a server listens.
pub enum Listener {
    /// In this process.
    Memory(PipeListener),
    /// On a socket.
    Tcp(TcpListener),
    /// On a socket, with TLS.
    Tls(TcpListener, ServerTls),
}

/// Who is expected on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Strangers: browsers and shells, over HTTP/1.1 too.
    Edge,
    /// Services of the mesh.
    Inside,
}

fn server(side: Side) -> Server {
    Server::builder()
        // Without a bound, one connection can send malformed streams forever and is never told to go away.
        .http2_max_local_error_reset_streams(Some(1024))
        .http2_max_pending_accept_reset_streams(Some(1024))
        .max_concurrent_streams(match side {
            Side::Edge => 200,
            Side::Inside => 1000,
        })
        .http2_max_header_list_size(16 * 1024)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        // Never with a grace: with one, no GOAWAY is sent and running streams are cut.
        .max_connection_age(Duration::from_secs(600))
        .accept_http1(side == Side::Edge)
}

/// Binds a socket for [`Listener::Tcp`].
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `closing`: then no connection is accepted, those there are told to go away, and running calls go
/// on until they end. Bound it from outside: a stream can last.
pub async fn serve(
    router: Router,
    listener: Listener,
    side: Side,
    closing: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let server = server(side);
    let closed = closing.cancelled_owned();
    match listener {
        Listener::Memory(PipeListener(receiver)) => {
            let incoming = ReceiverStream::new(receiver).map(Ok::<_, std::io::Error>);
            server
                .serve_with_incoming_shutdown(router, incoming, closed)
                .await
        }
        Listener::Tcp(listener) => {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            server
                .serve_with_incoming_shutdown(router, incoming, closed)
                .await
        }
        Listener::Tls(listener, tls) => {
            let incoming = tls::accepted(listener, tls);
            server
                .serve_with_incoming_shutdown(router, incoming, closed)
                .await
        }
    }
}

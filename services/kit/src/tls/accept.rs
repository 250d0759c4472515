//! TLS connections as they arrive: handshakes beside each other and in a bounded time; whoever is slow waits alone.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use webpki::EndEntityCert;

use super::{NAME_SUFFIX, ServerTls};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How many handshakes may be under way; more connections wait in the system's queue.
const HANDSHAKES: usize = 512;
/// How long to wait when the system has nothing left to accept with, as in too many open files.
const BREATH: Duration = Duration::from_millis(100);

/// Who is at the other end of a TLS connection; in the extensions of each of its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPeer {
    /// Where it calls from.
    pub address: SocketAddr,
    /// The role that its certificate names; none at a listener that asks for no certificate.
    pub role: Option<Arc<str>>,
}

/// A connection after its handshake.
pub struct Secured {
    stream: TlsStream<TcpStream>,
    peer: TlsPeer,
}

/// The connections of a listener, each after its handshake. Ends never; dropping it closes the listener.
pub(crate) fn accepted(
    listener: TcpListener,
    tls: ServerTls,
) -> impl Stream<Item = io::Result<Secured>> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(accept(listener, tls, sender));
    ReceiverStream::new(receiver)
}

async fn accept(listener: TcpListener, tls: ServerTls, ready: mpsc::Sender<io::Result<Secured>>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, connection) = tokio::select! {
            next = next => next,
            () = ready.closed() => return,
        };
        let (socket, address) = match connection {
            Ok(connection) => connection,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let (config, ready) = (tls.0.now(), ready.clone());
        tokio::spawn(async move {
            let _ = socket.set_nodelay(true);
            let shaken = TlsAcceptor::from(config).accept(socket);
            match tokio::time::timeout(HANDSHAKE, shaken).await {
                Ok(Ok(stream)) => {
                    let role = role_of(&stream);
                    let peer = TlsPeer { address, role };
                    let _ = ready.send(Ok(Secured { stream, peer })).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
            drop(place);
        });
    }
}

/// The role in the caller's certificate, which the handshake has verified.
fn role_of(stream: &TlsStream<TcpStream>) -> Option<Arc<str>> {
    let (_, connection) = stream.get_ref();
    let certificate = connection.peer_certificates()?.first()?;
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    certificate
        .valid_dns_names()
        .find_map(|name| name.strip_suffix(NAME_SUFFIX))
        .map(Arc::from)
}

impl Connected for Secured {
    type ConnectInfo = TlsPeer;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.peer.clone()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

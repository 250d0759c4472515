//! TLS connections as they arrive, and what is known of who made them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;
use webpki::EndEntityCert;

use super::{NAME_SUFFIX, ServerTls};

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

/// Shakes hands. It takes as long as the caller lets it: bound it.
pub(crate) async fn accept(
    socket: TcpStream,
    address: SocketAddr,
    tls: &ServerTls,
) -> io::Result<Secured> {
    let stream = TlsAcceptor::from(tls.0.now()).accept(socket).await?;
    let role = role_of(&stream);
    let peer = TlsPeer { address, role };
    Ok(Secured { stream, peer })
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

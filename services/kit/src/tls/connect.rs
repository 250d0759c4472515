//! A TLS connection to a role of the mesh: who answers must be that role, wherever it runs.

use std::io;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use super::{MeshTls, server_name};

/// Connects to `role` at a URL and shows the certificate of the calling role.
pub(crate) async fn connect(
    tls: &MeshTls,
    role: &str,
    url: &Url,
) -> io::Result<TlsStream<TcpStream>> {
    let nowhere = || io::Error::new(io::ErrorKind::InvalidInput, "the URL has no host");
    let port = url.port_or_known_default().ok_or_else(nowhere)?;
    let socket = match url.host().ok_or_else(nowhere)? {
        url::Host::Domain(name) => TcpStream::connect((name, port)).await?,
        url::Host::Ipv4(address) => TcpStream::connect((address, port)).await?,
        url::Host::Ipv6(address) => TcpStream::connect((address, port)).await?,
    };
    socket.set_nodelay(true)?;
    let name = server_name(role).map_err(io::Error::other)?;
    TlsConnector::from(tls.client.now())
        .connect(name, socket)
        .await
}

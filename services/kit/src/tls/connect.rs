//! TLS connections: to a role of the mesh, who must be that role wherever it runs, and to a host that the world trusts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{MeshTls, server_name};

/// Connects to `role` at an address and shows the certificate of the calling role.
pub(crate) async fn connect(
    tls: &MeshTls,
    role: &str,
    address: SocketAddr,
) -> io::Result<TlsStream<TcpStream>> {
    let name = server_name(role).map_err(io::Error::other)?;
    connect_as(tls.client.now(), name, address).await
}

/// Connects to whoever has `name` at an address.
pub(crate) async fn connect_as(
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    address: SocketAddr,
) -> io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    TlsConnector::from(config).connect(name, socket).await
}

/// Trusts the authorities that browsers trust, and speaks HTTP/2.
pub(crate) fn trusting_the_world() -> Arc<ClientConfig> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

//! TLS at listeners and links: certificates are read from files, and read again when the files change; nothing here knows a key but to use it.
//!
//! Inside a mesh both sides show a certificate that the mesh's own authority has signed, and each is known by its
//! role's name (`users.atelier.internal`), not by the host it happens to run on: hosts and addresses come and go.

mod accept;
mod authority;
mod connect;
mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

pub(crate) use accept::accept;
pub use accept::{Secured, TlsPeer};
pub use authority::Authority;
pub(crate) use connect::{connect, connect_as, trusting_the_world};
pub use files::TlsError;
use files::{Files, Followed};

/// What the names of roles end with in certificates; `.internal` is reserved for private use (ICANN, 2024).
pub const NAME_SUFFIX: &str = ".atelier.internal";
/// The authority's certificate in a folder of certificates.
pub const AUTHORITY: &str = "ca.pem";

/// The name of a role in its certificate.
pub fn name_of(role: &str) -> String {
    format!("{role}{NAME_SUFFIX}")
}

/// The certificate and the private key of a role in a folder of certificates.
pub fn files_of(folder: &Path, role: &str) -> (PathBuf, PathBuf) {
    (
        folder.join(format!("{role}.pem")),
        folder.join(format!("{role}-key.pem")),
    )
}

/// The listening side.
#[derive(Clone, Debug)]
pub struct ServerTls(Arc<Followed<ServerConfig>>);

impl ServerTls {
    /// For strangers, over HTTP/2 and HTTP/1.1: they are asked for no certificate. `chain` and `key` are PEM files.
    pub fn public(chain: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let files = vec![chain.clone(), key.clone()];
        let read = move || {
            let files = Files::read(&chain, &key)?;
            let config = ServerConfig::builder()
                .with_no_client_auth()
                .with_single_cert(files.chain, files.key)
                .map_err(|error| TlsError::unusable(&chain, error))?;
            Ok(spoken(config, &[b"h2", b"http/1.1"]))
        };
        Followed::new(files, read).map(|followed| Self(Arc::new(followed)))
    }
}

/// Both sides of one role inside a mesh.
#[derive(Clone, Debug)]
pub struct MeshTls {
    server: ServerTls,
    client: Arc<Followed<ClientConfig>>,
}

impl MeshTls {
    /// The certificates of `role` in a folder: `ca.pem`, `ROLE.pem` and `ROLE-key.pem`.
    pub fn read(folder: &Path, role: &str) -> Result<Self, TlsError> {
        let authority = folder.join(AUTHORITY);
        let (chain, key) = files_of(folder, role);
        let files = vec![authority.clone(), chain.clone(), key.clone()];
        let at = (authority.clone(), chain.clone(), key.clone());
        let server = move || {
            let (authority, chain, key) = &at;
            let trusted = Arc::new(roots(authority)?);
            let callers = WebPkiClientVerifier::builder(trusted)
                .build()
                .map_err(|error| TlsError::unusable(authority, error))?;
            let files = Files::read(chain, key)?;
            let config = ServerConfig::builder()
                .with_client_cert_verifier(callers)
                .with_single_cert(files.chain, files.key)
                .map_err(|error| TlsError::unusable(chain, error))?;
            Ok(spoken(config, &[b"h2"]))
        };
        let client = move || {
            let files = Files::read(&chain, &key)?;
            let mut config = ClientConfig::builder()
                .with_root_certificates(roots(&authority)?)
                .with_client_auth_cert(files.chain, files.key)
                .map_err(|error| TlsError::unusable(&chain, error))?;
            config.alpn_protocols = vec![b"h2".to_vec()];
            Ok(config)
        };
        Ok(Self {
            server: ServerTls(Arc::new(Followed::new(files.clone(), server)?)),
            client: Arc::new(Followed::new(files, client)?),
        })
    }

    /// The listening side.
    pub fn server(&self) -> ServerTls {
        self.server.clone()
    }
}

/// The name that a role's certificate must carry.
fn server_name(role: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name_of(role)).map_err(|error| TlsError::unusable(Path::new(role), error))
}

fn spoken(mut config: ServerConfig, protocols: &[&[u8]]) -> ServerConfig {
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config
}

fn roots(authority: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in files::certificates(authority)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::unusable(authority, error))?;
    }
    Ok(roots)
}

//! TLS handshakes with the listeners of a split mesh, without anything above them: who they say they are, and whom they
//! turn away.

use std::io::Read as _;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use atelier_kit::tls::{AUTHORITY, files_of, name_of};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// How long an answer may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(10);

/// Somebody who connects: trusts the authority in a folder, and shows the certificate of `shown` there, or none.
#[derive(Clone, Copy)]
pub struct Stranger<'a> {
    /// The folder of certificates.
    pub folder: &'a Path,
    /// Whose certificate is shown.
    pub shown: Option<&'a str>,
}

impl Stranger<'_> {
    fn connect(self, url: &str, role: &str) -> (ClientConnection, TcpStream) {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(self.folder.join(AUTHORITY)).unwrap();
        roots.add(authority).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let config = match self.shown {
            None => config.with_no_client_auth(),
            Some(role) => {
                let (chain, key) = files_of(self.folder, role);
                let chain = vec![CertificateDer::from_pem_file(chain).unwrap()];
                let key = PrivateKeyDer::from_pem_file(key).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let name = ServerName::try_from(name_of(role)).unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = TcpStream::connect(url.trim_start_matches("https://")).unwrap();
        socket.set_read_timeout(Some(ANSWER)).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).unwrap();
        }
        (connection, socket)
    }

    /// The certificate that the listener of a role shows.
    pub fn sees(self, url: &str, role: &str) -> Vec<u8> {
        let (connection, _socket) = self.connect(url, role);
        connection.peer_certificates().unwrap()[0].to_vec()
    }

    /// What the listener of a role says when it turns one away. In TLS 1.3 it says so after the client's handshake.
    pub fn is_told(self, url: &str, role: &str) -> String {
        let (mut connection, mut socket) = self.connect(url, role);
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        match stream.read(&mut [0; 1]) {
            Ok(read) => format!("{read} bytes"),
            Err(error) => error.to_string(),
        }
    }
}

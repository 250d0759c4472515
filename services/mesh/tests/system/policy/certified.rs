//! Services that ask for a certificate: a valid service token is of no use beside the wrong one, at any method.

use std::path::Path;

use atelier_kit::identity::ServiceTokens;
use atelier_kit::link::{Link, Route};
use atelier_kit::secret::MeshSecret;
use atelier_kit::tls::{AUTHORITY, MeshTls, files_of, name_of};
use bytes::Bytes;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::outcomes::{BY_CERTIFICATE, CERTIFICATES, complaint, row};
use super::{methods_of, raw};
use crate::handshake::Stranger;
use crate::running::Launch;
use crate::split::{SECRET, SERVICES, Split};

/// The service that calls, and another role of the mesh whose certificate it has come by.
const CALLER: &str = "caller";
const OTHER: &str = "tts";

/// Makes certificates for all roles and the caller, by an authority of its own.
async fn certificates(folder: &Path) {
    let to = folder.display().to_string();
    let made = Launch::new(&["admin", "certs", "--to", &to, "--service", CALLER])
        .run()
        .await;
    assert_eq!(made.code(), Some(0), "{made:?}");
}

/// A link to a role that shows the certificate of `shown` in a folder.
fn link(mesh: &Split, role: &str, folder: &Path, shown: &str) -> Link {
    let tls = MeshTls::read(folder, shown).unwrap();
    let url = mesh.of(role).parse().unwrap();
    Link::new(role, &Route::Mesh(url, tls), None).unwrap()
}

/// A connection to a role that trusts its authority, and shows nothing.
fn without(mesh: &Split, role: &str, folder: &Path) -> Channel {
    let authority = std::fs::read(folder.join(AUTHORITY)).unwrap();
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority))
        .domain_name(name_of(role));
    let endpoint = Endpoint::from_shared(mesh.of(role).to_owned()).unwrap();
    endpoint.tls_config(tls).unwrap().connect_lazy()
}

#[tokio::test]
async fn a_service_token_is_of_no_use_beside_the_wrong_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (real, foreign) = (folder.path().join("real"), folder.path().join("foreign"));
    certificates(&real).await;
    certificates(&foreign).await;
    // It trusts the real authority, so that it is the service that refuses.
    std::fs::copy(real.join(AUTHORITY), foreign.join(AUTHORITY)).unwrap();

    let services: Vec<&str> = SERVICES.iter().map(|(role, _)| *role).collect();
    let mut mesh = Split::plan(&[&services], folder.path())
        .with_certificates(&real)
        .await;
    assert!(files_of(&real, CALLER).0.exists(), "the mesh kept it");
    mesh.begin("users").await;

    let secret = MeshSecret::new(SECRET.as_bytes()).unwrap();
    let tokens = ServiceTokens::new(&secret, CALLER);
    let mut wrong = Vec::new();
    for role in services {
        // There is no connection because of the certificate, and the listener says so.
        for (folder, shown, alert) in [
            (&foreign, Some(CALLER), "DecryptError"),
            (&real, None, "CertificateRequired"),
        ] {
            let told = Stranger { folder, shown }.is_told(mesh.of(role), role);
            assert!(told.contains(alert), "{role}: {told}");
        }
        let own = link(&mesh, role, &real, CALLER);
        let others = link(&mesh, role, &real, OTHER);
        let foreign = link(&mesh, role, &foreign, CALLER);
        let none = without(&mesh, role, &real);
        let token = tokens.token(role).unwrap();
        for (path, access, _) in methods_of(role) {
            let answers = [
                raw::call(&own, path, Some(&*token), Bytes::new()).await,
                raw::call(&others, path, Some(&*token), Bytes::new()).await,
                raw::call(&foreign, path, Some(&*token), Bytes::new()).await,
                raw::call(&none, path, Some(&*token), Bytes::new()).await,
            ];
            let expected = row(&BY_CERTIFICATE, *access);
            for ((caller, answer), outcome) in CERTIFICATES.iter().zip(&answers).zip(expected) {
                wrong.extend(complaint(path, caller, outcome, answer));
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers: {wrong:#?}", wrong.len());
    for ended in mesh.terminate().await {
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }
}

//! Certificates on both sides: who is let in, who is believed to answer, and what a renewal costs (nothing).

mod probe;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use atelier_kit::identity::ServiceTokens;
use atelier_kit::link::{Link, Route};
use atelier_kit::serve::{Listener, Side, bind, serve};
use atelier_kit::testing::{eventually, secret};
use atelier_kit::tls::{Authority, MeshTls, ServerTls, files_of};
use axum::Router;
use axum::routing::get;
use probe::*;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request};

/// A folder of certificates for these roles.
fn certificates(roles: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    issue(folder.path(), roles);
    folder
}

fn issue(folder: &Path, roles: &[&str]) {
    let authority = Authority::in_folder(folder).unwrap();
    for role in roles {
        authority
            .issue(role, &["localhost".to_owned()], 30)
            .unwrap();
    }
}

fn of(folder: &TempDir, role: &str) -> MeshTls {
    MeshTls::read(folder.path(), role).unwrap()
}

/// The same peer as others reach it.
fn link(peer: &Peer, tls: &MeshTls, as_role: &str) -> Link {
    let Route::Mesh(url, _) = &peer.route else {
        panic!("not a peer with certificates")
    };
    let route = Route::Mesh(url.clone(), tls.clone());
    Link::new(ROLE, &route, Some(ServiceTokens::new(&secret(), as_role))).unwrap()
}

fn from_service() -> Request<String> {
    let mut request = Request::new(String::new());
    request
        .extensions_mut()
        .insert(atelier_kit::link::AsService);
    request
}

#[tokio::test]
async fn a_role_with_its_certificate_and_its_token_is_let_in() {
    let folder = certificates(&[ROLE, "tester"]);
    let tester = of(&folder, "tester");
    let peer = Mount::default()
        .with_tls(Probe::new(), &of(&folder, ROLE), &tester)
        .await;
    assert_eq!(
        one(&peer.link(), "hello").await.unwrap().into_inner(),
        "hello"
    );
    call(&peer.link(), FOR_INTERNAL, from_service())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_token_of_another_role_than_the_certificates_is_refused() {
    let folder = certificates(&[ROLE, "tester", "thief"]);
    let peer = Mount::default()
        .with_tls(Probe::new(), &of(&folder, ROLE), &of(&folder, "tester"))
        .await;
    let thief = link(&peer, &of(&folder, "thief"), "tester");
    let status = call(&thief, FOR_INTERNAL, from_service())
        .await
        .unwrap_err();
    assert_error(&status, Code::Unauthenticated, "CERTIFICATE_MISMATCH");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_not_let_in() {
    let (folder, foreign) = (certificates(&[ROLE]), certificates(&["tester"]));
    // It trusts the real authority, so only its own certificate is wrong.
    std::fs::copy(folder.path().join("ca.pem"), foreign.path().join("ca.pem")).unwrap();
    let peer = Mount::default()
        .with_tls(Probe::new(), &of(&folder, ROLE), &of(&foreign, "tester"))
        .await;
    let status = one(&peer.link(), "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn who_shows_no_certificate_is_not_let_in() {
    let folder = certificates(&[ROLE]);
    let own = of(&folder, ROLE);
    let peer = Mount::default().with_tls(Probe::new(), &own, &own).await;
    let Route::Mesh(url, _) = &peer.route else {
        panic!("not a peer with certificates")
    };
    let pem = std::fs::read(folder.path().join("ca.pem")).unwrap();
    let without = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .resolve(
            "probe.atelier.internal",
            url.socket_addrs(|| None).unwrap()[0],
        )
        .build()
        .unwrap();
    let named = format!("https://probe.atelier.internal:{}/", url.port().unwrap());
    let told = format!("{:?}", without.get(named).send().await.unwrap_err());
    assert!(told.contains("CertificateRequired"), "{told}");
}

#[tokio::test]
async fn another_role_that_answers_at_the_url_is_not_believed() {
    let folder = certificates(&[ROLE, "impostor", "tester"]);
    let peer = Mount::default()
        .with_tls(
            Probe::new(),
            &of(&folder, "impostor"),
            &of(&folder, "tester"),
        )
        .await;
    let status = one(&peer.link(), "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn a_peer_that_speaks_in_the_clear_is_not_believed() {
    let folder = certificates(&["tester"]);
    let peer = Mount::default().on_loopback(Probe::new(), 0).await;
    let Route::Url(url) = &peer.route else {
        panic!("not a peer at a URL")
    };
    let mut url = url.clone();
    url.set_scheme("https").unwrap();
    let link = Link::new(ROLE, &Route::Mesh(url, of(&folder, "tester")), None).unwrap();
    let status = one(&link, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

/// Calls go on while all certificates, and the authority itself, are renewed; afterwards new connections are made
/// with the new ones alone.
#[tokio::test]
async fn certificates_are_renewed_without_a_refused_call() {
    let folder = certificates(&[ROLE, "tester"]);
    let (own, tester) = (of(&folder, ROLE), of(&folder, "tester"));
    let peer = Mount::default().with_tls(Probe::new(), &own, &tester).await;
    let stop = Arc::new(AtomicBool::new(false));
    let calls = tokio::spawn({
        let (link, stop) = (peer.link(), stop.clone());
        let Route::Mesh(url, tls) = peer.route.clone() else {
            panic!("not a peer with certificates")
        };
        async move {
            let mut count = 0;
            while !stop.load(Ordering::SeqCst) {
                one(&link, "kept").await.unwrap();
                // A new connection as well.
                let fresh = Route::Mesh(url.clone(), tls.clone());
                let fresh = Link::new(ROLE, &fresh, None).unwrap();
                one(&fresh, "fresh").await.unwrap();
                count += 2;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            count
        }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    issue(folder.path(), &[ROLE, "tester"]);
    // Files are looked at once a second.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stop.store(true, Ordering::SeqCst);
    assert!(calls.await.unwrap() > 20);

    // An authority that is made anew: nothing that the old one signed is let in any more.
    let before = certificates(&["tester"]);
    for name in ["ca.pem", "tester.pem", "tester-key.pem"] {
        std::fs::copy(folder.path().join(name), before.path().join(name)).unwrap();
    }
    let old = of(&before, "tester");
    one(&link(&peer, &old, "tester"), "still").await.unwrap();
    for name in ["ca.pem", "ca-key.pem"] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    issue(folder.path(), &[ROLE, "tester"]);
    eventually("the new authority is believed", || async {
        one(&link(&peer, &tester, "tester"), "new").await.is_ok()
    })
    .await;
    // It believes the new authority, so that it is the listener that refuses.
    std::fs::copy(folder.path().join("ca.pem"), before.path().join("ca.pem")).unwrap();
    let old = of(&before, "tester");
    let status = one(&link(&peer, &old, "tester"), "old").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn half_a_renewal_leaves_the_old_pair() {
    let folder = certificates(&[ROLE, "tester"]);
    let (own, tester) = (of(&folder, ROLE), of(&folder, "tester"));
    let peer = Mount::default().with_tls(Probe::new(), &own, &tester).await;
    let other = certificates(&[ROLE]);
    let (_, key) = files_of(folder.path(), ROLE);
    std::fs::copy(files_of(other.path(), ROLE).1, &key).unwrap();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        one(&link(&peer, &tester, "tester"), "old").await.unwrap();
    }
}

#[tokio::test]
async fn strangers_choose_between_the_versions_of_http() {
    let folder = certificates(&["edge"]);
    let (chain, key) = files_of(folder.path(), "edge");
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tls = ServerTls::public(chain, key).unwrap();
    let router = Router::new().route("/", get(|| async { "here" }));
    let closing = CancellationToken::new();
    tokio::spawn(serve(
        router,
        Listener::Tls(listener, tls),
        Side::Edge,
        closing.clone(),
    ));
    let pem = std::fs::read(folder.path().join("ca.pem")).unwrap();
    let trusting = || {
        reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
    };
    let url = format!("https://localhost:{port}/");
    for (client, version) in [
        (trusting().build().unwrap(), http::Version::HTTP_2),
        (
            trusting().http1_only().build().unwrap(),
            http::Version::HTTP_11,
        ),
    ] {
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.version(), version);
        assert_eq!(answer.text().await.unwrap(), "here");
    }
    // Somebody who connects and says nothing keeps nobody else waiting.
    let _silent = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    trusting().build().unwrap().get(&url).send().await.unwrap();
    closing.cancel();
}

#[test]
fn what_cannot_be_used_is_told_with_its_path() {
    let folder = certificates(&[ROLE]);
    let told = |role| MeshTls::read(folder.path(), role).unwrap_err().to_string();
    assert!(told("nobody").contains("nobody"), "{}", told("nobody"));
    let (chain, key) = files_of(folder.path(), ROLE);
    std::fs::write(
        &key,
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    assert!(!told(ROLE).contains("c2VjcmV0"));
    std::fs::write(&chain, "nothing").unwrap();
    assert!(
        told(ROLE).contains("no certificate in PEM"),
        "{}",
        told(ROLE)
    );
    // An authority whose key is elsewhere signs nothing, and is not replaced.
    std::fs::remove_file(folder.path().join("ca-key.pem")).unwrap();
    assert!(Authority::in_folder(folder.path()).is_err());
}

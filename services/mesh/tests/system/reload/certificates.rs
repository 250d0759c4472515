//! The edge's certificate: who comes sees the new one, and who is there stays.

use std::path::Path;

use atelier_kit::link::{Link, Route};
use atelier_kit::tls::MeshTls;
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_proto::users::v1::RegisterRequest;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use tonic::Request;

use super::{Reply, SCRIPT, SEEN, question};
use crate::handshake::Stranger;
use crate::people::credentials;
use crate::running::{Launch, eventually};

/// Makes certificates, by the authority that is in the folder already.
async fn certify(folder: &Path) {
    let to = folder.display().to_string();
    let made = Launch::new(&["admin", "certs", "--to", &to]).run().await;
    assert_eq!(made.code(), Some(0), "{made:?}");
}

/// The certificate that the edge shows to whoever comes now.
async fn shown(folder: &Path, edge: &str) -> Vec<u8> {
    let (folder, edge) = (folder.to_path_buf(), edge.replace("localhost", "127.0.0.1"));
    let looked = tokio::task::spawn_blocking(move || {
        let stranger = Stranger {
            folder: &folder,
            shown: None,
        };
        stranger.sees(&edge, "edge")
    });
    looked.await.unwrap()
}

/// A client of the edge that trusts the folder's authority.
fn connect(folder: &Path, edge: &str) -> Link {
    let tls = MeshTls::read(folder, "edge").unwrap();
    Link::new("edge", &Route::Mesh(edge.parse().unwrap(), tls), None).unwrap()
}

/// Registers somebody; the access token.
async fn register(link: &Link) -> String {
    let (email, password) = credentials();
    let request = RegisterRequest {
        email,
        password,
        display_name: "A person".to_owned(),
    };
    let answer = UsersServiceClient::new(link.clone())
        .register(request)
        .await;
    answer.unwrap().into_inner().tokens.unwrap().access_token
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_shown_to_who_comes_and_a_stream_goes_on_under_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = folder.path().join("certificates");
    certify(&certificates).await;
    let file = |name: &str| certificates.join(name);
    let mesh = Launch::serving(&[], &folder.path().join("data"))
        .env("ATELIER_EDGE_CERT", file("edge.pem").display().to_string())
        .env(
            "ATELIER_EDGE_KEY",
            file("edge-key.pem").display().to_string(),
        )
        .env("ATELIER_CHAT_URL", SCRIPT)
        .env("ATELIER_CHAT_MODELS", "simulated")
        .start()
        .await;
    let edge = mesh.edge();
    let link = connect(&certificates, edge);
    let token = register(&link).await;
    let mut request = Request::new(question());
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    let mut client = LlmChatServiceClient::new(link.clone());
    let reply = Reply::listen(client.complete(request).await.unwrap().into_inner()).await;

    let before = shown(&certificates, edge).await;
    assert_eq!(shown(&certificates, edge).await, before);
    // A certificate without its key, and then the two that belong together.
    let good = std::fs::read(file("edge-key.pem")).unwrap();
    std::fs::write(file("edge-key.pem"), "no key").unwrap();
    eventually("the wrong key is told", SEEN, || async {
        let now = shown(&certificates, edge).await;
        now == before && mesh.log().contains("certificates cannot be used")
    })
    .await;
    std::fs::write(file("edge-key.pem"), good).unwrap();
    certify(&certificates).await;
    eventually("the new one is shown", SEEN, || async {
        shown(&certificates, edge).await != before
    })
    .await;
    register(&connect(&certificates, edge)).await;
    // The connection that was made under the old one takes calls as well.
    register(&link).await;
    reply.goes_on_to_its_end().await;
    assert_eq!(mesh.terminate().await.code(), Some(0));
}

//! Tokens that must not be believed, at the running mesh: those that never held, through the edge and at a service, each
//! for its reason; and those of what was revoked, everywhere within a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atelier_kit::fault::reason_of;
use atelier_kit::testing::forge::Forge;
use atelier_kit::testing::tokens::{BadToken, Refused, bad_tokens};
use atelier_proto::llm_chat::v1::ListConversationsRequest;
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_proto::policy::v1::Scope;
use atelier_proto::users::v1::{
    CreateApiKeyRequest, RevokeAllSessionsRequest, RevokeApiKeyRequest,
};
use tokio::net::TcpListener;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::people::{Person, connect};
use crate::running::Launch;
use crate::split::Split;

/// A call with these `authorization` headers.
async fn call(channel: &Channel, authorization: &[Vec<u8>]) -> Result<(), Status> {
    let mut request = Request::new(ListConversationsRequest::default());
    for value in authorization {
        let value = MetadataValue::<Ascii>::try_from(value.as_slice()).expect("a header's value");
        request.metadata_mut().append("authorization", value);
    }
    let mut client = LlmChatServiceClient::new(channel.clone());
    client.list_conversations(request).await.map(|_| ())
}

/// What is not as it should be about a bad token's end.
fn complaint(token: &BadToken, answer: Result<(), Status>) -> Option<String> {
    let Err(status) = answer else {
        return Some("it was believed".to_owned());
    };
    let right = match token.refused {
        Refused::OnItsWay => true,
        Refused::For(reason) => {
            status.code() == Code::Unauthenticated && reason_of(&status).as_deref() == Some(reason)
        }
    };
    (!right).then(|| format!("expected {:?}, got {status:?}", token.refused))
}

/// A place where keys could be fetched from, and how often somebody came.
async fn trap() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys.json", listener.local_addr().unwrap());
    let came = Arc::new(AtomicUsize::new(0));
    let count = came.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, came)
}

#[tokio::test]
async fn no_bad_token_is_believed_at_the_edge_or_at_a_service() {
    let folder = tempfile::tempdir().unwrap();
    let groups: [&[&str]; 3] = [&["edge"], &["users"], &["llm-chat"]];
    let mut mesh = Split::plan(&groups, folder.path());
    mesh.begin("users").await;
    // The mesh publishes a key of which the test has the private half: signatures by it hold.
    let forge = Forge::new();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, forge.private_pem()).unwrap();
    let data = folder.path().join("machine-1").display().to_string();
    let imported = Launch::new(&["admin", "keys", "import", &file.display().to_string()])
        .args(&["--data", &data, "--admin-url", &mesh.admin("users")])
        .run()
        .await;
    assert_eq!(imported.code(), Some(0), "{imported:?}");
    mesh.begin("llm-chat").await;
    mesh.begin("edge").await;

    let (url, came) = trap().await;
    let table = bad_tokens(&forge, &url);
    assert!(table.len() >= 40, "only {} bad tokens", table.len());
    let good = [format!("Bearer {}", forge.good()).into_bytes()];
    let mut wrong = Vec::new();
    for (place, at) in [
        ("the edge", mesh.edge()),
        ("the service", mesh.of("llm-chat")),
    ] {
        let channel = connect(at).await;
        for token in &table {
            // What is wrong is the token alone: a good one of the same key is believed beside it.
            call(&channel, &good).await.expect("a good token");
            let answer = call(&channel, &token.authorization).await;
            wrong.extend(
                complaint(token, answer).map(|told| format!("{} at {place}: {told}", token.what)),
            );
        }
    }
    assert!(wrong.is_empty(), "{} tokens: {wrong:#?}", wrong.len());
    assert_eq!(came.load(Ordering::SeqCst), 0, "a key was fetched");
}

/// How long an ended session may still be believed: the contract's second, and what a busy machine adds.
const EVERYWHERE: Duration = Duration::from_secs(3);

fn bearer(token: &str) -> [Vec<u8>; 1] {
    [format!("Bearer {token}").into_bytes()]
}

/// Waits until a token is refused for this reason; any other refusal is wrong.
async fn refused_soon(channel: &Channel, token: &str, reason: &str) {
    let begun = Instant::now();
    loop {
        match call(channel, &bearer(token)).await {
            Ok(()) => assert!(begun.elapsed() < EVERYWHERE, "still believed"),
            Err(status) => {
                assert_eq!(reason_of(&status).as_deref(), Some(reason), "{status:?}");
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_revoked_is_over_everywhere_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let groups: [&[&str]; 3] = [&["edge"], &["users"], &["llm-chat"]];
    let mesh = Split::start(&groups, folder.path()).await;
    let edge = connect(mesh.edge()).await;
    let service = connect(mesh.of("llm-chat")).await;
    let ada = Person::register(mesh.edge()).await;

    // A session that another one of the account ends.
    let stolen = ada.login(mesh.edge()).await.tokens.access_token;
    for channel in [&edge, &service] {
        call(channel, &bearer(&stolen))
            .await
            .expect("a live session");
    }
    let request = RevokeAllSessionsRequest { keep_current: true };
    let ended = ada.users().revoke_all_sessions(request).await;
    assert_eq!(ended.unwrap().into_inner().revoked_sessions, 1);
    for channel in [&edge, &service] {
        refused_soon(channel, &stolen, "SESSION_ENDED").await;
    }
    call(&service, &bearer(&ada.tokens.access_token))
        .await
        .expect("the session that was kept");

    // An API key: exchanged at the edge, unknown everywhere else, and over when it is revoked.
    let request = CreateApiKeyRequest {
        display_name: "a script".to_owned(),
        scopes: vec![Scope::Read.into()],
        expire_time: None,
    };
    let made = ada.users().create_api_key(request).await.unwrap();
    let made = made.into_inner();
    call(&edge, &bearer(&made.secret))
        .await
        .expect("a live key");
    let direct = call(&service, &bearer(&made.secret)).await.unwrap_err();
    assert_eq!(reason_of(&direct).as_deref(), Some("TOKEN_INVALID"));
    let request = RevokeApiKeyRequest {
        api_key_id: made.api_key.unwrap().id,
    };
    ada.users().revoke_api_key(request).await.unwrap();
    let begun = Instant::now();
    loop {
        let reason = match call(&edge, &bearer(&made.secret)).await {
            Ok(()) => String::new(),
            Err(status) => reason_of(&status).unwrap_or_default(),
        };
        match reason.as_str() {
            "API_KEY_INVALID" => break,
            // The token that it was exchanged for is refused first, and then the edge asks again.
            "" | "SESSION_ENDED" => assert!(begun.elapsed() < EVERYWHERE, "still {reason:?}"),
            other => panic!("refused as {other}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

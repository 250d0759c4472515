//! What it never writes down: no password, no token and no key is in its log, however much it is asked to log.

use atelier_kit::identity::ServiceTokens;
use atelier_kit::secret::MeshSecret;
use atelier_proto::text_image::v1::{GenerateImageRequest, Size};
use atelier_proto::tts::v1::SynthesizeRequest;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use atelier_proto::users::v1::{ChangePasswordRequest, LoginRequest, RefreshSessionRequest};

use super::ask;
use crate::people::{Person, connect};
use crate::running::Launch;
use crate::told::{listen, listen_until};
use crate::upstream::{SLOW, Upstream};
use crate::web;

const KEY: &str = "sk-canary-of-the-chat-api-key";
const SECRET: &str = "a canary for the secret of the mesh";
const NEW_PASSWORD: &str = "canary-of-a-new-password";
const WRONG_PASSWORD: &str = "canary-of-a-wrong-password";

/// Each canary that a text holds, with the line.
fn sung(text: &str, canaries: &[(&str, String)]) -> Vec<String> {
    let mut sung = Vec::new();
    for (what, canary) in canaries {
        assert!(canary.len() >= 16, "{what} is too short to look for");
        if let Some(line) = text.lines().find(|line| line.contains(canary.as_str())) {
            let shown: String = line.chars().take(600).collect();
            sung.push(format!("{what}: {shown}"));
        }
    }
    sung
}

#[tokio::test]
async fn no_secret_is_in_the_log_at_trace() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let mesh = Launch::serving(&[], folder.path())
        .envs(&upstream.settings())
        .env("ATELIER_CHAT_API_KEY", KEY)
        .env("ATELIER_SECRET", SECRET)
        .env("ATELIER_LOG", "trace")
        .start()
        .await;
    let mut canaries: Vec<(&str, String)> = vec![
        ("the chat key", KEY.to_owned()),
        ("the mesh secret", SECRET.to_owned()),
        ("a new password", NEW_PASSWORD.to_owned()),
        ("a wrong password", WRONG_PASSWORD.to_owned()),
    ];

    // All service tokens begin with the same header, so one is enough to find any of them.
    let secret = MeshSecret::new(SECRET.as_bytes()).unwrap();
    let token = ServiceTokens::new(&secret, "tts")
        .token("analytics")
        .unwrap();
    let header = token.split('.').next().unwrap().to_owned();
    canaries.push(("a service token", header));

    let registered = Person::register(mesh.edge()).await;
    let mut ada = registered.login(mesh.edge()).await;
    let refused = UsersServiceClient::new(connect(mesh.edge()).await)
        .login(LoginRequest {
            email: ada.user.email.clone(),
            password: WRONG_PASSWORD.to_owned(),
            ..Default::default()
        })
        .await;
    refused.expect_err("a wrong password");
    let mut keep = |person: &Person| {
        canaries.push(("an access token", person.tokens.access_token.clone()));
        canaries.push(("a refresh token", person.tokens.refresh_token.clone()));
    };
    keep(&registered);
    keep(&ada);
    let request = RefreshSessionRequest {
        refresh_token: ada.tokens.refresh_token.clone(),
    };
    let pair = ada.users().refresh_session(request).await.expect("a pair");
    ada.tokens = pair.into_inner().tokens.unwrap();
    keep(&ada);
    keep(&Person::anonymous(mesh.edge()).await);
    canaries.push(("a password", ada.password.clone()));
    let request = ChangePasswordRequest {
        current_password: ada.password.clone(),
        new_password: NEW_PASSWORD.to_owned(),
    };
    ada.users()
        .change_password(request)
        .await
        .expect("a change");

    let reply = ask(&ada, SLOW, "Hello.").await;
    listen_until(reply, |told| !told.text().is_empty()).await;
    assert_eq!(
        upstream.keys(),
        [format!("Bearer {KEY}")],
        "the key was not used"
    );
    let request = GenerateImageRequest {
        prompt: "a canary".to_owned(),
        size: Some(Size {
            width: 64,
            height: 64,
        }),
        model: "atelier-painter".to_owned(),
        ..Default::default()
    };
    let stream = ada.pictures().generate_image(request).await;
    let picture = listen(stream.unwrap().into_inner()).await;
    assert_eq!(web::get(&picture.artifact().url).await.status, 200);
    let request = SynthesizeRequest {
        text: "A canary sings.".to_owned(),
        voice: "kal".to_owned(),
        ..Default::default()
    };
    let stream = ada.speech().synthesize(request).await;
    listen(stream.unwrap().into_inner()).await;

    let ended = mesh.terminate().await;
    assert_eq!(ended.code(), Some(0));
    assert!(ended.stderr.contains("TRACE"), "the log was not at trace");
    let sung = sung(&ended.stderr, &canaries);
    assert!(
        sung.is_empty(),
        "{} secrets in the log: {sung:#?}",
        sung.len()
    );
    assert_eq!(ended.stdout, "");
}

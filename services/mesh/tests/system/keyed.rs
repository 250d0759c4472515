//! `idempotency-key`: every method with a `request_id` holds the key against it, through the edge and at its service, and takes
//! the same call twice.

use std::path::Path;

use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::text_image::v1 as image;
use atelier_proto::tts::v1 as tts;
use atelier_proto::users::v1 as users;
use bytes::Bytes;
use prost::Message;
use tonic::Code;

use crate::people::{Person, connect};
use crate::raw::{self, Answer};
use crate::running::Launch;
use crate::split::{SERVICES, Split};

/// Each method that has a `request_id`, with a request that is right.
fn requests(admin: &Person, conversation: &str) -> Vec<(&'static str, Bytes)> {
    const ID: &str = "once";
    let request_id = || ID.to_owned();
    let user = || chat::InputMessage {
        role: chat::Role::User.into(),
        text: "Hello".to_owned(),
    };
    vec![
        (
            "/atelier.users.v1.CreditsService/GrantCredits",
            encoded(users::GrantCreditsRequest {
                user_id: admin.user.id.clone(),
                amount_micros: 1_000_000,
                request_id: request_id(),
                ..Default::default()
            }),
        ),
        (
            "/atelier.users.v1.CreditsService/RefundGeneration",
            encoded(users::RefundGenerationRequest {
                generation_id: "nothing".to_owned(),
                request_id: "another-one".to_owned(),
                ..Default::default()
            }),
        ),
        (
            "/atelier.llm_chat.v1.LlmChatService/CreateConversation",
            encoded(chat::CreateConversationRequest {
                request_id: request_id(),
                ..Default::default()
            }),
        ),
        (
            "/atelier.llm_chat.v1.LlmChatService/SendMessage",
            encoded(chat::SendMessageRequest {
                conversation_id: conversation.to_owned(),
                text: "Hello".to_owned(),
                request_id: "a-message".to_owned(),
                ..Default::default()
            }),
        ),
        (
            "/atelier.llm_chat.v1.LlmChatService/Complete",
            encoded(chat::CompleteRequest {
                messages: vec![user()],
                request_id: "a-reply".to_owned(),
                ..Default::default()
            }),
        ),
        (
            "/atelier.text_image.v1.TextImageService/GenerateImage",
            encoded(image::GenerateImageRequest {
                prompt: "waves".to_owned(),
                size: Some(image::Size {
                    width: 64,
                    height: 64,
                }),
                request_id: request_id(),
                ..Default::default()
            }),
        ),
        (
            "/atelier.tts.v1.TtsService/Synthesize",
            encoded(tts::SynthesizeRequest {
                text: "Hello.".to_owned(),
                request_id: request_id(),
                ..Default::default()
            }),
        ),
    ]
}

fn encoded(message: impl Message) -> Bytes {
    message.encode_to_vec().into()
}

/// The `request_id` of a request, as the descriptor says where it is.
fn request_id(path: &str, message: &Bytes) -> String {
    let method = raw::methods().into_iter().find(|(known, _)| known == path);
    let input = method.expect("a method").1.input();
    let message = prost_reflect::DynamicMessage::decode(input, message.clone()).unwrap();
    let field = message.get_field_by_name("request_id").expect("the field");
    field.as_str().expect("a text").to_owned()
}

async fn mesh(folder: &Path) -> (Split, Person) {
    let services: Vec<&str> = SERVICES.iter().map(|(role, _)| *role).collect();
    let mesh = Split::start(&[&["edge"], &services], folder).await;
    let admin = Person::register(mesh.edge()).await;
    let data = folder.join("machine-1").display().to_string();
    let granted = Launch::new(&["admin", "grant", &admin.user.email, "--data", &data])
        .run()
        .await;
    assert_eq!(granted.code(), Some(0), "{granted:?}");
    let admin = admin.login(mesh.edge()).await;
    (mesh, admin)
}

fn names_request_id(answer: &Answer) -> bool {
    answer.code == Code::InvalidArgument && answer.fields() == ["request_id"]
}

#[tokio::test]
async fn a_key_must_be_the_request_id_of_every_method_that_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let (mesh, admin) = mesh(folder.path()).await;
    let conversation = admin.conversation().await;
    let requests = requests(&admin, &conversation);
    for (path, method) in raw::methods() {
        let has_one = method.input().get_field_by_name("request_id").is_some();
        let known = requests.iter().any(|(known, _)| *known == path);
        assert_eq!(known, has_one, "{path}");
    }
    let token = admin.tokens.access_token.as_str();
    let edge = connect(mesh.edge()).await;
    for (path, message) in requests {
        let service = connect(mesh.of(raw::role_of(path))).await;
        let id = request_id(path, &message);
        for door in [&edge, &service] {
            let call = async |key: &str| {
                raw::call_keyed(door, path, Some(token), message.clone(), Some(key)).await
            };
            let answer = call("another").await;
            assert!(names_request_id(&answer), "{path}: {answer:?}");
            let answer = call("").await;
            assert!(names_request_id(&answer), "{path}: {answer:?}");
            for _ in 0..2 {
                let answer = call(&id).await;
                // There is nothing to refund, which is found out after the key.
                let expected = match path.ends_with("/RefundGeneration") {
                    true => Code::NotFound,
                    false => Code::Ok,
                };
                assert_eq!(answer.code, expected, "{path}: {answer:?}");
            }
        }
    }
    // One of each, however often it was asked for.
    assert_eq!(admin.conversations().await.len(), 2);
    assert_eq!(admin.messages(&conversation).await.len(), 2);
    assert_eq!(admin.images().await.len(), 1);
    assert_eq!(admin.conversions().await.len(), 1);
}

//! Bad input: told with its field, and nothing is left behind.

use atelier_kit::identity::Role;
use atelier_proto::llm_chat::v1::*;
use tonic::Code;

use crate::stage::*;

#[tokio::test]
async fn bad_input_names_its_field_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let id = world.conversation().await;
    let send = |text: &str| SendMessageRequest {
        conversation_id: id.clone(),
        text: text.into(),
        ..Default::default()
    };
    for (request, field) in [
        (send(" \n\t "), "text"),
        (send(&"x".repeat(65_537)), "text"),
        (
            SendMessageRequest {
                model: "gpt-0".into(),
                ..send("hi")
            },
            "model",
        ),
        (
            SendMessageRequest {
                request_id: "no spaces".into(),
                ..send("hi")
            },
            "request_id",
        ),
        (
            SendMessageRequest {
                conversation_id: String::new(),
                ..send("hi")
            },
            "conversation_id",
        ),
        (
            SendMessageRequest {
                sampling: Some(Sampling {
                    temperature: Some(f64::NAN),
                    max_tokens: None,
                }),
                ..send("hi")
            },
            "sampling.temperature",
        ),
    ] {
        let status = world
            .chat()
            .send_message(world.ana(request))
            .await
            .unwrap_err();
        assert!(
            fields(&status).contains(&field.to_owned()),
            "{field}: {status:?}"
        );
    }
    assert!(world.messages(&id).await.is_empty());

    let nowhere = SendMessageRequest {
        conversation_id: "nobody".into(),
        ..send("hi")
    };
    let missing = world
        .chat()
        .send_message(world.ana(nowhere))
        .await
        .unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    let others = world
        .chat()
        .send_message(world.bob(send("hi")))
        .await
        .unwrap_err();
    assert_eq!(others.code(), Code::NotFound);
    let tampered = ListConversationsRequest {
        page_size: 1,
        page_token: "AAAA".into(),
    };
    let status = world
        .chat()
        .list_conversations(world.ana(tampered))
        .await
        .unwrap_err();
    assert_eq!(fields(&status), ["page_token"]);
    let too_large = world
        .chat()
        .send_message(world.ana(send(&"x".repeat(200_000))))
        .await
        .unwrap_err();
    assert_eq!(
        (too_large.code(), reason(&too_large).as_str()),
        (Code::ResourceExhausted, "MESSAGE_TOO_LARGE")
    );
    let nobody = world.chat().send_message(send("hi")).await.unwrap_err();
    assert_eq!(
        (nobody.code(), reason(&nobody).as_str()),
        (Code::Unauthenticated, "TOKEN_MISSING")
    );
    let anonymous = world
        .chat()
        .send_message(world.issuer.sign("x", Role::Anonymous, send("hi")))
        .await;
    assert_eq!(anonymous.unwrap_err().code(), Code::PermissionDenied);
}

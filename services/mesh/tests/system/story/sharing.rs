//! The chapters about others: what is Ada's is NOT_FOUND to everybody else, and a stranger without an account may draw.

use atelier_proto::analytics::v1::{GetUsageSummaryRequest, ListUsageEventsRequest};
use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::text_image::v1 as image;
use atelier_proto::tts::v1 as tts;
use atelier_proto::users::v1::{ListSessionsRequest, RevokeSessionRequest};
use prost_types::FieldMask;
use tonic::{Code, Response, Status};

use super::{Made, usage_events};
use crate::media::png_size;
use crate::people::Person;
use crate::raw::reason;
use crate::told::listen;
use crate::web;

fn not_found<T>(what: &str, answer: Result<Response<T>, Status>) {
    match answer {
        Ok(_) => panic!("{what}: another's was found"),
        Err(status) => assert_eq!(status.code(), Code::NotFound, "{what}: {status:?}"),
    }
}

/// Bob knows every id of Ada's, and none of them leads anywhere.
pub async fn others_find_nothing(
    edge: &str,
    ada: &Person,
    conversation: &str,
    picture: &str,
    speech: &str,
    made: &Made,
) {
    let bob = Person::register(edge).await;
    let conversation_id = conversation.to_owned();
    let id = conversation_id.clone();
    let request = chat::GetConversationRequest {
        conversation_id: id,
    };
    not_found(
        "GetConversation",
        bob.chat().get_conversation(request).await,
    );
    let request = chat::ListMessagesRequest {
        conversation_id: conversation_id.clone(),
        ..Default::default()
    };
    not_found("ListMessages", bob.chat().list_messages(request).await);
    let request = chat::SendMessageRequest {
        conversation_id: conversation_id.clone(),
        text: "Hello?".to_owned(),
        ..Default::default()
    };
    not_found("SendMessage", bob.chat().send_message(request).await);
    let request = chat::UpdateConversationRequest {
        conversation: Some(chat::Conversation {
            id: conversation_id.clone(),
            title: "Bob's".to_owned(),
            ..Default::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["title".to_owned()],
        }),
    };
    not_found(
        "UpdateConversation",
        bob.chat().update_conversation(request).await,
    );
    let request = chat::DeleteConversationRequest { conversation_id };
    not_found(
        "DeleteConversation",
        bob.chat().delete_conversation(request).await,
    );
    for id in made.by("llm-chat") {
        let generation_id = id.to_owned();
        let request = chat::WatchGenerationRequest {
            generation_id: generation_id.clone(),
            after_sequence: 0,
        };
        not_found(
            "WatchGeneration",
            bob.chat().watch_generation(request).await,
        );
        let request = chat::CancelGenerationRequest { generation_id };
        not_found(
            "CancelGeneration",
            bob.chat().cancel_generation(request).await,
        );
    }

    let image_id = picture.to_owned();
    let request = image::GetImageRequest {
        image_id: image_id.clone(),
    };
    not_found("GetImage", bob.pictures().get_image(request).await);
    let request = image::WatchGenerationRequest {
        generation_id: image_id.clone(),
        after_sequence: 0,
    };
    not_found(
        "WatchGeneration",
        bob.pictures().watch_generation(request).await,
    );
    let request = image::CancelGenerationRequest {
        generation_id: image_id.clone(),
    };
    not_found(
        "CancelGeneration",
        bob.pictures().cancel_generation(request).await,
    );
    let request = image::DeleteImageRequest { image_id };
    not_found("DeleteImage", bob.pictures().delete_image(request).await);

    let conversion_id = speech.to_owned();
    let request = tts::GetConversionRequest {
        conversion_id: conversion_id.clone(),
    };
    not_found("GetConversion", bob.speech().get_conversion(request).await);
    let request = tts::WatchGenerationRequest {
        generation_id: conversion_id.clone(),
        after_sequence: 0,
    };
    not_found(
        "WatchGeneration",
        bob.speech().watch_generation(request).await,
    );
    let request = tts::CancelGenerationRequest {
        generation_id: conversion_id.clone(),
    };
    not_found(
        "CancelGeneration",
        bob.speech().cancel_generation(request).await,
    );
    let request = tts::DeleteConversionRequest { conversion_id };
    not_found(
        "DeleteConversion",
        bob.speech().delete_conversion(request).await,
    );

    let request = ListSessionsRequest::default();
    let hers = ada.users().list_sessions(request).await;
    let hers = hers.expect("sessions").into_inner().sessions;
    let request = RevokeSessionRequest {
        session_id: hers[0].id.clone(),
    };
    not_found("RevokeSession", bob.users().revoke_session(request).await);

    assert!(usage_events(&bob).await.is_empty(), "another's usage");
    let request = ListUsageEventsRequest {
        user_id: ada.user.id.clone(),
        ..Default::default()
    };
    let refused = bob.usage().list_usage_events(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let request = GetUsageSummaryRequest {
        user_id: ada.user.id.clone(),
        ..Default::default()
    };
    let refused = bob.usage().get_usage_summary(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

/// Somebody without an account draws, sees the picture and its usage, and may not chat.
pub async fn an_anonymous_session_draws(edge: &str) {
    let guest = Person::anonymous(edge).await;
    assert!(guest.user.email.is_empty());
    let request = image::GenerateImageRequest {
        prompt: "a gull".to_owned(),
        size: Some(image::Size {
            width: 96,
            height: 64,
        }),
        ..Default::default()
    };
    let stream = guest.pictures().generate_image(request).await;
    let told = listen(stream.expect("a picture").into_inner()).await;
    assert!(told.is_completed(), "{told:?}");
    let page = web::get(&told.artifact().url).await;
    assert_eq!(png_size(&page.body), (96, 64));
    let own = guest.images().await;
    assert_eq!(own.len(), 1);
    assert_eq!(own[0].id, told.artifact().id);

    let refused = guest
        .chat()
        .create_conversation(chat::CreateConversationRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::PermissionDenied, "ROLE_TOO_LOW")
    );
}

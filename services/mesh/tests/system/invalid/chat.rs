//! Invalid requests about conversations and replies, one for each rule that the contract's comments state.

use atelier_proto::llm_chat::v1 as chat;

use super::{Table, mask};

const SERVICE: &str = "/atelier.llm_chat.v1.LlmChatService/";

/// The rows.
pub fn rows(table: &mut Table) {
    table.ids(SERVICE, "ExportPersonalData", "user_id", |user_id| {
        chat::ExportPersonalDataRequest { user_id }
    });
    table.ids(SERVICE, "ErasePersonalData", "user_id", |user_id| {
        chat::ErasePersonalDataRequest { user_id }
    });
    let create = chat::CreateConversationRequest::default;
    for (request, field) in [
        (
            chat::CreateConversationRequest {
                title: "t".repeat(201),
                ..create()
            },
            "title",
        ),
        (
            chat::CreateConversationRequest {
                model: "nobody".into(),
                ..create()
            },
            "model",
        ),
        (
            chat::CreateConversationRequest {
                system_prompt: "s".repeat(32_769),
                ..create()
            },
            "system_prompt",
        ),
        (
            chat::CreateConversationRequest {
                request_id: "white space".into(),
                ..create()
            },
            "request_id",
        ),
    ] {
        table.add(SERVICE, "CreateConversation", request, field);
    }
    table.ids(
        SERVICE,
        "GetConversation",
        "conversation_id",
        |conversation_id| chat::GetConversationRequest { conversation_id },
    );
    table.pages(SERVICE, "ListConversations", |page_size, page_token| {
        chat::ListConversationsRequest {
            page_size,
            page_token,
        }
    });
    let update = |id: &str, title: &str, paths: &[&str]| chat::UpdateConversationRequest {
        conversation: Some(chat::Conversation {
            id: id.to_owned(),
            title: title.to_owned(),
            ..Default::default()
        }),
        update_mask: mask(paths),
    };
    table.add(
        SERVICE,
        "UpdateConversation",
        update("", "t", &["title"]),
        "conversation.id",
    );
    table.add(
        SERVICE,
        "UpdateConversation",
        update("c", "", &["title"]),
        "conversation.title",
    );
    table.add(
        SERVICE,
        "UpdateConversation",
        update("c", "t", &[]),
        "update_mask",
    );
    table.add(
        SERVICE,
        "UpdateConversation",
        update("c", "t", &["model"]),
        "update_mask",
    );
    table.ids(
        SERVICE,
        "DeleteConversation",
        "conversation_id",
        |conversation_id| chat::DeleteConversationRequest { conversation_id },
    );
    table.ids(
        SERVICE,
        "ListMessages",
        "conversation_id",
        |conversation_id| chat::ListMessagesRequest {
            conversation_id,
            ..Default::default()
        },
    );
    table.pages(SERVICE, "ListMessages", |page_size, page_token| {
        chat::ListMessagesRequest {
            conversation_id: "c".into(),
            page_size,
            page_token,
        }
    });
    let sampling = |temperature, max_tokens| {
        Some(chat::Sampling {
            temperature,
            max_tokens,
        })
    };
    let send = || chat::SendMessageRequest {
        conversation_id: "c".into(),
        text: "hello".into(),
        ..Default::default()
    };
    for (request, field) in [
        (
            chat::SendMessageRequest {
                conversation_id: String::new(),
                ..send()
            },
            "conversation_id",
        ),
        (
            chat::SendMessageRequest {
                text: String::new(),
                ..send()
            },
            "text",
        ),
        (
            chat::SendMessageRequest {
                text: " \n\t".into(),
                ..send()
            },
            "text",
        ),
        (
            chat::SendMessageRequest {
                text: "t".repeat(65_537),
                ..send()
            },
            "text",
        ),
        (
            chat::SendMessageRequest {
                model: "nobody".into(),
                ..send()
            },
            "model",
        ),
        (
            chat::SendMessageRequest {
                request_id: "r".repeat(65),
                ..send()
            },
            "request_id",
        ),
        (
            chat::SendMessageRequest {
                sampling: sampling(Some(2.1), None),
                ..send()
            },
            "sampling.temperature",
        ),
        (
            chat::SendMessageRequest {
                sampling: sampling(Some(f64::NAN), None),
                ..send()
            },
            "sampling.temperature",
        ),
        (
            chat::SendMessageRequest {
                sampling: sampling(None, Some(0)),
                ..send()
            },
            "sampling.max_tokens",
        ),
    ] {
        table.add(SERVICE, "SendMessage", request, field);
    }
    let said = |role: chat::Role, text: &str| chat::InputMessage {
        role: role.into(),
        text: text.to_owned(),
    };
    let complete = || chat::CompleteRequest {
        messages: vec![said(chat::Role::User, "hello")],
        ..Default::default()
    };
    for (request, field) in [
        (chat::CompleteRequest::default(), "messages"),
        (
            chat::CompleteRequest {
                messages: vec![said(chat::Role::User, "x"); 1001],
                ..complete()
            },
            "messages",
        ),
        (
            chat::CompleteRequest {
                messages: vec![said(chat::Role::Assistant, "x")],
                ..complete()
            },
            "messages",
        ),
        (
            chat::CompleteRequest {
                messages: vec![
                    said(chat::Role::Unspecified, "x"),
                    said(chat::Role::User, "x"),
                ],
                ..complete()
            },
            "messages[0].role",
        ),
        (
            chat::CompleteRequest {
                messages: vec![said(chat::Role::System, ""), said(chat::Role::User, "x")],
                ..complete()
            },
            "messages[0].text",
        ),
        (
            chat::CompleteRequest {
                model: "nobody".into(),
                ..complete()
            },
            "model",
        ),
        (
            chat::CompleteRequest {
                request_id: "é".into(),
                ..complete()
            },
            "request_id",
        ),
        (
            chat::CompleteRequest {
                sampling: sampling(None, Some(32_769)),
                ..complete()
            },
            "sampling.max_tokens",
        ),
    ] {
        table.add(SERVICE, "Complete", request, field);
    }
    table.ids(
        SERVICE,
        "WatchGeneration",
        "generation_id",
        |generation_id| chat::WatchGenerationRequest {
            generation_id,
            after_sequence: 0,
        },
    );
    let before = chat::WatchGenerationRequest {
        generation_id: "g".into(),
        after_sequence: -1,
    };
    table.add(SERVICE, "WatchGeneration", before, "after_sequence");
    table.ids(
        SERVICE,
        "CancelGeneration",
        "generation_id",
        |generation_id| chat::CancelGenerationRequest { generation_id },
    );
    table.ids(
        SERVICE,
        "InspectGeneration",
        "generation_id",
        |generation_id| chat::InspectGenerationRequest { generation_id },
    );
    table.pages(SERVICE, "ListGenerations", |page_size, page_token| {
        chat::ListGenerationsRequest {
            page_size,
            page_token,
            open_only: false,
        }
    });
}

//! The RPCs over an in-memory link, with the real client and the whole stack around them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use atelier_kit::config::Settings;
use atelier_kit::identity::Role;
use atelier_kit::link::Link;
use atelier_kit::policy::Policies;
use atelier_kit::testing::{Issuer, foundation_with, mount};
use atelier_llm_chat::Config;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, State};
use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_proto::llm_chat::v1::{Role as Speaker, *};
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt as _;

struct World {
    client: LlmChatServiceClient<Link>,
    issuer: Issuer,
    _guard: tokio_util::sync::DropGuard,
    _stop: tokio_util::sync::DropGuard,
}

impl World {
    async fn open(folder: &Path) -> Self {
        Self::open_with(folder, &[]).await
    }

    async fn open_with(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let settings = Settings::new(
            variables
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        );
        let foundation = foundation_with("llm-chat", folder, &BTreeMap::new());
        let stop = foundation.stop.clone().drop_guard();
        let service = atelier_llm_chat::build(Config::read(&settings), &foundation)
            .await
            .unwrap();
        let issuer = Issuer::new();
        let policies = Policies::read(atelier_proto::DESCRIPTOR).unwrap();
        let (link, guard) = mount(service, "llm-chat", policies, &issuer);
        Self {
            client: LlmChatServiceClient::new(link),
            issuer,
            _guard: guard,
            _stop: stop,
        }
    }

    fn chat(&self) -> LlmChatServiceClient<Link> {
        self.client.clone()
    }

    fn ana<T>(&self, message: T) -> Request<T> {
        self.issuer.sign("ana", Role::User, message)
    }

    fn bob<T>(&self, message: T) -> Request<T> {
        self.issuer.sign("bob", Role::User, message)
    }

    async fn conversation(&self) -> String {
        let made = self
            .chat()
            .create_conversation(self.ana(Default::default()))
            .await
            .unwrap();
        made.into_inner().conversation.unwrap().id
    }

    async fn send(
        &self,
        conversation: &str,
        text: &str,
        request_id: &str,
    ) -> Result<Streaming<SendMessageResponse>, Status> {
        let request = SendMessageRequest {
            conversation_id: conversation.into(),
            text: text.into(),
            request_id: request_id.into(),
            ..Default::default()
        };
        Ok(self
            .chat()
            .send_message(self.ana(request))
            .await?
            .into_inner())
    }

    async fn messages(&self, conversation: &str) -> Vec<Message> {
        let request = ListMessagesRequest {
            conversation_id: conversation.into(),
            ..Default::default()
        };
        self.chat()
            .list_messages(self.ana(request))
            .await
            .unwrap()
            .into_inner()
            .messages
    }

    async fn watch(&self, id: &str, after: i64) -> Vec<GenerationEvent> {
        let request = WatchGenerationRequest {
            generation_id: id.into(),
            after_sequence: after,
        };
        let mut stream = self
            .chat()
            .watch_generation(self.ana(request))
            .await
            .unwrap()
            .into_inner();
        let mut events = Vec::new();
        while let Some(answer) = stream.message().await.unwrap() {
            events.push(answer.event.unwrap());
        }
        events
    }
}

async fn all(mut stream: Streaming<SendMessageResponse>) -> Vec<GenerationEvent> {
    let mut events = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        events.push(answer.event.unwrap());
    }
    events
}

/// The text of a stream of events; a snapshot replaces what came before it.
fn text(events: &[GenerationEvent]) -> String {
    let mut text = String::new();
    for event in events {
        match event.event.as_ref().unwrap() {
            Event::TextDelta(delta) => text.push_str(&delta.text),
            Event::Snapshot(snapshot) => text.clone_from(&snapshot.text),
            _ => {}
        }
    }
    text
}

fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .expect("an ErrorInfo")
        .reason
}

fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let bad = status.get_details_bad_request().expect("a BadRequest");
    bad.field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

#[tokio::test]
async fn a_reply_streams_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let id = world.conversation().await;
    let events = all(world.send(&id, "Hello! My name is Ada.", "").await.unwrap()).await;
    assert!(matches!(events[0].event, Some(Event::Queued(_))));
    let Some(Event::Started(started)) = &events[1].event else {
        panic!("{:?}", events[1])
    };
    assert_eq!(
        (started.provider.as_str(), started.model.as_str()),
        ("offline", "atelier-offline")
    );
    assert!(matches!(
        events.last().unwrap().event,
        Some(Event::Completed(_))
    ));
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence)
    );
    assert!(
        events
            .iter()
            .filter(|e| matches!(e.event, Some(Event::TextDelta(_))))
            .count()
            > 3
    );

    let messages = world.messages(&id).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].text, text(&events));
    assert_eq!(messages[1].state(), State::Completed);
    assert!(messages[1].usage.unwrap().output_tokens > 0);
    assert_eq!(messages[1].provider, "offline");

    let events = all(world.send(&id, "What is my name?", "").await.unwrap()).await;
    assert!(text(&events).contains("Ada"), "{}", text(&events));
}

#[tokio::test]
async fn a_chat_cut_in_the_middle_ends_with_the_same_text() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let id = world.conversation().await;
    let mut stream = world
        .send(&id, "Tell me a short story about a lighthouse.", "")
        .await
        .unwrap();
    let mut seen = Vec::new();
    while seen.len() < 6 {
        seen.push(stream.message().await.unwrap().unwrap().event.unwrap());
    }
    drop(stream);
    let last = seen.last().unwrap().clone();
    seen.extend(world.watch(&last.generation_id, last.sequence).await);
    let alone = world.watch(&last.generation_id, 0).await;
    assert_eq!(text(&seen), text(&alone));
    assert_eq!(text(&alone), world.messages(&id).await[1].text);
    assert!(!text(&alone).is_empty());
}

#[tokio::test]
async fn the_same_request_id_makes_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let id = world.conversation().await;
    let (one, two) = tokio::join!(
        world.send(&id, "Hello!", "r-1"),
        world.send(&id, "Hello!", "r-1")
    );
    let (one, two) = tokio::join!(all(one.unwrap()), all(two.unwrap()));
    assert_eq!(text(&one), text(&two));
    assert_eq!(one[0].generation_id, two[0].generation_id);
    let again = all(world.send(&id, "Hello!", "r-1").await.unwrap()).await;
    assert_eq!(text(&again), text(&one));
    assert_eq!(world.messages(&id).await.len(), 2);

    let other = world.send(&id, "Goodbye!", "r-1").await.unwrap_err();
    assert_eq!(
        (other.code(), reason(&other).as_str()),
        (Code::FailedPrecondition, "REQUEST_ID_REUSED")
    );
}

#[tokio::test]
async fn a_cancel_from_a_second_client_stops_it_and_keeps_what_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let id = world.conversation().await;
    let mut stream = world
        .send(&id, "Tell me a long story about the sea.", "")
        .await
        .unwrap();
    let mut events = Vec::new();
    while !matches!(
        events.last(),
        Some(GenerationEvent {
            event: Some(Event::TextDelta(_)),
            ..
        })
    ) {
        events.push(stream.message().await.unwrap().unwrap().event.unwrap());
    }
    let busy = world.send(&id, "And another!", "").await.unwrap_err();
    assert_eq!(reason(&busy), "REPLY_IN_PROGRESS");
    let cancel = CancelGenerationRequest {
        generation_id: events[0].generation_id.clone(),
    };
    let others = world
        .chat()
        .cancel_generation(world.bob(cancel.clone()))
        .await
        .unwrap_err();
    assert_eq!(others.code(), Code::NotFound);
    world
        .chat()
        .cancel_generation(world.ana(cancel))
        .await
        .unwrap();
    events.extend(all(stream).await);
    assert!(matches!(
        events.last().unwrap().event,
        Some(Event::Cancelled(_))
    ));
    let messages = world.messages(&id).await;
    assert_eq!(messages[1].state(), State::Cancelled);
    assert_eq!(messages[1].text, text(&events));
}

#[tokio::test]
async fn complete_stores_no_conversation_and_obeys_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let said = |role: Speaker, text: &str| InputMessage {
        role: role.into(),
        text: text.into(),
    };
    let request = CompleteRequest {
        messages: vec![
            said(Speaker::System, "Your name is Iris."),
            said(Speaker::User, "Who are you?"),
        ],
        sampling: Some(Sampling {
            max_tokens: Some(3),
            temperature: None,
        }),
        ..Default::default()
    };
    let mut stream = world
        .chat()
        .complete(world.ana(request))
        .await
        .unwrap()
        .into_inner();
    let mut events = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        events.push(answer.event.unwrap());
    }
    let Some(Event::Completed(done)) = &events.last().unwrap().event else {
        panic!("{events:?}")
    };
    assert_eq!(
        done.finish_reason(),
        atelier_proto::generation::v1::FinishReason::Length
    );
    let listed = world
        .chat()
        .list_conversations(world.ana(Default::default()))
        .await
        .unwrap();
    assert!(listed.into_inner().conversations.is_empty());
}

#[tokio::test]
async fn conversations_are_made_renamed_listed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.conversation().await);
    }
    let rename = UpdateConversationRequest {
        conversation: Some(Conversation {
            id: ids[0].clone(),
            title: " Boats ".into(),
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["title".into()],
        }),
    };
    let renamed = world
        .chat()
        .update_conversation(world.ana(rename.clone()))
        .await
        .unwrap();
    assert_eq!(renamed.into_inner().conversation.unwrap().title, "Boats");
    assert_eq!(
        world
            .chat()
            .update_conversation(world.bob(rename))
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );

    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let page = ListConversationsRequest {
            page_size: 2,
            page_token: token,
        };
        let page = world
            .chat()
            .list_conversations(world.ana(page))
            .await
            .unwrap()
            .into_inner();
        listed.extend(page.conversations.into_iter().map(|c| c.id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    // The one renamed changed last.
    assert_eq!(
        listed,
        [&ids[0], &ids[4], &ids[3], &ids[2], &ids[1]].map(Clone::clone)
    );

    let delete = DeleteConversationRequest {
        conversation_id: ids[1].clone(),
    };
    assert_eq!(
        world
            .chat()
            .delete_conversation(world.bob(delete.clone()))
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    world
        .chat()
        .delete_conversation(world.ana(delete.clone()))
        .await
        .unwrap();
    assert_eq!(
        world
            .chat()
            .delete_conversation(world.ana(delete))
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn deleting_a_conversation_cancels_its_reply_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let id = world.conversation().await;
    let mut stream = world
        .send(&id, "Tell me a long story about the sea.", "")
        .await
        .unwrap();
    let first = stream.message().await.unwrap().unwrap().event.unwrap();
    world
        .chat()
        .delete_conversation(world.ana(DeleteConversationRequest {
            conversation_id: id.clone(),
        }))
        .await
        .unwrap();
    let watch = WatchGenerationRequest {
        generation_id: first.generation_id,
        after_sequence: 0,
    };
    let gone = world
        .chat()
        .watch_generation(world.ana(watch))
        .await
        .unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
}

#[tokio::test]
async fn creating_twice_under_one_request_id_makes_one() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let request = CreateConversationRequest {
        title: "T".into(),
        request_id: "c-1".into(),
        ..Default::default()
    };
    let one = world
        .chat()
        .create_conversation(world.ana(request.clone()))
        .await
        .unwrap()
        .into_inner();
    let two = world
        .chat()
        .create_conversation(world.ana(request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(one, two);
    let other = CreateConversationRequest {
        title: "U".into(),
        ..request
    };
    let error = world
        .chat()
        .create_conversation(world.ana(other))
        .await
        .unwrap_err();
    assert_eq!(reason(&error), "REQUEST_ID_REUSED");
}

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

#[tokio::test]
async fn conversations_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let id;
    {
        let world = World::open(folder.path()).await;
        id = world.conversation().await;
        all(world.send(&id, "Hello!", "r-1").await.unwrap()).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let world = World::open(folder.path()).await;
    let messages = world.messages(&id).await;
    assert_eq!(messages.len(), 2);
    // The journal is gone with the process; the record replays the whole.
    let events = world.watch(&messages[1].generation_id, 0).await;
    assert_eq!(text(&events), messages[1].text);
    assert!(matches!(
        events.last().unwrap().event,
        Some(Event::Completed(_))
    ));
    let again = all(world.send(&id, "Hello!", "r-1").await.unwrap()).await;
    assert_eq!(text(&again), messages[1].text);
    assert_eq!(world.messages(&id).await.len(), 2);
}

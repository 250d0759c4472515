//! Replies: streamed, resumed, joined, cancelled, and made without a conversation.

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, State};
use atelier_proto::llm_chat::v1::{Role as Speaker, *};
use tonic::Code;

use crate::stage::*;

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

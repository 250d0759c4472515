//! Conversations: made, listed, renamed, deleted, and kept over a restart.

use std::time::Duration;

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::llm_chat::v1::*;
use tonic::Code;

use crate::stage::*;

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

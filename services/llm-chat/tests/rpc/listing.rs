//! ListGenerations: what runs and what ran of one account, and what a cancelled reply used.

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Generation, State};
use atelier_proto::llm_chat::v1::*;
use tonic::Request;

use crate::stage::*;

async fn list(
    world: &World,
    request: Request<ListGenerationsRequest>,
) -> (Vec<Generation>, String) {
    let answer = world.chat().list_generations(request).await.unwrap();
    let answer = answer.into_inner();
    (answer.generations, answer.next_page_token)
}

#[tokio::test]
async fn a_list_has_ones_own_replies_the_newest_first_with_what_they_belong_to() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let talk = world.conversation().await;
    let mut made = Vec::new();
    for text in ["Hello!", "What is 3 plus 4?", "Thank you."] {
        let events = all(world.send(&talk, text, "").await.unwrap()).await;
        made.insert(0, events[0].generation_id.clone());
    }
    let alone = CompleteRequest {
        messages: vec![InputMessage {
            role: Role::User.into(),
            text: "Hello!".into(),
        }],
        ..Default::default()
    };
    let mut stream = world
        .chat()
        .complete(world.ana(alone))
        .await
        .unwrap()
        .into_inner();
    let first = stream.message().await.unwrap().unwrap().event.unwrap();
    made.insert(0, first.generation_id);
    while stream.message().await.unwrap().is_some() {}

    let (whole, next) = list(&world, world.ana(Default::default())).await;
    let ids: Vec<&str> = whole.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(
        (ids, next.as_str()),
        (made.iter().map(String::as_str).collect(), "")
    );
    assert_eq!(whole[0].subject, "");
    let reply = &whole[1];
    assert_eq!(
        (reply.subject.as_str(), reply.state()),
        (talk.as_str(), State::Completed)
    );
    assert_eq!(
        (reply.provider.as_str(), reply.model.as_str()),
        ("offline", "atelier-offline")
    );
    assert!(reply.usage.unwrap().output_tokens > 0 && reply.failed.is_none());
    assert!(reply.end_time.is_some() && reply.create_time.is_some());
    assert_eq!(world.watch(&reply.id, reply.sequence).await, []);

    let mut paged = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListGenerationsRequest {
            page_size: 3,
            page_token: page_token.clone(),
            open_only: false,
        };
        let (page, next) = list(&world, world.ana(request.clone())).await;
        paged.extend(page);
        // A token is good for its own listing alone.
        if !next.is_empty() {
            for other in [
                world.bob(ListGenerationsRequest {
                    page_token: next.clone(),
                    ..request.clone()
                }),
                world.ana(ListGenerationsRequest {
                    page_token: next.clone(),
                    open_only: true,
                    ..request
                }),
            ] {
                let refused = world.chat().list_generations(other).await.unwrap_err();
                assert_eq!(fields(&refused), ["page_token"]);
            }
        }
        page_token = next;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, whole);
    assert!(
        list(&world, world.bob(Default::default()))
            .await
            .0
            .is_empty()
    );
    let open = ListGenerationsRequest {
        open_only: true,
        ..Default::default()
    };
    assert!(list(&world, world.ana(open)).await.0.is_empty());
}

#[tokio::test]
async fn a_cancelled_reply_is_open_until_it_ends_and_says_what_it_used_by_what_was_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let talk = world.conversation().await;
    let mut stream = world
        .send(&talk, "Tell me a long story about a lighthouse.", "")
        .await
        .unwrap();
    let mut seen = Vec::new();
    while text(&seen).is_empty() {
        seen.push(stream.message().await.unwrap().unwrap().event.unwrap());
    }
    let id = seen[0].generation_id.clone();
    let open = ListGenerationsRequest {
        open_only: true,
        ..Default::default()
    };
    let (running, _) = list(&world, world.ana(open.clone())).await;
    assert_eq!(running.len(), 1);
    assert_eq!(
        (running[0].id.as_str(), running[0].state()),
        (id.as_str(), State::Running)
    );
    assert!(running[0].end_time.is_none() && running[0].usage.is_none());
    let cancel = CancelGenerationRequest {
        generation_id: id.clone(),
    };
    world
        .chat()
        .cancel_generation(world.ana(cancel))
        .await
        .unwrap();
    while let Some(answer) = stream.message().await.unwrap() {
        seen.push(answer.event.unwrap());
    }
    let [.., usage, last] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert!(matches!(last.event, Some(Event::Cancelled(_))));
    let Some(Event::Usage(usage)) = &usage.event else {
        panic!("{seen:?}")
    };
    assert!(usage.estimated && usage.input_tokens > 0 && usage.output_tokens > 0);
    assert!(list(&world, world.ana(open)).await.0.is_empty());
    let (ended, _) = list(&world, world.ana(Default::default())).await;
    assert_eq!(
        (ended[0].state(), ended[0].usage),
        (State::Cancelled, Some(*usage))
    );
    let kept = world.messages(&talk).await;
    assert_eq!(
        (kept[1].usage, kept[1].text.as_str()),
        (Some(*usage), text(&seen).as_str())
    );
}

//! What can go wrong at an API, and what its owner is told of it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use atelier_kit::testing::api::{Answer, Api, Presence, nowhere};
use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::llm_chat::v1::*;
use serde_json::json;

use crate::stage::*;

#[tokio::test]
async fn a_refusal_is_told_as_what_it_is_and_without_the_key() {
    for (status, expected, asked) in [
        (400, ("UPSTREAM_REFUSED", false), 1),
        (401, ("UPSTREAM_REFUSED", false), 1),
        (402, ("UPSTREAM_BUSY", true), 1),
        (403, ("UPSTREAM_REFUSED", false), 1),
        (404, ("UPSTREAM_REFUSED", false), 1),
        // What may pass is asked for twice more, before a word of it was told.
        (429, ("UPSTREAM_BUSY", true), 3),
        (500, ("UPSTREAM_BUSY", true), 3),
        (503, ("UPSTREAM_BUSY", true), 3),
    ] {
        // As some do, it repeats what it was given.
        let api = Api::start(move |asked, _| {
            let said = format!("wrong key: {}", asked.header("authorization"));
            Answer::json(status, &json!({"error": {"message": said, "code": "no"}}))
        })
        .await;
        let world = World::open(&api.url).await;
        let failed = world.failure().await;
        assert_eq!(told(&failed), expected, "HTTP {status}");
        assert!(
            !failed.message.is_empty() && !failed.message.contains("127.0.0.1"),
            "{failed:?}"
        );
        assert_eq!(api.seen().len(), asked, "HTTP {status}");
        world.kept_the_key();
    }
}

#[tokio::test]
async fn a_conversation_goes_on_after_a_failure() {
    let asked = Arc::new(Mutex::new(0));
    let api = Api::start(move |_, _| {
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        if *asked == 1 {
            return Answer::json(400, &json!({}));
        }
        events(&[delta("Here I am."), stop()])
    })
    .await;
    let world = World::open(&api.url).await;
    let id = world.conversation("").await;
    let events = world.say(&id, "Hello?").await;
    assert!(matches!(
        events.last().unwrap().event,
        Some(Event::Failed(_))
    ));
    assert_eq!(text(&world.say(&id, "Hello again?").await), "Here I am.");
    let messages = api.seen()[1].body["messages"].clone();
    assert_eq!(
        messages.as_array().unwrap().last().unwrap()["content"],
        "Hello again?"
    );
}

#[tokio::test]
async fn an_api_that_is_not_there_is_unavailable() {
    let world = World::open(&nowhere().await).await;
    assert_eq!(told(&world.failure().await), ("UPSTREAM_UNAVAILABLE", true));
    world.kept_the_key();
}

#[tokio::test]
async fn a_stream_cut_in_the_middle_fails_and_keeps_what_was_said() {
    for (name, answer) in [
        (
            "broken off",
            (|_, _| Answer::Cut(vec![event(&delta("Once upon ")), event(&delta("a time"))]))
                as fn(_, Presence) -> Answer,
        ),
        ("ended early", |_, _| {
            let body = [delta("Once upon "), delta("a time")]
                .iter()
                .map(event)
                .collect::<String>();
            Answer::whole(200, "text/event-stream", body)
        }),
        ("an error within", |_, _| {
            let refused = json!({"error": {"message": format!("no: {KEY}"), "code": 500}});
            events(&[delta("Once upon "), delta("a time"), refused])
        }),
    ] {
        let api = Api::start(answer).await;
        let world = World::open(&api.url).await;
        let id = world.conversation("").await;
        let events = world.say(&id, "Tell me a story.").await;
        let Some(Event::Failed(failed)) = &events.last().unwrap().event else {
            panic!("{name}: {events:?}")
        };
        assert!(
            failed.retryable && failed.reason.starts_with("UPSTREAM_"),
            "{name}: {failed:?}"
        );
        assert_eq!(text(&events), "Once upon a time", "{name}");
        let reply = world.reply(&id).await;
        assert_eq!(
            (reply.text.as_str(), reply.state()),
            ("Once upon a time", State::Failed),
            "{name}"
        );
        world.kept_the_key();
    }
}

#[tokio::test]
async fn an_answer_that_is_no_reply_is_not_taken_for_one() {
    for (name, reason, media_type, body) in [
        (
            "a page",
            "UPSTREAM_GARBLED",
            "text/html",
            "<html><body>busy</body></html>".to_owned(),
        ),
        (
            "nothing at all",
            "UPSTREAM_GARBLED",
            "text/event-stream",
            String::new(),
        ),
        (
            "nonsense",
            "UPSTREAM_GARBLED",
            "text/event-stream",
            format!("data: {{\"choices\": \"{KEY}\"}}\n\n"),
        ),
        (
            "an empty reply",
            "UPSTREAM_EMPTY",
            "",
            format!("{}data: [DONE]\n\n", event(&stop())),
        ),
        (
            "a line without an end",
            "UPSTREAM_GARBLED",
            "text/event-stream",
            format!("data: {}", "x".repeat(300_000)),
        ),
    ] {
        let api = Api::start(move |_, _| Answer::whole(200, media_type, body.clone())).await;
        let world = World::open(&api.url).await;
        assert_eq!(told(&world.failure().await), (reason, true), "{name}");
        world.kept_the_key();
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Api::start(|_, _| events(&[delta("Give me the key."), stop()])).await;
    let target = format!("{}/chat/completions", elsewhere.url);
    let api = Api::start(move |_, _| Answer::redirect(&target)).await;
    let world = World::open(&api.url).await;
    assert_eq!(told(&world.failure().await), ("UPSTREAM_REFUSED", false));
    assert_eq!((api.seen().len(), elsewhere.seen().len()), (1, 0));
}

#[tokio::test]
async fn a_cancel_closes_the_connection_to_the_api() {
    let api = Api::start(
        |asked, guard| match asked.body["messages"][0]["content"].as_str() {
            Some("Speak.") => Answer::Stalled(vec![event(&delta("Once upon "))], guard),
            _ => Answer::Silent(guard),
        },
    )
    .await;
    let world = World::open(&api.url).await;
    for (at, (prompt, heard)) in [("Speak.", "Once upon "), ("Be silent.", "")]
        .into_iter()
        .enumerate()
    {
        let id = world.conversation("").await;
        let mut stream = world.start(said(&id, prompt)).await;
        let mut events = vec![stream.message().await.unwrap().unwrap().event.unwrap()];
        while text(&events) != heard {
            events.push(stream.message().await.unwrap().unwrap().event.unwrap());
        }
        while api.seen().len() <= at {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let cancel = CancelGenerationRequest {
            generation_id: events[0].generation_id.clone(),
        };
        // A client that goes away does not end it; a cancel does.
        drop(stream);
        assert!(
            !api.left(at + 1, Duration::from_millis(300)).await,
            "{prompt}: ended without a cancel"
        );
        let begun = Instant::now();
        world
            .rpc()
            .cancel_generation(world.ana(cancel))
            .await
            .unwrap();
        assert!(
            api.left(at + 1, Duration::from_secs(1)).await,
            "{prompt}: still connected"
        );
        assert!(begun.elapsed() < Duration::from_secs(1));
        let mut reply = world.reply(&id).await;
        while reply.state() != State::Cancelled {
            assert!(begun.elapsed() < Duration::from_secs(5), "{reply:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            reply = world.reply(&id).await;
        }
        assert_eq!(reply.text, heard);
    }
    world.kept_the_key();
}

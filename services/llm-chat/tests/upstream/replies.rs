//! What is asked of an API for a reply, and how the reply is told and counted.

use atelier_kit::testing::api::Api;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{FinishReason, State, Usage};
use atelier_proto::llm_chat::v1::*;
use serde_json::json;

use crate::stage::*;

#[tokio::test]
async fn a_reply_is_asked_for_and_told_as_the_api_has_it() {
    let api = Api::start(|_, _| {
        events(&[
            json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}),
            delta("Ahoy, "),
            delta("Ada! ⛵"),
            stop(),
            json!({"choices": [], "usage": {"prompt_tokens": 21, "completion_tokens": 5, "total_tokens": 26}}),
        ])
    })
    .await;
    let world = World::open(&format!("{}/", api.url)).await;
    let id = world.conversation("You are a sailor.").await;
    let events = world.say(&id, "Hello, I am Ada.").await;
    assert_eq!(text(&events), "Ahoy, Ada! ⛵");
    let Some(Event::Started(started)) = &events[1].event else {
        panic!("{events:?}")
    };
    assert_eq!(
        (started.provider.as_str(), started.model.as_str()),
        ("openai-compatible", "big-model")
    );
    let Some(Event::Completed(done)) = &events.last().unwrap().event else {
        panic!("{events:?}")
    };
    assert_eq!(done.finish_reason(), FinishReason::Stop);
    let expected = Usage {
        input_tokens: 21,
        output_tokens: 5,
        ..Usage::default()
    };
    assert_eq!(usage(&events), expected);
    let reply = world.reply(&id).await;
    assert_eq!(
        (reply.text.as_str(), reply.state()),
        ("Ahoy, Ada! ⛵", State::Completed)
    );
    assert_eq!(
        (reply.usage, reply.provider.as_str()),
        (Some(expected), "openai-compatible")
    );

    let sampled = SendMessageRequest {
        model: "small-model".into(),
        sampling: Some(Sampling {
            temperature: Some(0.25),
            max_tokens: Some(40),
        }),
        ..said(&id, "And again?")
    };
    world.all(world.start(sampled).await).await;

    let seen = api.seen();
    assert_eq!(seen.len(), 2);
    for asked in &seen {
        assert_eq!(
            (asked.method.as_str(), asked.path.as_str()),
            ("POST", "/v1/chat/completions")
        );
        assert_eq!(asked.header("authorization"), format!("Bearer {KEY}"));
        assert_eq!(asked.header("content-type"), "application/json");
        assert_eq!(asked.body["stream"], true);
        assert_eq!(asked.body["stream_options"], json!({"include_usage": true}));
    }
    assert_eq!(
        seen[0].body,
        json!({
            "model": "big-model", "stream": true, "stream_options": {"include_usage": true},
            "messages": [
                {"role": "system", "content": "You are a sailor."},
                {"role": "user", "content": "Hello, I am Ada."},
            ],
        }),
    );
    assert_eq!(seen[1].body["model"], "small-model");
    assert_eq!(
        (&seen[1].body["temperature"], &seen[1].body["max_tokens"]),
        (&json!(0.25), &json!(40))
    );
    assert_eq!(
        seen[1].body["messages"].as_array().unwrap()[2..],
        [
            json!({"role": "assistant", "content": "Ahoy, Ada! ⛵"}),
            json!({"role": "user", "content": "And again?"}),
        ],
    );
    world.kept_the_key();
}

#[tokio::test]
async fn usage_that_the_api_does_not_tell_is_our_own_estimate() {
    let api = Api::start(|_, _| events(&[delta("One, two, three."), stop()])).await;
    let world = World::open(&api.url).await;
    let id = world.conversation("").await;
    let counted = usage(&world.say(&id, "Count to three, please.").await);
    assert!(counted.estimated);
    assert!(
        (1..=20).contains(&counted.input_tokens) && (1..=20).contains(&counted.output_tokens),
        "{counted:?}"
    );
    assert!(world.reply(&id).await.usage.unwrap().estimated);
}

#[tokio::test]
async fn a_password_in_the_url_is_sent_where_there_is_no_key_and_is_never_told() {
    for (key, authorization) in [
        (KEY, format!("Bearer {KEY}")),
        ("", "Basic YW5hOnB3LTA4MTU=".to_owned()),
    ] {
        let api = Api::start(|_, _| events(&[delta("Ahoy."), stop()])).await;
        let url = api.url.replace("http://", "http://ana:pw-0815@");
        let world = World::open_with(&url, key).await;
        let id = world.conversation("").await;
        assert_eq!(text(&world.say(&id, "Hello.").await), "Ahoy.");
        let seen = api.seen();
        let sent: Vec<_> = seen[0].headers.get_all("authorization").iter().collect();
        assert_eq!(sent, [&authorization]);
        let models = world
            .rpc()
            .list_models(world.ana(ListModelsRequest {}))
            .await
            .unwrap();
        assert!(!format!("{models:?}").contains("pw-0815"));
        world.kept_the_key();
        drop(api);
        let id = world.conversation("").await;
        assert_eq!(world.say(&id, "Hello?").await.len(), 3);
        assert!(
            !world.log.text().contains("pw-0815"),
            "the password is in the log"
        );
    }
}

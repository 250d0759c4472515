//! The provider that ships: all media of a mesh made by it, its failures told as a provider's, and one by itself.

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::llm_chat::v1 as chat;
use atelier_proto::text_image::v1::{GenerateImageRequest, Size};
use atelier_proto::tts::v1::SynthesizeRequest;
use atelier_simulator::Script;
use url::Url;

use crate::people::Person;
use crate::running::{Launch, Running};
use crate::told::{Told, listen};
use crate::web;

fn script(parameters: &str) -> Script {
    Script::read(&Url::parse(&format!("simulator://?{parameters}")).unwrap()).unwrap()
}

/// A mesh whose providers are simulators.
async fn mesh(data: &std::path::Path, parameters: &str) -> Running {
    let url = format!("simulator://?{parameters}");
    Launch::serving(&[], data)
        .env("ATELIER_CHAT_URL", &url)
        .env("ATELIER_CHAT_MODELS", "simulated")
        .env("ATELIER_IMAGE_URL", &url)
        .env("ATELIER_IMAGE_MODELS", "simulated")
        .env("ATELIER_SPEECH_URL", &url)
        .env("ATELIER_SPEECH_MODEL", "simulated")
        .env("ATELIER_SPEECH_VOICES", "tone")
        .start()
        .await
}

/// A reply without a conversation.
async fn complete(person: &Person, text: &str) -> Told {
    let request = chat::CompleteRequest {
        messages: vec![chat::InputMessage {
            role: chat::Role::User.into(),
            text: text.to_owned(),
        }],
        ..Default::default()
    };
    let stream = person.chat().complete(request).await.expect("a reply");
    listen(stream.into_inner()).await
}

fn provider(told: &Told) -> String {
    let started = told.events().find_map(|event| match event {
        Event::Started(started) => Some(started.provider.clone()),
        _ => None,
    });
    started.expect("it was started")
}

#[tokio::test(flavor = "multi_thread")]
async fn all_media_are_made_by_a_simulator_and_are_what_it_said_they_would_be() {
    let folder = tempfile::tempdir().unwrap();
    let parameters = "seed=4&tokens=9-30&tokens_per_second=400";
    let mesh = mesh(folder.path(), parameters).await;
    let ada = Person::register(mesh.edge()).await;

    let reply = complete(&ada, "Tell me of the north.").await;
    assert!(reply.is_completed(), "{reply:?}");
    let expected = script(parameters).reply_to("Tell me of the north.");
    assert_eq!(reply.text(), expected);
    assert_eq!(provider(&reply), "simulator");
    assert_eq!(
        reply.usage().output_tokens as usize,
        expected.split(' ').count()
    );

    let request = GenerateImageRequest {
        prompt: "stripes".to_owned(),
        size: Some(Size {
            width: 256,
            height: 256,
        }),
        ..Default::default()
    };
    let told = ada
        .pictures()
        .generate_image(request)
        .await
        .expect("a picture");
    let told = listen(told.into_inner()).await;
    assert!(told.is_completed(), "{told:?}");
    assert_eq!(provider(&told), "simulator");
    let page = web::get(&told.artifact().url).await;
    // The style is a part of what is asked for, so the picture is known by its form alone.
    assert!(page.body.starts_with(b"\x89PNG"));

    let request = SynthesizeRequest {
        text: "One two three".to_owned(),
        ..Default::default()
    };
    let told = ada.speech().synthesize(request).await.expect("a sound");
    let told = listen(told.into_inner()).await;
    assert!(told.is_completed(), "{told:?}");
    assert_eq!(provider(&told), "simulator");
    let page = web::get(&told.artifact().url).await;
    assert_eq!(
        page.body,
        script(parameters).sound_of("One two three").unwrap()
    );
    assert_eq!(mesh.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_befalls_a_simulator_is_told_as_a_providers_failure() {
    for (act, retryable) in [
        ("429", true),
        ("500", true),
        ("400", false),
        ("cut@400", true),
        ("malformed@300", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mesh = mesh(folder.path(), &format!("tokens=40&script={act}")).await;
        let ada = Person::register(mesh.edge()).await;
        let told = complete(&ada, "Will this do?").await;
        let failed = told.events().find_map(|event| match event {
            Event::Failed(failed) => Some(failed),
            _ => None,
        });
        let failed = failed.unwrap_or_else(|| panic!("{act}: {told:?}"));
        assert_eq!(failed.retryable, retryable, "{act}: {failed:?}");
        assert_eq!(mesh.terminate().await.code(), Some(0), "{act}");
    }
}

#[tokio::test]
async fn a_failure_that_is_misspelt_is_a_wrong_setting() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Launch::serving(&[], folder.path())
        .env("ATELIER_CHAT_URL", "simulator://?chanse=429:10")
        .env("ATELIER_CHAT_MODELS", "simulated")
        .run()
        .await;
    assert_eq!(ended.code(), Some(64));
    let line = ended.only_line();
    assert!(
        line.contains("ATELIER_CHAT_URL: chanse: there is no such parameter"),
        "{line}"
    );
    let ended = Launch::new(&["simulator", "script=200"]).run().await;
    assert_eq!(ended.code(), Some(64));
    assert!(
        ended.only_line().contains("script: \"200\" is not ok"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn one_by_itself_serves_whoever_asks_and_says_how_it_went() {
    let launch = Launch::new(&[
        "simulator",
        "seed=2&script=503,ok",
        "--listen",
        "127.0.0.1:0",
    ]);
    let (running, url) = launch.start_command().await;
    atelier_kit::outbound::crypto();
    let order =
        serde_json::json!({"model": "m", "messages": [{"role": "user", "content": "Hello"}]});
    let ask = || {
        let client = reqwest::Client::new();
        client
            .post(format!("{url}/chat/completions"))
            .json(&order)
            .send()
    };
    assert_eq!(ask().await.unwrap().status(), 503);
    let answer: serde_json::Value = ask().await.unwrap().json().await.unwrap();
    let expected = script("seed=2").reply_to("Hello");
    assert_eq!(answer["choices"][0]["message"]["content"], expected);
    let ended = running.terminate().await;
    assert_eq!(ended.code(), Some(0));
    let counts: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(counts["requests"], 2);
    assert_eq!([&counts["served"], &counts["refused"]], [1, 1]);
}

/// A histogram's count in a page of metrics, over all series that have these labels.
fn count(page: &str, metric: &str, labels: &[&str]) -> u64 {
    let name = format!("{metric}_count{{");
    let of = page.lines().filter(|line| line.starts_with(&name));
    of.filter(|line| labels.iter().all(|label| line.contains(label)))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_tell_first_tokens_and_pace_by_the_names_of_the_conventions() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = mesh(
        folder.path(),
        "tokens=20&tokens_per_second=100&script=429,ok",
    )
    .await;
    let ada = Person::register(mesh.edge()).await;
    for at in 0..3 {
        let told = complete(&ada, &format!("Question {at}")).await;
        assert!(told.is_completed(), "{told:?}");
    }
    let speech = SynthesizeRequest {
        text: "One two three".to_owned(),
        ..Default::default()
    };
    let told = ada.speech().synthesize(speech).await.expect("a sound");
    assert!(listen(told.into_inner()).await.is_completed());

    let page = web::get(&format!("{}/metrics", mesh.admin())).await.text();
    let chat = [
        r#"gen_ai_operation_name="chat""#,
        r#"gen_ai_provider_name="simulator""#,
        r#"gen_ai_request_model="simulated""#,
    ];
    for (metric, expected) in [
        ("gen_ai_client_operation_duration_seconds", 3),
        ("gen_ai_client_operation_time_to_first_chunk_seconds", 3),
        ("atelier_generation_tokens_per_second", 3),
    ] {
        assert_eq!(count(&page, metric, &chat), expected, "{metric}: {page}");
    }
    for kind in ["input", "output"] {
        let kind = format!(r#"gen_ai_token_type="{kind}""#);
        assert_eq!(count(&page, "gen_ai_client_token_usage", &[&kind]), 3);
    }
    let speech = [r#"gen_ai_output_type="speech""#];
    let duration = "gen_ai_client_operation_duration_seconds";
    assert_eq!(count(&page, duration, &speech), 1);
    // A hundred tokens a second are no more than 160, on a slow machine too.
    let pace = page.lines().find(|line| {
        line.starts_with("atelier_generation_tokens_per_second_bucket")
            && line.contains(r#"le="160""#)
    });
    assert!(pace.is_some_and(|line| line.ends_with(" 3")), "{page}");
    assert_eq!(mesh.terminate().await.code(), Some(0));
}

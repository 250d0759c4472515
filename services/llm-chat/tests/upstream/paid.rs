//! What a reply costs: what is reserved before a word is sent, what is charged at its end, and what refuses it.

use std::time::Duration;

use atelier_kit::moment;
use atelier_kit::testing::api::{Answer, Api};
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Allowance, Failed, GenerationEvent, Usage};
use atelier_proto::llm_chat::v1::*;
use atelier_proto::model::v1::{Price, PriceUnit};
use atelier_proto::users::v1::Medium;
use serde_json::json;

use crate::stage::*;

/// A model at one millionth a token read and two a token written, and one at ten times that.
const MODELS: &str = r#"
[[models]]
id = "m"
medium = "chat"
provider = "api"
limits = { output_tokens = 40 }
fallbacks = ["dear"]
[[models.prices]]
from = 2000-01-01
million_input_tokens = 1
million_output_tokens = 2
[[models.prices]]
from = 2999-01-01
million_input_tokens = 1000

[[models]]
id = "dear"
medium = "chat"
provider = "other"
limits = { output_tokens = 400 }
prices = { million_input_tokens = 10, million_output_tokens = 20 }

[[models]]
id = "free"
medium = "chat"
provider = "api"
"#;

/// A message and what is around it: 6 bytes and 16 tokens; and the longest reply.
const HELLO: &str = "Hello!";
const WORST: i64 = (6 + 16) + 2 * 40;

async fn open(api: &Api, other: &str) -> World {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.toml");
    let providers = format!(
        "[providers.api]\nurl = \"{}\"\n[providers.other]\nurl = \"{other}\"\n",
        api.url
    );
    std::fs::write(&path, providers + MODELS).unwrap();
    World::open_file(&path, &[]).await
}

/// An API whose reply used nine tokens and five.
async fn answering() -> Api {
    let used = json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5}});
    Api::start(move |_, _| events(&[delta("Ahoy!"), stop(), used.clone()])).await
}

fn allowance(events: &[GenerationEvent]) -> Allowance {
    let found = events.iter().find_map(|event| match &event.event {
        Some(Event::Started(started)) => started.allowance.clone(),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("nothing began: {events:?}"))
}

fn failed(events: &[GenerationEvent]) -> &Failed {
    match &events.last().unwrap().event {
        Some(Event::Failed(failed)) => failed,
        other => panic!("ended with {other:?}"),
    }
}

#[tokio::test]
async fn the_worst_case_is_reserved_and_the_figure_of_the_provider_is_charged() {
    let api = answering().await;
    let world = open(&api, "http://127.0.0.1:9").await;
    let id = world.conversation("").await;
    let events = world.say(&id, HELLO).await;
    let first = &events[0].generation_id;
    assert_eq!(allowance(&events).reserved_micros, WORST);
    let asked = world.credits.asked(first).unwrap();
    assert_eq!((&*asked.user_id, &*asked.model), ("ana", "m"));
    assert_eq!(asked.medium(), Medium::Chat);
    let worst = Usage {
        input_tokens: 22,
        output_tokens: 40,
        ..Usage::default()
    };
    assert_eq!(asked.worst_case, Some(worst));
    let price = |unit: PriceUnit, micros| Price {
        unit: unit.into(),
        micros,
        currency_code: "USD".into(),
    };
    // Those that hold now, and not those that are announced.
    let prices = [
        price(PriceUnit::MillionInputTokens, 1_000_000),
        price(PriceUnit::MillionOutputTokens, 2_000_000),
    ];
    assert_eq!(asked.prices, prices);
    let (reserve, settle) = (format!("reserve {WORST}"), "settle 19");
    world.credits.reads(first, &[&reserve, settle]).await;
    assert_eq!(world.credits.callers(), ["llm-chat"]);
    // The status that carries the trailers is no error to whoever measures the calls.
    let log = world.log.text();
    let ended = |line: &&str| line.contains("call ended") && line.contains("/SendMessage");
    let ended: Vec<&str> = log.lines().filter(ended).collect();
    assert!(!ended.is_empty() && !log.contains("call failed"));
    assert!(
        ended.iter().all(|line| line.contains("code=\"OK\"")),
        "{ended:?}"
    );

    // What was said before is read as well, and the request may bound the reply further.
    let request = SendMessageRequest {
        sampling: Some(Sampling {
            max_tokens: Some(3),
            ..Sampling::default()
        }),
        ..said(&id, HELLO)
    };
    let events = world.all(world.start(request).await).await;
    let read = (6 + 16) + (5 + 16) + (6 + 16);
    assert_eq!(allowance(&events).reserved_micros, read + 2 * 3);
    let reserve = format!("reserve {}", read + 2 * 3);
    let told = [reserve.as_str(), "settle 19"];
    world.credits.reads(&events[0].generation_id, &told).await;
    assert_eq!(api.seen().len(), 2);
}

#[tokio::test]
async fn what_costs_nothing_is_counted_all_the_same() {
    let api = answering().await;
    let world = open(&api, "http://127.0.0.1:9").await;
    world.credits.set_balance(0);
    let id = world.conversation("").await;
    let request = SendMessageRequest {
        model: "free".into(),
        ..said(&id, HELLO)
    };
    let events = world.all(world.start(request).await).await;
    assert_eq!(allowance(&events).reserved_micros, 0);
    let told = ["reserve 0", "settle 0"];
    world.credits.reads(&events[0].generation_id, &told).await;
}

#[tokio::test]
async fn credits_that_do_not_suffice_refuse_it_before_anything_is_sent() {
    let api = answering().await;
    let world = open(&api, "http://127.0.0.1:9").await;
    world.credits.set_balance(WORST - 1);
    let id = world.conversation("").await;
    let events = world.say(&id, HELLO).await;
    assert_eq!(told(failed(&events)), ("INSUFFICIENT_CREDITS", false));
    assert!(api.seen().is_empty());
    let first = &events[0].generation_id;
    world.credits.reads(first, &["release"]).await;
    // The message stays, and a reply that is paid follows it.
    world.credits.set_balance(10 * WORST);
    world.say(&id, HELLO).await;
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn a_quota_that_is_used_up_says_when_it_is_whole_again() {
    let api = answering().await;
    let world = open(&api, "http://127.0.0.1:9").await;
    world.credits.set_quota(1);
    let id = world.conversation("").await;
    let allowed = allowance(&world.say(&id, HELLO).await);
    assert_eq!((allowed.quota_limit, allowed.quota_remaining), (1, 0));
    let events = world.say(&id, HELLO).await;
    let failed = failed(&events);
    assert_eq!(told(failed), ("QUOTA_EXHAUSTED", true));
    let retry = moment::from_timestamp(failed.retry_time.as_ref().unwrap()).unwrap();
    let wait = retry - moment::now();
    assert!((3_500_000_000..=3_600_000_000).contains(&wait), "{wait}");
    assert_eq!(api.seen().len(), 1);
    // Whoever lists it is told the same.
    let request = world.ana(ListGenerationsRequest::default());
    let listed = world.rpc().list_generations(request).await.unwrap();
    let listed = listed.into_inner().generations;
    assert_eq!(listed[0].failed.as_ref(), Some(failed));
}

#[tokio::test]
async fn without_the_purse_nothing_is_free_and_later_it_goes_on() {
    let api = answering().await;
    let world = open(&api, "http://127.0.0.1:9").await;
    world.credits.set_away(true);
    let id = world.conversation("").await;
    let request = SendMessageRequest {
        request_id: "r-1".into(),
        ..said(&id, HELLO)
    };
    let events = world.all(world.start(request).await).await;
    assert_eq!(told(failed(&events)), ("CREDITS_UNAVAILABLE", true));
    assert!(api.seen().is_empty());
    assert!(world.credits.calls() > 1, "it was tried again");
    world.credits.set_away(false);
    let first = &events[0].generation_id;
    world.credits.reads(first, &["release"]).await;
    let request = SendMessageRequest {
        request_id: "r-2".into(),
        ..said(&id, HELLO)
    };
    let events = world.all(world.start(request).await).await;
    assert_eq!(text(&events), "Ahoy!");
}

#[tokio::test]
async fn one_that_fails_gives_back_what_was_reserved() {
    let api = Api::start(|_, _| Answer::json(400, &json!({}))).await;
    let world = open(&api, "http://127.0.0.1:9").await;
    let id = world.conversation("").await;
    let events = world.say(&id, HELLO).await;
    assert_eq!(failed(&events).reason, "UPSTREAM_REFUSED");
    let reserve = format!("reserve {WORST}");
    let told = [reserve.as_str(), "release"];
    world.credits.reads(&events[0].generation_id, &told).await;
}

#[tokio::test]
async fn one_that_is_cancelled_pays_for_what_was_delivered() {
    let api = Api::start(|_, presence| {
        Answer::Stalled(
            vec![event(&delta("Ahoy, ")), event(&delta("Ada!"))],
            presence,
        )
    })
    .await;
    let world = open(&api, "http://127.0.0.1:9").await;
    let id = world.conversation("").await;
    let mut stream = world.start(said(&id, HELLO)).await;
    let generation = loop {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        if let Some(Event::TextDelta(delta)) = event.event
            && delta.text.ends_with("Ada!")
        {
            break event.generation_id;
        }
    };
    let request = CancelGenerationRequest {
        generation_id: generation.clone(),
    };
    let request = world.ana(request);
    world.rpc().cancel_generation(request).await.unwrap();
    let used = usage(&world.all(stream).await);
    assert!(used.estimated && used.input_tokens > 0 && used.output_tokens > 0);
    let charged = used.input_tokens + 2 * used.output_tokens;
    let (reserve, settle) = (format!("reserve {WORST}"), format!("settle {charged}"));
    world.credits.reads(&generation, &[&reserve, &settle]).await;
}

#[tokio::test]
async fn a_repeated_request_is_paid_once() {
    let api = answering().await;
    let world = open(&api, "http://127.0.0.1:9").await;
    let id = world.conversation("").await;
    let request = SendMessageRequest {
        request_id: "r-1".into(),
        ..said(&id, HELLO)
    };
    let (one, two) = tokio::join!(world.start(request.clone()), world.start(request.clone()));
    let (one, two) = (world.all(one).await, world.all(two).await);
    assert_eq!(one, two);
    let late = world.all(world.start(request).await).await;
    assert_eq!(text(&late), "Ahoy!");
    let reserve = format!("reserve {WORST}");
    let told = [reserve.as_str(), "settle 19"];
    world.credits.reads(&one[0].generation_id, &told).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(world.credits.calls(), 2);
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn a_fallback_is_paid_at_the_prices_of_the_model_that_was_asked_for() {
    let (api, other) = (
        Api::start(|_, _| Answer::json(403, &json!({}))).await,
        answering().await,
    );
    let world = open(&api, &other.url).await;
    let id = world.conversation("").await;
    let events = world.say(&id, HELLO).await;
    assert_eq!(text(&events), "Ahoy!");
    // It may write no more than was paid for, though it could.
    assert_eq!(other.seen()[0].body["max_tokens"], json!(40));
    let generation = &events[0].generation_id;
    assert_eq!(world.credits.asked(generation).unwrap().model, "m");
    let reserve = format!("reserve {WORST}");
    world
        .credits
        .reads(generation, &[&reserve, "settle 19"])
        .await;
    let started: Vec<&Allowance> = events
        .iter()
        .filter_map(|event| match &event.event {
            Some(Event::Started(started)) => started.allowance.as_ref(),
            _ => None,
        })
        .collect();
    assert_eq!(started.len(), 2);
    assert_eq!(started[0], started[1]);
}

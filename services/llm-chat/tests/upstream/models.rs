//! A registry in a file: what callers are told of models that come and go, and who answers when one gives nothing.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use atelier_kit::mongo::bson::{Document, doc};
use atelier_kit::mongo::{Fields as _, Mongo, Order};
use atelier_kit::testing::servers;
use atelier_proto::analytics::v1::UsageEvent;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{GenerationEvent, State};
use atelier_proto::llm_chat::v1::*;
use atelier_proto::model::v1::{LifecycleState, PriceUnit};
use prost::Message as _;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::stage::{World, said, text};

/// A registry in a folder of its own.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(models: &str) -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        desk.write(models);
        desk
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("models.toml")
    }

    /// Two simulators, one that answers and one that refuses, and these models.
    fn write(&self, models: &str) {
        let providers = "[providers.good]\nurl = \"simulator://?seed=1&tokens=5\"\n\
             [providers.bad]\nurl = \"simulator://?script=503\"\n\
             [providers.slow]\nurl = \"simulator://?latency=4s\"\nat_once = 1\n";
        let next = self.folder.path().join("next.toml");
        fs::write(&next, format!("{providers}{models}")).unwrap();
        fs::rename(next, self.path()).unwrap();
    }

    async fn open(&self) -> World {
        World::open_file(&self.path(), &[]).await
    }
}

fn model(id: &str, provider: &str, more: &str) -> String {
    format!("[[models]]\nid = \"{id}\"\nmedium = \"chat\"\nprovider = \"{provider}\"\n{more}\n")
}

async fn complete(
    world: &World,
    model: &str,
    request_id: &str,
) -> Result<Streaming<CompleteResponse>, Status> {
    let request = CompleteRequest {
        messages: vec![InputMessage {
            role: Role::User.into(),
            text: "Hello!".into(),
        }],
        model: model.into(),
        request_id: request_id.into(),
        ..Default::default()
    };
    Ok(world.rpc().complete(world.ana(request)).await?.into_inner())
}

async fn events(mut stream: Streaming<CompleteResponse>) -> Vec<GenerationEvent> {
    let mut events = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        events.push(answer.event.unwrap());
    }
    events
}

async fn completed(world: &World, model: &str) -> Vec<GenerationEvent> {
    events(complete(world, model, "").await.unwrap()).await
}

fn warnings(events: &[GenerationEvent]) -> Vec<(&str, &str)> {
    let found = events.iter().filter_map(|event| match &event.event {
        Some(Event::Warning(warning)) => Some((warning.reason.as_str(), warning.message.as_str())),
        _ => None,
    });
    found.collect()
}

fn started(events: &[GenerationEvent]) -> Vec<(&str, &str)> {
    let found = events.iter().filter_map(|event| match &event.event {
        Some(Event::Started(started)) => Some((started.provider.as_str(), started.model.as_str())),
        _ => None,
    });
    found.collect()
}

fn failed(events: &[GenerationEvent]) -> &str {
    match &events.last().unwrap().event {
        Some(Event::Failed(failed)) => &failed.reason,
        other => panic!("{other:?}"),
    }
}

fn reason(status: &Status) -> (Code, String) {
    let reason = status.get_details_error_info().unwrap().reason;
    (status.code(), reason)
}

/// Waits until the registry was read again, or whatever else takes its time.
async fn comes(mut is_there: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if is_there().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came");
}

/// The usage events that wait to be counted.
async fn usage(world: &World) -> Vec<UsageEvent> {
    if let Some(server) = servers::mongodb_of(world.folder()) {
        let mongo = Mongo::open(&server, "llm-chat").await.unwrap();
        let waiting = doc! {"outbox.at": {"$gt": 0_i64}};
        let order = Order::by(doc! {"outbox.at": 1}, 0);
        let found = mongo
            .table("generations")
            .many(waiting, order)
            .await
            .unwrap();
        let event = |one: &Document| one.part("outbox").unwrap().bytes("event").unwrap().to_vec();
        let events = found.iter().map(event);
        return events
            .map(|event| UsageEvent::decode(event.as_slice()).unwrap())
            .collect();
    }
    let file = world.folder().join("llm-chat.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let rows: Vec<(Vec<u8>,)> =
        sqlx::query_as("SELECT event FROM generation_outbox ORDER BY create_time")
            .fetch_all(&pool)
            .await
            .unwrap();
    rows.iter()
        .map(|(row,)| UsageEvent::decode(row.as_slice()).unwrap())
        .collect()
}

async fn ids(world: &World) -> Vec<String> {
    let listed = world
        .rpc()
        .list_models(world.ana(ListModelsRequest {}))
        .await
        .unwrap();
    let models = listed.into_inner().models;
    models.into_iter().map(|model| model.id).collect()
}

const OLD: &str =
    "lifecycle = { state = \"deprecated\", shut_down = 2999-12-31, replacement = \"new\" }";
const GONE: &str =
    "lifecycle = { state = \"deprecated\", shut_down = 2020-01-31, replacement = \"new\" }";
const REFUSED: &str =
    "lifecycle = { state = \"shut_down\", replacement = \"new\", then = \"refuse\" }";

#[tokio::test]
async fn a_model_tells_where_it_is_in_its_life() {
    let desk = Desk::new(
        &(model("new", "good", "")
            + &model("old", "good", OLD)
            + &model("gone", "good", GONE)
            + &model("refused", "good", REFUSED)),
    );
    let world = desk.open().await;
    let fresh = completed(&world, "new").await;
    assert_eq!(warnings(&fresh), []);

    let old = completed(&world, "old").await;
    assert_eq!(
        warnings(&old),
        [(
            "MODEL_DEPRECATED",
            "old is deprecated and will be shut down on 2999-12-31; ask for new instead"
        )]
    );
    assert_eq!(started(&old), [("good", "old")]);

    let gone = completed(&world, "gone").await;
    assert_eq!(
        warnings(&gone),
        [(
            "MODEL_REPLACED",
            "gone was shut down on 2020-01-31; new answers in its place"
        )]
    );
    assert_eq!(started(&gone), [("good", "new")]);
    assert!(!text(&gone).is_empty());

    let refused = complete(&world, "refused", "").await.unwrap_err();
    assert_eq!(
        reason(&refused),
        (Code::FailedPrecondition, "MODEL_SHUT_DOWN".to_owned())
    );
    assert!(
        refused.message().contains("ask for new instead"),
        "{refused:?}"
    );
    let unknown = complete(&world, "unheard-of", "").await.unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument);

    // What is counted is what answered.
    let counted: Vec<(String, String)> = usage(&world)
        .await
        .into_iter()
        .map(|event| (event.provider, event.model))
        .collect();
    let expected = ["new", "old", "new"].map(|model| ("good".to_owned(), model.to_owned()));
    assert_eq!(counted, expected);
}

#[tokio::test]
async fn a_conversation_outlives_its_model() {
    let desk = Desk::new(&(model("gone", "good", "") + &model("new", "good", "")));
    let world = desk.open().await;
    let id = world.conversation("").await;
    let before = world.say(&id, "Hello!").await;
    assert_eq!(started(&before), [("good", "gone")]);
    desk.write(&(model("gone", "good", GONE) + &model("new", "good", "")));
    comes(async || {
        let events = world.say(&id, "And now?").await;
        warnings(&events)
            .first()
            .is_some_and(|(reason, _)| *reason == "MODEL_REPLACED")
    })
    .await;
    let reply = world.reply(&id).await;
    assert_eq!(
        (reply.provider.as_str(), reply.model.as_str()),
        ("good", "new")
    );

    desk.write(&(model("gone", "good", REFUSED) + &model("new", "good", "")));
    comes(async || {
        let asked = world
            .rpc()
            .send_message(world.ana(said(&id, "And now?")))
            .await;
        match asked {
            Ok(stream) => {
                world.all(stream.into_inner()).await;
                false
            }
            Err(status) => reason(&status).1 == "MODEL_SHUT_DOWN",
        }
    })
    .await;
    // Another model may be named for it.
    let mut request = said(&id, "And you?");
    request.model = "new".into();
    let events = world.all(world.start(request).await).await;
    assert_eq!(started(&events), [("good", "new")]);
}

#[tokio::test]
async fn the_same_request_is_joined_whatever_became_of_its_model() {
    let desk = Desk::new(&(model("a", "good", "") + &model("new", "good", "")));
    let world = desk.open().await;
    let first = events(complete(&world, "a", "once").await.unwrap()).await;
    for models in [
        model("a", "good", GONE) + &model("new", "good", ""),
        model("a", "good", REFUSED) + &model("new", "good", ""),
        model("new", "good", ""),
    ] {
        let count = models.matches("[[models]]").count();
        let is_refused = models.contains("refuse");
        desk.write(&models);
        comes(async || {
            let another = complete(&world, "a", "").await;
            match another {
                Ok(stream) => {
                    count == 2 && !is_refused && !warnings(&events(stream).await).is_empty()
                }
                Err(status) if is_refused => status.code() == Code::FailedPrecondition,
                Err(status) => count == 1 && status.code() == Code::InvalidArgument,
            }
        })
        .await;
        let again = events(complete(&world, "a", "once").await.unwrap()).await;
        assert_eq!(again[0].generation_id, first[0].generation_id);
        assert_eq!(text(&again), text(&first));
    }
    // Another body is another matter, and told as what is wrong with it.
    let other = complete(&world, "b", "once").await.unwrap_err();
    assert_eq!(other.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn the_next_fallback_answers_when_a_provider_gives_nothing() {
    let desk = Desk::new(
        &(model(
            "first",
            "bad",
            "fallbacks = [\"second\", \"third\", \"atelier-offline\"]",
        ) + &model("second", "bad", "")
            + &model("third", "good", "limits = { output_tokens = 3 }")
            + &model("atelier-offline", "offline", "")),
    );
    let world = desk.open().await;
    let id = world.conversation("").await;
    let mut request = said(&id, "Hello!");
    request.sampling = Some(wire_sampling(100));
    let events = world.all(world.start(request).await).await;
    let told = warnings(&events);
    assert_eq!(
        told,
        [
            (
                "FALLBACK",
                "first of bad gave nothing: it is busy; second of bad is asked in its place"
            ),
            (
                "FALLBACK",
                "second of bad gave nothing: it is busy; third of good is asked in its place"
            ),
        ]
    );
    assert_eq!(
        started(&events),
        [("bad", "first"), ("bad", "second"), ("good", "third")]
    );
    let reply = world.reply(&id).await;
    assert_eq!(
        (reply.provider.as_str(), reply.model.as_str()),
        ("good", "third")
    );
    assert_eq!(reply.text, text(&events));
    let counted = usage(&world).await;
    assert_eq!(
        (counted[0].provider.as_str(), counted[0].model.as_str()),
        ("good", "third")
    );
}

fn wire_sampling(max_tokens: i32) -> Sampling {
    Sampling {
        max_tokens: Some(max_tokens),
        ..Default::default()
    }
}

#[tokio::test]
async fn without_a_fallback_that_helps_it_fails_and_says_who_was_asked() {
    let desk = Desk::new(
        &(model("first", "bad", "fallbacks = [\"second\"]") + &model("second", "bad", "")),
    );
    let world = desk.open().await;
    let id = world.conversation("").await;
    let events = world.say(&id, "Hello!").await;
    assert_eq!(failed(&events), "UPSTREAM_BUSY");
    let reply = world.reply(&id).await;
    assert_eq!(reply.state(), State::Failed);
    assert_eq!(
        (reply.provider.as_str(), reply.model.as_str()),
        ("bad", "second")
    );
}

#[tokio::test]
async fn a_limit_is_a_rule_of_the_field() {
    let desk = Desk::new(
        &(model("a", "good", "limits = { output_tokens = 10 }") + &model("new", "good", "")),
    );
    let world = desk.open().await;
    let ask = async |model: &str, tokens| {
        let request = CompleteRequest {
            messages: vec![InputMessage {
                role: Role::User.into(),
                text: "Hello!".into(),
            }],
            model: model.into(),
            sampling: Some(wire_sampling(tokens)),
            ..Default::default()
        };
        world.rpc().complete(world.ana(request)).await
    };
    let refused = ask("a", 11).await.unwrap_err();
    let bad = refused.get_details_bad_request().unwrap().field_violations;
    assert_eq!(bad[0].field, "sampling.max_tokens");
    assert_eq!(bad[0].description, "must be at most 10, the limit of a");
    for (model, tokens) in [("a", 10), ("new", 11)] {
        ask(model, tokens).await.unwrap();
    }
}

#[tokio::test]
async fn a_model_that_vanishes_while_somebody_waits_for_it_fails_its_generation() {
    // Both are one provider's, which has one turn.
    let desk = Desk::new(&(model("slow", "slow", "") + &model("new", "slow", "")));
    let world = World::open_file(&desk.path(), &[("ATELIER_CHAT_AT_ONCE", "1")]).await;
    let first = complete(&world, "slow", "").await.unwrap();
    let mut second = complete(&world, "new", "").await.unwrap();
    let mut told = vec![second.message().await.unwrap().unwrap().event.unwrap()];
    desk.write(&model("slow", "slow", ""));
    comes(async || ids(&world).await == ["slow"]).await;
    // What runs keeps what it began with.
    assert!(!text(&events(first).await).is_empty());
    told.extend(events(second).await);
    assert_eq!(failed(&told), "MODEL_GONE");
}

#[tokio::test]
async fn the_list_tells_the_terms() {
    let more = "upstream_name = \"there\"\ncapabilities = [\"streaming\"]\nfallbacks = [\"new\"]\n\
         limits = { context_tokens = 8192, output_tokens = 512 }\n\
         [[models.prices]]\nmillion_input_tokens = 0.15\ncurrency = \"EUR\"\n\
         [[models.prices]]\nfrom = 2999-01-01\nmillion_input_tokens = 0.2\ncurrency = \"EUR\"\n";
    let desk = Desk::new(
        &(model("a", "good", more) + &model("new", "good", "") + &model("gone", "bad", GONE)),
    );
    let world = desk.open().await;
    let listed = world
        .rpc()
        .list_models(world.ana(ListModelsRequest {}))
        .await
        .unwrap()
        .into_inner()
        .models;
    assert!(listed[0].is_default && !listed[1].is_default);
    let terms = listed[0].terms.clone().unwrap();
    assert_eq!(terms.upstream_name, "there");
    assert_eq!(terms.capabilities, ["streaming"]);
    assert_eq!(terms.fallbacks, ["new"]);
    assert_eq!(terms.limits.unwrap().context_tokens, 8192);
    let price = &terms.prices[0];
    assert_eq!(
        (price.unit(), price.micros, price.currency_code.as_str()),
        (PriceUnit::MillionInputTokens, 150_000, "EUR")
    );
    let [announced] = terms.announced_prices.as_slice() else {
        panic!("{terms:?}")
    };
    assert_eq!(announced.prices[0].micros, 200_000);
    assert_eq!(announced.start_time.unwrap().seconds, 32_472_144_000);
    assert_eq!(terms.lifecycle.unwrap().state(), LifecycleState::Active);
    let gone = listed[2].terms.clone().unwrap().lifecycle.unwrap();
    assert_eq!(gone.state(), LifecycleState::ShutDown);
    assert_eq!(gone.replacement, "new");
    assert_eq!(gone.shut_down_time.unwrap().seconds, 1_580_428_800);
}

#[tokio::test]
async fn a_default_that_is_shut_down_is_told_at_the_start() {
    let desk = Desk::new(&(model("gone", "good", GONE) + &model("new", "good", "")));
    let world = desk.open().await;
    assert!(
        world
            .log
            .text()
            .contains("the default model: gone was shut down on 2020-01-31"),
        "{}",
        world.log.text()
    );
    let events = completed(&world, "").await;
    assert_eq!(started(&events), [("good", "new")]);
}

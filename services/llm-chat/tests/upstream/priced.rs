//! A reply that costs something has an end, whatever the request says.

use atelier_kit::testing::api::Api;
use serde_json::{Value, json};

use crate::stage::{World, delta, events, said, stop};

/// What a model with this table is asked for when the request bounds nothing.
async fn asked(more: &str) -> Value {
    let api = Api::start(|_, _| events(&[delta("Something."), stop()])).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.toml");
    let registry = format!(
        "[providers.api]\nurl = \"{}\"\n[[models]]\nid = \"m\"\nmedium = \"chat\"\nprovider = \"api\"\n{more}\n",
        api.url
    );
    std::fs::write(&path, registry).unwrap();
    let world = World::open_file(&path, &[]).await;
    let id = world.conversation("").await;
    let mut stream = world.start(said(&id, "Hello!")).await;
    while stream.message().await.unwrap().is_some() {}
    api.seen()[0].body["max_tokens"].clone()
}

#[tokio::test]
async fn a_model_that_costs_something_is_asked_for_no_more_than_its_limit() {
    let limit = "limits = { output_tokens = 40 }";
    let priced = format!("{limit}\nprices = {{ million_output_tokens = 2 }}");
    assert_eq!(asked(&priced).await, json!(40));
    // From next century on is not now, but what is announced is bound already.
    let later = format!("{limit}\n[[models.prices]]\nfrom = 2999-01-01\nmillion_output_tokens = 2");
    assert_eq!(asked(&later).await, json!(40));
    assert_eq!(asked(limit).await, Value::Null);
}

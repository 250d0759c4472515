//! A registry in a file: painters that come and go, and who paints when one gives nothing.

use std::fs;
use std::path::Path;

use atelier_proto::generation::v1::GenerationEvent;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::model::v1::LifecycleState;
use atelier_proto::text_image::v1::*;
use atelier_upstream::registry::MODELS;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::stage::World;

const REGISTRY: &str = r#"
[providers.bad]
url = "simulator://?script=503"
[providers.good]
url = "simulator://?seed=1"

[[models]]
id = "first"
medium = "image"
provider = "bad"
fallbacks = ["small", "atelier-painter"]

[[models]]
id = "small"
medium = "image"
provider = "good"
limits = { width = 128, height = 96 }

[[models]]
id = "refused"
medium = "image"
provider = "good"
lifecycle = { state = "shut_down", shut_down = 2026-10-23, replacement = "small", then = "refuse" }

[[models]]
id = "gone"
medium = "image"
provider = "good"
lifecycle = { state = "shut_down", replacement = "small" }

[[models]]
id = "atelier-painter"
medium = "image"
provider = "offline"
prices = { image = 0 }
"#;

async fn world(folder: &Path) -> World {
    let path = folder.join("models.toml");
    fs::write(&path, REGISTRY).unwrap();
    World::open_with(folder, &[(MODELS.name, &path.display().to_string())]).await
}

async fn paint(
    world: &World,
    model: &str,
    size: Option<(i32, i32)>,
) -> Result<Streaming<GenerateImageResponse>, Status> {
    let request = GenerateImageRequest {
        prompt: "a red boat".into(),
        model: model.into(),
        size: size.map(|(width, height)| Size { width, height }),
        ..Default::default()
    };
    let stream = world.rpc().generate_image(world.ana(request)).await?;
    Ok(stream.into_inner())
}

async fn painted(
    world: &World,
    model: &str,
    size: Option<(i32, i32)>,
) -> (Vec<GenerationEvent>, Image) {
    let mut stream = paint(world, model, size).await.unwrap();
    let mut events = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        events.push(answer.event.unwrap());
    }
    let request = GetImageRequest {
        image_id: events[0].generation_id.clone(),
    };
    let image = world.rpc().get_image(world.ana(request)).await.unwrap();
    (events, image.into_inner().image.unwrap())
}

fn warnings(events: &[GenerationEvent]) -> Vec<(&str, &str)> {
    let found = events.iter().filter_map(|event| match &event.event {
        Some(Event::Warning(warning)) => Some((warning.reason.as_str(), warning.message.as_str())),
        _ => None,
    });
    found.collect()
}

#[tokio::test]
async fn a_fallback_that_can_take_the_size_paints() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    let (events, image) = painted(&world, "first", Some((192, 64))).await;
    assert_eq!(
        warnings(&events),
        [(
            "FALLBACK",
            "first of bad gave nothing: it is busy; atelier-painter of offline is asked in its place"
        )]
    );
    assert_eq!(
        (image.provider.as_str(), image.model.as_str()),
        ("offline", "atelier-painter")
    );
    let (events, image) = painted(&world, "first", Some((64, 64))).await;
    assert!(
        warnings(&events)[0]
            .1
            .ends_with("small of good is asked in its place")
    );
    assert_eq!(
        (image.provider.as_str(), image.model.as_str()),
        ("good", "small")
    );
    world.close().await;
}

#[tokio::test]
async fn a_size_is_within_the_limits_of_whoever_paints() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    for model in ["small", "gone"] {
        let refused = paint(&world, model, Some((129, 97))).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        let bad = refused.get_details_bad_request().unwrap().field_violations;
        let told: Vec<(&str, &str)> = bad
            .iter()
            .map(|v| (v.field.as_str(), v.description.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("size.width", "must be at most 128, the limit of small"),
                ("size.height", "must be at most 96, the limit of small"),
            ]
        );
    }
    // What nobody asked for is made to fit.
    let (events, image) = painted(&world, "gone", None).await;
    assert_eq!(
        warnings(&events),
        [(
            "MODEL_REPLACED",
            "gone was shut down; small answers in its place"
        )]
    );
    let size = image.size.unwrap();
    assert_eq!((size.width, size.height), (128, 96));
    assert_eq!(image.model, "small");
    world.close().await;
}

#[tokio::test]
async fn one_that_was_shut_down_is_refused_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    let refused = paint(&world, "refused", None).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(
        refused.get_details_error_info().unwrap().reason,
        "MODEL_SHUT_DOWN"
    );
    assert_eq!(
        refused.message(),
        "refused was shut down on 2026-10-23; ask for small instead"
    );
    let request = world.ana(ListStylesRequest {});
    let models = world
        .rpc()
        .list_styles(request)
        .await
        .unwrap()
        .into_inner()
        .models;
    let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(
        ids,
        ["first", "small", "refused", "gone", "atelier-painter"]
    );
    let life = models[2].terms.clone().unwrap().lifecycle.unwrap();
    assert_eq!(
        (life.state(), life.replacement.as_str()),
        (LifecycleState::ShutDown, "small")
    );
    let free = models[4].terms.clone().unwrap();
    assert_eq!((free.prices.len(), free.prices[0].micros), (1, 0));
    world.close().await;
}

//! A registry in a file: voices whose models come and go, and who speaks when one gives nothing.

use std::fs;

use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::model::v1::LifecycleState;
use atelier_proto::tts::v1 as pb;
use atelier_upstream::registry::MODELS;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::house::{FOX, House, Room, Told, of, text};

const REGISTRY: &str = r#"
[providers.bad]
url = "simulator://?script=503"
[providers.good]
url = "simulator://?seed=1"

[[models]]
id = "first"
medium = "speech"
provider = "bad"
voices = ["alloy"]
fallbacks = ["flite"]

[[models]]
id = "old"
medium = "speech"
provider = "good"
voices = [{ id = "nova-old", upstream_name = "nova" }, "gone"]
lifecycle = { state = "deprecated", shut_down = 2020-01-31, replacement = "new" }

[[models]]
id = "new"
medium = "speech"
provider = "good"
voices = ["echo", { id = "nova-new", upstream_name = "nova", title = "Nova", language = "es" }]
limits = { input_characters = 100 }

[[models]]
id = "flite"
medium = "speech"
provider = "offline"
"#;

async fn room(house: &House) -> Room {
    let path = house.folder.path().join("models.toml");
    fs::write(&path, REGISTRY).unwrap();
    house
        .open(&[(MODELS.name, &path.display().to_string())])
        .await
}

fn by(voice: &str) -> pb::SynthesizeRequest {
    pb::SynthesizeRequest {
        voice: voice.into(),
        ..text(FOX)
    }
}

fn warnings(told: &Told) -> Vec<(String, String)> {
    let found = told.events().filter_map(|event| match event {
        Event::Warning(warning) => Some((warning.reason.clone(), warning.message.clone())),
        _ => None,
    });
    found.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_voice_speaks_when_the_provider_gives_nothing() {
    let house = House::new().await;
    let room = room(&house).await;
    let told = room.say("ana", by("alloy")).await.unwrap();
    assert!(
        matches!(told.last(), Event::Completed(_)),
        "{:?}",
        told.last()
    );
    let told_warnings = warnings(&told);
    assert_eq!(
        told_warnings[0],
        (
            "FALLBACK".to_owned(),
            "alloy (first) of bad gave nothing: it is busy; kal (flite) of offline is asked in its place".to_owned()
        )
    );
    let made = room.get("ana", told.id()).await.unwrap();
    assert_eq!(
        (
            made.provider.as_str(),
            made.model.as_str(),
            made.voice.as_str()
        ),
        ("offline", "flite", "kal")
    );
    assert_eq!(made.language, "en-US");
    // In the bucket too it is told who spoke.
    let record = house
        .keys()
        .await
        .into_iter()
        .find(|key| key.ends_with("record.json"))
        .unwrap();
    let record: serde_json::Value = serde_json::from_slice(&house.object(&record).await).unwrap();
    assert_eq!(record["model"], "flite");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_is_replaced_by_the_same_voice_of_the_next_model() {
    let house = House::new().await;
    let room = room(&house).await;
    for (asked, speaks) in [("nova-old", "nova-new"), ("gone", "echo")] {
        let told = room.say("ana", by(asked)).await.unwrap();
        assert_eq!(
            warnings(&told),
            [(
                "MODEL_REPLACED".to_owned(),
                format!(
                    "{asked} (old) was shut down on 2020-01-31; {speaks} (new) answers in its place"
                )
            )]
        );
        let made = room.get("ana", told.id()).await.unwrap();
        assert_eq!((made.voice.as_str(), made.model.as_str()), (speaks, "new"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_too_long_for_its_model_is_refused() {
    let house = House::new().await;
    let room = room(&house).await;
    let long = |voice: &str| pb::SynthesizeRequest {
        voice: voice.into(),
        ..text(&"a ".repeat(51))
    };
    for voice in ["echo", "gone"] {
        let refused = room.say("ana", long(voice)).await.err().unwrap();
        assert_eq!(refused.code(), Code::InvalidArgument);
        let bad = refused.get_details_bad_request().unwrap().field_violations;
        assert_eq!(bad[0].field, "text");
        assert_eq!(
            bad[0].description,
            "must have at most 100 characters, the limit of new"
        );
    }
    room.say("ana", long("kal")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_the_voices_of_the_file_and_their_terms() {
    let house = House::new().await;
    let room = room(&house).await;
    let voices = room
        .client()
        .list_voices(of("ana", pb::ListVoicesRequest {}))
        .await
        .unwrap()
        .into_inner()
        .voices;
    let ids: Vec<&str> = voices.iter().map(|voice| voice.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "alloy",
            "nova-old",
            "gone",
            "echo",
            "nova-new",
            "kal",
            "kal-telephone"
        ]
    );
    let nova = &voices[4];
    assert_eq!(
        (nova.title.as_str(), nova.language.as_str()),
        ("Nova", "es")
    );
    let kal = &voices[5];
    assert_eq!((kal.title.as_str(), kal.sample_rate_hertz), ("Kal", 16_000));
    let life = voices[1].terms.clone().unwrap().lifecycle.unwrap();
    assert_eq!(life.state(), LifecycleState::ShutDown);
    assert_eq!(life.replacement, "new");
}

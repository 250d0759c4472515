//! What a power cut leaves: it comes in the middle of everything, twice, and every generation still ends exactly once
//! and is counted exactly once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use atelier_proto::generation::v1::State;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::text_image::v1 as image;
use atelier_proto::tts::v1 as tts;

use super::{ask, watch};
use crate::media::png_size;
use crate::people::Person;
use crate::running::{Launch, Running, eventually};
use crate::story::{usage_events, usage_summary};
use crate::told::{Told, listen, listen_until};
use crate::upstream::{ENDLESS, NEVER, SILENT, Upstream};
use crate::web;

/// How long a generation may stay open after a start: the lease of a dead owner, and some rounds of the watch.
const SETTLED: Duration = Duration::from_secs(12);

/// A generation that was begun before the cut.
struct Begun {
    service: &'static str,
    id: String,
}

async fn draw(person: &Person, model: &str, side: i32) -> Told {
    let request = image::GenerateImageRequest {
        prompt: format!("waves, {side} wide"),
        size: Some(image::Size {
            width: side,
            height: side,
        }),
        model: model.to_owned(),
        ..Default::default()
    };
    let stream = person.pictures().generate_image(request).await;
    listen_until(stream.expect("a picture").into_inner(), Told::has_started).await
}

async fn speak(person: &Person, voice: &str, text: String) -> Told {
    let request = tts::SynthesizeRequest {
        text,
        voice: voice.to_owned(),
        ..Default::default()
    };
    let stream = person.speech().synthesize(request).await;
    listen_until(stream.expect("speech").into_inner(), Told::has_started).await
}

/// Begins generations of all media: some that never end, and some that may or may not be done when the cut comes.
async fn begin_everything(ada: &Person) -> Vec<Begun> {
    let mut begun = Vec::new();
    let mut add = |service, told: Told| {
        begun.push(Begun {
            service,
            id: told.id().to_owned(),
        });
    };
    for model in [ENDLESS, ENDLESS, "atelier-offline"] {
        let stream = ask(ada, model, "Tell me a long story about the sea.").await;
        add(
            "llm-chat",
            listen_until(stream, |told| !told.text().is_empty()).await,
        );
    }
    add("text-image", draw(ada, NEVER, 64).await);
    add(
        "tts",
        speak(ada, SILENT, "Nobody hears this.".to_owned()).await,
    );
    let long = "The sea is wide, and the night is long. ".repeat(100);
    add("tts", speak(ada, "kal", long).await);
    add("text-image", draw(ada, "atelier-painter", 1024).await);
    begun
}

async fn open(person: &Person) -> Vec<String> {
    let is_open = |state: State| matches!(state, State::Queued | State::Running);
    let mut found = Vec::new();
    for image in person.images().await {
        if is_open(image.state()) {
            found.push(format!("image {}", image.id));
        }
    }
    for conversion in person.conversions().await {
        if is_open(conversion.state()) {
            found.push(format!("conversion {}", conversion.id));
        }
    }
    for conversation in person.conversations().await {
        for message in person.messages(&conversation.id).await {
            if is_open(message.state()) {
                found.push(format!("message {}", message.id));
            }
        }
    }
    found
}

/// The one end of a generation, as anybody hears it who watches from the beginning.
async fn end_of(person: &Person, begun: &Begun) -> Told {
    let generation_id = begun.id.clone();
    match begun.service {
        "llm-chat" => watch(person, &begun.id).await,
        "text-image" => {
            let request = image::WatchGenerationRequest {
                generation_id,
                after_sequence: 0,
            };
            let stream = person.pictures().watch_generation(request).await;
            listen(stream.expect("the generation").into_inner()).await
        }
        _ => {
            let request = tts::WatchGenerationRequest {
                generation_id,
                after_sequence: 0,
            };
            let stream = person.speech().watch_generation(request).await;
            listen(stream.expect("the generation").into_inner()).await
        }
    }
}

/// No completed picture or speech without its object.
async fn objects_are_there(person: &Person) {
    for image in person.images().await {
        if image.state() == State::Completed {
            let page = web::get(&image.download_url).await;
            let size = image.size.unwrap();
            let (width, height) = png_size(&page.body);
            assert_eq!((width as i32, height as i32), (size.width, size.height));
        } else {
            assert_eq!(image.download_url, "", "an object of a failed picture");
        }
    }
    for conversion in person.conversions().await {
        if conversion.state() == State::Completed {
            let page = web::get(&conversion.download_url).await;
            assert_eq!(page.body.len() as i64, conversion.size_bytes);
        }
    }
}

#[tokio::test]
async fn after_kill_9_everything_ends_once_and_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let launch = || Launch::serving(&[], folder.path()).envs(&upstream.settings());
    let cut = async |mesh: Running| {
        let ended = mesh.kill().await;
        assert_eq!(ended.code(), None, "it ended by itself");
    };

    let mesh = launch().start().await;
    let ada = Person::register(mesh.edge()).await;
    let mut begun = begin_everything(&ada).await;
    cut(mesh).await;

    // The second cut comes while the first one's remains still wait to be ended.
    let mesh = launch().start().await;
    let ada = ada.login(mesh.edge()).await;
    assert!(
        !open(&ada).await.is_empty(),
        "the cut came too late to show anything"
    );
    begun.extend(begin_everything(&ada).await);
    cut(mesh).await;

    let mesh = launch().start().await;
    let started = Instant::now();
    let ada = ada.login(mesh.edge()).await;
    eventually("nothing is open any more", SETTLED, || async {
        open(&ada).await.is_empty()
    })
    .await;
    let settled = started.elapsed();
    assert!(settled < SETTLED, "{settled:?}");

    let mut outcomes: BTreeMap<&str, u32> = BTreeMap::new();
    for begun in &begun {
        let told = end_of(&ada, begun).await;
        let outcome = match told.end() {
            Some(Event::Completed(_)) => "completed",
            Some(Event::Failed(failed)) => {
                assert_eq!(failed.reason, "INTERRUPTED", "{told:?}");
                assert!(failed.retryable);
                "interrupted"
            }
            other => panic!("{} {}: {other:?}", begun.service, begun.id),
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    assert!(outcomes["interrupted"] >= 8, "{outcomes:?}");
    objects_are_there(&ada).await;

    eventually("all of it is counted", Duration::from_secs(20), || async {
        usage_events(&ada).await.len() >= begun.len()
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut counted: Vec<(String, String)> = usage_events(&ada)
        .await
        .into_iter()
        .map(|event| (event.source, event.id))
        .collect();
    let mut expected: Vec<(String, String)> = begun
        .iter()
        .map(|begun| (begun.service.to_owned(), begun.id.clone()))
        .collect();
    counted.sort();
    expected.sort();
    assert_eq!(counted, expected);
    let total: i64 = usage_summary(&ada).await.values().sum();
    assert_eq!(total, begun.len() as i64);
}

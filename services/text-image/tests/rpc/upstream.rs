//! Pictures of a real API over HTTP: what is asked of it, and where a picture may come from.

use atelier_kit::testing::api::{Answer, Api};
use atelier_kit::testing::log::Log;
use atelier_proto::generation::v1::generation_event::Event;
use atelier_proto::generation::v1::{Failed, GenerationEvent, State};
use atelier_proto::text_image::v1::*;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::stage::*;

pub const KEY: &str = "sk-never-to-be-seen-4711";

/// A service whose pictures come from this API.
pub async fn open(folder: &tempfile::TempDir, url: &str) -> World {
    let variables = [
        ("ATELIER_IMAGE_URL", url),
        ("ATELIER_IMAGE_API_KEY", KEY),
        ("ATELIER_IMAGE_MODELS", "big-model, small-model"),
    ];
    World::open_with(folder.path(), &variables).await
}

/// A picture file of this size, and of no more bytes than it needs.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let pixels: Vec<u8> = (0..width * height * 3).map(|at| (at % 251) as u8).collect();
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&pixels)
        .unwrap();
    file
}

/// The head of a JPEG file of 48 × 32 pixels.
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\
    \xff\xc0\x00\x11\x08\x00\x20\x00\x30\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xd9";

pub fn in_base64(bytes: &[u8]) -> Answer {
    Answer::json(
        200,
        &json!({"created": 1, "data": [{"b64_json": STANDARD.encode(bytes)}]}),
    )
}

fn failed(events: &[GenerationEvent]) -> &Failed {
    let Some(Event::Failed(failed)) = &events.last().unwrap().event else {
        panic!("{:?}", kinds(events))
    };
    failed
}

/// Asks for a picture that fails, and checks that neither row nor object says otherwise. Returns how it failed.
pub async fn failure(world: &World) -> Failed {
    let events = world.paint(ask("a red boat")).await;
    assert!(!kinds(&events).contains(&"artifact"));
    let image = world.image(&events[0].generation_id).await.unwrap();
    assert_eq!(
        (
            image.state(),
            image.download_url.as_str(),
            image.sha256.as_str()
        ),
        (State::Failed, "", "")
    );
    let keys = world.keys("").await;
    assert!(
        keys.iter().all(|key| key.ends_with("input.json")),
        "{keys:?}"
    );
    failed(&events).clone()
}

/// Neither what was logged, nor what is told, nor what is stored has the key.
pub async fn kept_the_key(world: &World, log: &Log) {
    let log = log.text();
    assert!(log.contains("atelier"), "nothing was logged");
    let found = log.lines().find(|line| line.contains(KEY));
    assert!(found.is_none(), "the key is in the log: {found:?}");
    let listed = world
        .rpc()
        .list_images(world.ana(ListImagesRequest::default()))
        .await
        .unwrap()
        .into_inner();
    assert!(!listed.images.is_empty());
    let mut told = format!("{listed:?}");
    for image in listed.images {
        told.push_str(&format!("{:?}", world.watch(&image.id, 0).await));
    }
    for key in world.keys("").await {
        told.push_str(&String::from_utf8_lossy(&world.object(&key).await));
    }
    assert!(!told.contains(KEY), "the key is in an answer or an object");
}

#[tokio::test]
async fn a_picture_is_asked_for_and_stored_as_the_api_has_it() {
    let log = Log::new();
    let folder = tempfile::tempdir().unwrap();
    let picture = png(96, 64);
    let sent = picture.clone();
    let api = Api::start(move |_, _| in_base64(&sent)).await;
    let world = open(&folder, &format!("{}/", api.url)).await;
    let asked = GenerateImageRequest {
        size: Some(Size {
            width: 96,
            height: 64,
        }),
        style: "watercolor".into(),
        ..ask("a red boat")
    };
    let events = world.paint(asked).await;
    assert_eq!(
        kinds(&events),
        ["queued", "started", "artifact", "usage", "completed"]
    );
    let Some(Event::Started(started)) = &events[1].event else {
        unreachable!()
    };
    assert_eq!(
        (started.provider.as_str(), started.model.as_str()),
        ("openai-compatible", "big-model")
    );
    let Some(Event::Usage(usage)) = &events[3].event else {
        unreachable!()
    };
    assert_eq!((usage.images, usage.estimated), (1, false));
    let made = artifact(&events);
    assert_eq!(
        (made.width, made.height, made.content_type.as_str()),
        (96, 64, "image/png")
    );
    let (status, content_type, bytes) = world.fetch(&made.url).await;
    assert_eq!(
        (status, content_type.as_str()),
        (StatusCode::OK, "image/png")
    );
    assert_eq!(bytes, picture);
    assert_eq!(made.sha256, sha256(&picture));
    let image = world.image(&made.id).await.unwrap();
    assert_eq!(
        (image.provider.as_str(), image.model.as_str()),
        ("openai-compatible", "big-model")
    );

    world
        .paint(GenerateImageRequest {
            model: "small-model".into(),
            ..ask("a whale")
        })
        .await;
    let seen = api.seen();
    assert_eq!(seen.len(), 2);
    for asked in &seen {
        assert_eq!(
            (asked.method.as_str(), asked.path.as_str()),
            ("POST", "/v1/images/generations")
        );
        assert_eq!(asked.header("authorization"), format!("Bearer {KEY}"));
        assert_eq!(asked.header("content-type"), "application/json");
    }
    assert_eq!(
        seen[0].body,
        json!({
            "model": "big-model", "prompt": "a red boat\n\nStyle: Watercolor", "size": "96x64", "n": 1,
            "response_format": "b64_json",
        }),
    );
    assert_eq!(
        (&seen[1].body["model"], &seen[1].body["size"]),
        (&json!("small-model"), &json!("64x64"))
    );

    // The built-in painter stays beside it, under its own name, and asks nobody.
    let built_in = world
        .paint(GenerateImageRequest {
            model: "atelier-painter".into(),
            ..ask("a whale")
        })
        .await;
    assert_eq!(
        world.image(&artifact(&built_in).id).await.unwrap().provider,
        "offline"
    );
    assert_eq!(api.seen().len(), 2);
    let listed = world
        .rpc()
        .list_styles(ListStylesRequest {})
        .await
        .unwrap()
        .into_inner();
    let models: Vec<_> = listed
        .models
        .iter()
        .map(|model| (model.id.as_str(), model.is_default))
        .collect();
    assert_eq!(
        models,
        [
            ("big-model", true),
            ("small-model", false),
            ("atelier-painter", false)
        ]
    );
    kept_the_key(&world, &log).await;
}

#[tokio::test]
async fn a_picture_is_what_its_bytes_say() {
    for (bytes, content_type, end, size) in [
        (png(100, 50), "image/png", "original.png", (100, 50)),
        (JPEG.to_vec(), "image/jpeg", "original.jpg", (48, 32)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let sent = bytes.clone();
        let api = Api::start(move |_, _| in_base64(&sent)).await;
        let world = open(&folder, &api.url).await;
        let made = artifact(&world.paint(ask("a red boat")).await);
        assert_eq!((made.width, made.height), size);
        assert_eq!(made.content_type, content_type);
        assert!(made.url.contains(end), "{}", made.url);
        let image = world.image(&made.id).await.unwrap();
        let (width, height) = size;
        assert_eq!(
            image.size.map(|size| (size.width, size.height)),
            Some((width as i32, height as i32))
        );
        let (_, served_as, served) = world.fetch(&image.download_url).await;
        assert_eq!(
            (served_as.as_str(), &served[..]),
            (content_type, &bytes[..])
        );
    }
}

#[tokio::test]
async fn a_picture_is_fetched_from_the_api_s_own_origin_alone_and_without_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let picture = png(64, 64);
    let sent = picture.clone();
    let own = Api::start(move |asked, _| match asked.method.as_str() {
        "POST" => {
            let url = format!("http://{}/made/picture.png?token=1", asked.header("host"));
            Answer::json(200, &json!({"data": [{"url": url}]}))
        }
        _ => Answer::whole(200, "text/plain", sent.clone()),
    })
    .await;
    let world = open(&folder, &own.url).await;
    let made = artifact(&world.paint(ask("a red boat")).await);
    assert_eq!(
        (made.sha256, made.content_type.as_str()),
        (sha256(&picture), "image/png")
    );
    let fetched = own.seen().pop().unwrap();
    assert_eq!(
        (fetched.method.as_str(), fetched.path.as_str()),
        ("GET", "/made/picture.png")
    );
    assert_eq!(fetched.header("authorization"), "");
}

#[tokio::test]
async fn a_picture_s_url_leads_nowhere_else() {
    let picture = png(64, 64);
    let elsewhere = Api::start(move |_, _| Answer::whole(200, "image/png", picture.clone())).await;
    let other_port = format!("{}/picture.png", elsewhere.url);
    let other_name = other_port.replace("127.0.0.1", "localhost");
    for url in [
        other_port.as_str(),
        &other_name,
        "https://127.0.0.1/picture.png",
        "file:///etc/hostname",
        "picture.png",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let answer = json!({"data": [{"url": url}]});
        let api = Api::start(move |_, _| Answer::json(200, &answer)).await;
        let world = open(&folder, &api.url).await;
        let failed = failure(&world).await;
        assert_eq!(
            (failed.reason.as_str(), failed.retryable),
            ("UPSTREAM_GARBLED", true),
            "{url}"
        );
        assert_eq!((api.seen().len(), elsewhere.seen().len()), (1, 0), "{url}");
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Api::start(|_, _| in_base64(&png(64, 64))).await;
    for first_answers in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let target = format!("{}/images/generations", elsewhere.url);
        let api = Api::start(move |asked, _| {
            if first_answers && asked.method == "POST" {
                let url = format!("http://{}/picture.png", asked.header("host"));
                return Answer::json(200, &json!({"data": [{"url": url}]}));
            }
            Answer::redirect(&target)
        })
        .await;
        let world = open(&folder, &api.url).await;
        let failed = failure(&world).await;
        assert_eq!(
            (failed.reason.as_str(), failed.retryable),
            ("UPSTREAM_REFUSED", false)
        );
        assert_eq!(
            (api.seen().len(), elsewhere.seen().len()),
            (1 + usize::from(first_answers), 0)
        );
    }
}

#[tokio::test]
async fn admins_are_told_how_the_api_does_and_nobody_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let picture = png(64, 64);
    let api = Api::start(move |_, _| in_base64(&picture)).await;
    let world = open(&folder, &api.url).await;
    world.paint(ask("a red boat")).await;
    let asked = world.admin(ListUpstreamsRequest {});
    let told = world.rpc().list_upstreams(asked).await.unwrap();
    let seen = told.into_inner().upstreams;
    assert_eq!((seen.len(), seen[0].calls, seen[0].failures), (1, 1, 0));
    assert_eq!(seen[0].keys[0].source, "ATELIER_IMAGE_API_KEY");
    assert!(!format!("{seen:?}").contains(KEY));
    let asked = world.ana(ListUpstreamsRequest {});
    let refused = world.rpc().list_upstreams(asked).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
}

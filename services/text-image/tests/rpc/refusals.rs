//! What can go wrong at a real API, and what its owner is told of it.

use std::time::{Duration, Instant};

use atelier_kit::testing::api::{Answer, Api, nowhere};
use atelier_kit::testing::log::Log;
use atelier_proto::generation::v1::State;
use atelier_proto::text_image::v1::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::stage::*;
use crate::upstream::*;

#[tokio::test]
async fn a_refusal_is_told_as_what_it_is_and_without_the_key() {
    for (status, reason, retryable, asked) in [
        (400, "UPSTREAM_REFUSED", false, 1),
        (401, "UPSTREAM_REFUSED", false, 1),
        (403, "UPSTREAM_REFUSED", false, 1),
        (404, "UPSTREAM_REFUSED", false, 1),
        (402, "UPSTREAM_BUSY", true, 1),
        (429, "UPSTREAM_BUSY", true, 3),
        (500, "UPSTREAM_BUSY", true, 3),
        (503, "UPSTREAM_BUSY", true, 3),
        // It may have been painted and paid for: it is never asked for twice behind its owner's back.
        (504, "UPSTREAM_BUSY", true, 1),
    ] {
        let log = Log::new();
        let folder = tempfile::tempdir().unwrap();
        // As some do, it repeats what it was given.
        let api = Api::start(move |asked, _| {
            let said = format!("wrong key: {}", asked.header("authorization"));
            Answer::json(status, &json!({"error": {"message": said}}))
        })
        .await;
        let world = open(&folder, &api.url).await;
        let failed = failure(&world).await;
        assert_eq!(
            (failed.reason.as_str(), failed.retryable),
            (reason, retryable),
            "HTTP {status}"
        );
        assert!(
            !failed.message.is_empty() && !failed.message.contains("127.0.0.1"),
            "{failed:?}"
        );
        assert_eq!(api.seen().len(), asked, "HTTP {status}");
        kept_the_key(&world, &log).await;
    }
}

#[tokio::test]
async fn an_api_that_is_not_there_or_breaks_off_is_unavailable() {
    let broken =
        Api::start(|_, _| Answer::Cut(vec!["{\"data\": [{\"b64_json\": \"iVBO".into()])).await;
    for url in [nowhere().await, broken.url.clone()] {
        let log = Log::new();
        let folder = tempfile::tempdir().unwrap();
        let world = open(&folder, &url).await;
        let failed = failure(&world).await;
        assert_eq!(
            (failed.reason.as_str(), failed.retryable),
            ("UPSTREAM_UNAVAILABLE", true)
        );
        kept_the_key(&world, &log).await;
    }
}

#[tokio::test]
async fn what_is_no_picture_is_refused() {
    let data = |datum: serde_json::Value| json!({"data": [datum]}).to_string();
    let mut enormous = png(64, 64);
    // Its head says 60,000 pixels a side.
    enormous[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let gif = b"GIF89a\x40\x00\x40\x00\x00\x00\x00;";
    for (name, body) in [
        (
            "garbage in base64",
            data(json!({"b64_json": "!!! no base64 !!!"})),
        ),
        (
            "a page in base64",
            data(json!({"b64_json": STANDARD.encode("<html>busy</html>")})),
        ),
        ("nothing in base64", data(json!({"b64_json": ""}))),
        ("a GIF", data(json!({"b64_json": STANDARD.encode(gif)}))),
        (
            "the head of a PNG",
            data(json!({"b64_json": STANDARD.encode(&enormous[..12])})),
        ),
        (
            "an enormous picture",
            data(json!({"b64_json": STANDARD.encode(&enormous)})),
        ),
        (
            "neither base64 nor a URL",
            data(json!({"revised_prompt": "a boat"})),
        ),
        ("no data", json!({"data": []}).to_string()),
        ("the key itself", json!({"data": KEY}).to_string()),
        ("a page", "<html><body>busy</body></html>".to_owned()),
        ("an empty answer", String::new()),
    ] {
        let log = Log::new();
        let folder = tempfile::tempdir().unwrap();
        let api =
            Api::start(move |_, _| Answer::whole(200, "application/json", body.clone())).await;
        let world = open(&folder, &api.url).await;
        let failed = failure(&world).await;
        assert_eq!(
            (failed.reason.as_str(), failed.retryable),
            ("UPSTREAM_GARBLED", true),
            "{name}"
        );
        kept_the_key(&world, &log).await;
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_it() {
    for in_answer in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let api = Api::start(move |asked, presence| {
            if in_answer || asked.method == "GET" {
                return Answer::Endless(presence);
            }
            let url = format!("http://{}/picture.png", asked.header("host"));
            Answer::json(200, &json!({"data": [{"url": url}]}))
        })
        .await;
        let world = open(&folder, &api.url).await;
        assert_eq!(failure(&world).await.reason, "UPSTREAM_GARBLED");
        let answers = if in_answer { 1 } else { 2 };
        assert!(
            api.left(answers, Duration::from_secs(1)).await,
            "still connected"
        );
    }
}

#[tokio::test]
async fn a_cancel_closes_the_connection_to_the_api_and_leaves_nothing() {
    for stalls in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let api = Api::start(move |_, presence| {
            if stalls {
                return Answer::Stalled(vec!["{\"data\": [{\"b64_json\": \"iVBO".into()], presence);
            }
            Answer::Silent(presence)
        })
        .await;
        let world = open(&folder, &api.url).await;
        let mut stream = world.start(ask("a red boat")).await;
        let id = next(&mut stream).await.generation_id;
        eventually("the API was asked", || async { api.seen().len() == 1 }).await;
        // A client that goes away does not end it; a cancel does.
        drop(stream);
        assert!(
            !api.left(1, Duration::from_millis(300)).await,
            "ended without a cancel"
        );
        let begun = Instant::now();
        let cancel = CancelGenerationRequest {
            generation_id: id.clone(),
        };
        world
            .rpc()
            .cancel_generation(world.ana(cancel))
            .await
            .unwrap();
        assert!(api.left(1, Duration::from_secs(1)).await, "still connected");
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert_eq!(
            kinds(&world.watch(&id, 0).await),
            ["queued", "started", "cancelled"]
        );
        assert_eq!(world.image(&id).await.unwrap().state(), State::Cancelled);
        eventually("no object is left", || async {
            world.keys("").await.is_empty()
        })
        .await;
    }
}

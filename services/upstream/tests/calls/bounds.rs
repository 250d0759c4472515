//! Answers that are too much, or something else than they say.

use std::time::Duration;

use atelier_kit::testing::api::{Answer, Api};
use atelier_upstream::calls::Expected;
use atelier_upstream::calls::Repeats::Freely;
use futures_util::StreamExt as _;
use serde_json::json;

use crate::stage::*;

#[tokio::test]
async fn an_endless_answer_is_counted_and_left() {
    let api = Api::start(|_, presence| Answer::Endless(presence)).await;
    let caller = caller(&[&api.url], &[]).await;
    let error = ask(&caller, Freely)
        .await
        .unwrap()
        .read(1 << 20)
        .await
        .unwrap_err();
    assert_eq!(reason(error), "UPSTREAM_GARBLED");
    assert!(api.left(1, Duration::from_secs(1)).await);
    // As one event, too.
    let events = ask(&caller, Freely)
        .await
        .unwrap()
        .events(256 << 10, usize::MAX);
    let error = std::pin::pin!(events).next().await.unwrap().unwrap_err();
    assert_eq!(reason(error), "UPSTREAM_GARBLED");
    assert!(api.left(2, Duration::from_secs(1)).await);
}

#[tokio::test]
async fn an_endless_refusal_is_a_refusal() {
    let api = Api::start(|_, _| Answer::Whole {
        status: 400,
        headers: vec![],
        body: vec![b'x'; 1 << 20].into(),
    })
    .await;
    let caller = caller(&[&api.url], &[]).await;
    let error = ask(&caller, Freely).await.unwrap_err();
    assert!(error.to_string().len() < 500);
    assert_eq!(reason(error), "UPSTREAM_REFUSED");
}

#[tokio::test]
async fn a_page_with_a_status_of_success_is_nothing_that_was_asked_for() {
    let api = Api::start(|_, _| Answer::whole(200, "text/html; charset=utf-8", "<p>busy")).await;
    let caller = caller(&[&api.url], &[]).await;
    for expected in [
        Expected::Events,
        Expected::Json,
        Expected::Picture,
        Expected::Audio,
    ] {
        let answer = ask(&caller, Freely).await.unwrap();
        let error = answer.expect(expected).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the provider's answer cannot be used: the body is text/html"
        );
    }
}

#[tokio::test]
async fn a_url_is_followed_to_its_own_origin_alone_and_without_a_key() {
    let private = Api::start(|_, _| Answer::json(200, &json!({"secret": true}))).await;
    let target = format!("{}/meta-data", private.url);
    let redirect = target.clone();
    let api = Api::start(move |asked, _| match asked.path.as_str() {
        "/away" => Answer::redirect(&redirect),
        "/file" => Answer::whole(200, "image/png", "file"),
        _ => Answer::json(200, &json!({})),
    })
    .await;
    let url = api.url.replace("http://", "http://ana:pw@");
    for keys in [vec!["sk-one"], vec![]] {
        let caller = caller(&[&url], &keys).await;
        let origin = ask(&caller, Freely).await.unwrap().origin();
        for (url, told) in [
            (target.clone(), "UPSTREAM_GARBLED"),
            (
                "http://169.254.169.254/latest".to_owned(),
                "UPSTREAM_GARBLED",
            ),
            ("file:///etc/passwd".to_owned(), "UPSTREAM_GARBLED"),
            ("no url".to_owned(), "UPSTREAM_GARBLED"),
            (api.url.replace("/v1", "/away"), "UPSTREAM_REFUSED"),
        ] {
            let error = origin.fetch(&url).await.unwrap_err();
            assert_eq!(reason(error), told, "{url}");
        }
        let file = origin
            .fetch(&api.url.replace("/v1", "/file"))
            .await
            .unwrap();
        assert_eq!(file.read(10).await.unwrap(), "file");
    }
    assert!(private.seen().is_empty());
    let seen = api.seen();
    let fetched: Vec<_> = seen.iter().filter(|asked| asked.method == "GET").collect();
    assert_eq!(fetched.len(), 4);
    assert!(
        fetched
            .iter()
            .all(|asked| asked.header("authorization").is_empty())
    );
    let posted: Vec<_> = seen.iter().filter(|asked| asked.method == "POST").collect();
    let authorizations: Vec<_> = posted
        .iter()
        .map(|asked| asked.header("authorization"))
        .collect();
    assert_eq!(authorizations, ["Bearer sk-one", "Basic YW5hOnB3"]);
}

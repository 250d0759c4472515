//! Which endpoint is asked, and which is left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use atelier_kit::testing::api::{Answer, Api};
use atelier_proto::upstream::v1::BreakerState;
use atelier_upstream::calls::Repeats::{Freely, Unbegun};
use futures_util::StreamExt as _;
use serde_json::json;

use crate::stage::*;

/// An API that can be ill.
async fn api(ill: &Arc<AtomicBool>) -> Api {
    let ill = ill.clone();
    Api::start(move |_, _| match ill.load(Ordering::SeqCst) {
        true => Answer::json(500, &json!({})),
        false => Answer::json(200, &json!({})),
    })
    .await
}

#[tokio::test]
async fn an_ill_endpoint_is_left_alone_and_comes_back_when_it_is_well() {
    let ill = Arc::new(AtomicBool::new(true));
    let (one, other) = (api(&ill).await, api(&Arc::default()).await);
    let caller = caller(&[&one.url, &other.url], &[]).await;
    for _ in 0..60 {
        ask(&caller, Unbegun).await.unwrap();
    }
    let seen = caller.upstreams();
    assert_eq!(
        (breaker(&seen[0]), breaker(&seen[1])),
        (BreakerState::Open, BreakerState::Closed)
    );
    assert!(seen[0].retry_time.is_some() && seen[1].retry_time.is_none());
    assert!(one.url.starts_with(&seen[0].endpoint) && !seen[0].endpoint.contains("v1"));
    assert_eq!(
        one.seen().len(),
        10,
        "it was asked until it opened, and no more"
    );

    // Ill still: one call tries, is made again elsewhere, and the rest is twice as long.
    tokio::time::sleep(Duration::from_millis(5_100)).await;
    for _ in 0..20 {
        ask(&caller, Unbegun).await.unwrap();
    }
    assert_eq!(one.seen().len(), 11);
    ill.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(10_100)).await;
    for _ in 0..40 {
        ask(&caller, Unbegun).await.unwrap();
    }
    assert_eq!(breaker(&caller.upstreams()[0]), BreakerState::Closed);
    // Its share comes back as fast as what was slow about it fades.
    let begun = Instant::now();
    let tried = one.seen().len();
    while one.seen().len() < tried + 10 {
        ask(&caller, Unbegun).await.unwrap();
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(60), "it has no share: {tried}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn when_all_endpoints_are_left_alone_callers_are_told_at_once() {
    let ill = Arc::new(AtomicBool::new(true));
    let api = api(&ill).await;
    let caller = caller(&[&api.url], &[]).await;
    for _ in 0..4 {
        ask(&caller, Freely).await.unwrap_err();
    }
    assert_eq!(breaker(&caller.upstreams()[0]), BreakerState::Open);
    let asked = api.seen().len();
    let begun = Instant::now();
    let error = ask(&caller, Freely).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(200));
    assert_eq!(
        (reason(error).as_str(), api.seen().len()),
        ("UPSTREAM_UNAVAILABLE", asked)
    );
}

#[tokio::test]
async fn the_faster_of_two_is_asked_more_often() {
    let (fast, slow) = (
        simulator("latency=2ms&tokens=3").await,
        simulator("latency=120ms&tokens=3").await,
    );
    let caller = caller(&[fast.url().as_str(), slow.url().as_str()], &[]).await;
    futures_util::stream::iter(0..200)
        .for_each_concurrent(8, |_| async {
            let answer = ask(&caller, Freely).await.unwrap();
            answer.read(1 << 20).await.unwrap();
        })
        .await;
    let (fast, slow) = (fast.counts().requests, slow.counts().requests);
    assert_eq!(fast + slow, 200);
    assert!(fast > 160 && slow > 0, "{fast} and {slow}");
    let seen = caller.upstreams();
    assert!(seen[1].latency.unwrap().nanos >= 100_000_000, "{seen:?}");
}

#[tokio::test]
async fn what_is_known_is_measured_too() {
    let metrics = atelier_kit::telemetry::metrics();
    let ill = Arc::new(AtomicBool::new(true));
    let (one, other) = (api(&ill).await, api(&Arc::default()).await);
    let mut spec = spec(&[&one.url, &other.url], &["only"]);
    spec.name = "measured".to_owned();
    let caller = atelier_upstream::calls::Caller::new(&spec).await.unwrap();
    for _ in 0..60 {
        ask(&caller, Unbegun).await.unwrap();
    }
    let told = metrics.render();
    let line = |name: &str, of: &str| {
        told.lines()
            .find(|line| {
                line.starts_with(name) && line.contains("\"measured\"") && line.contains(of)
            })
            .unwrap_or_else(|| panic!("no {name} of {of}: {told}"))
            .to_owned()
    };
    let origin = |api: &Api| api.url.trim_end_matches("/v1").to_owned();
    let (one, other) = (origin(&one), origin(&other));
    assert!(line("atelier_upstream_breaker_state", &one).ends_with(" 2"));
    assert!(line("atelier_upstream_breaker_state", &other).ends_with(" 0"));
    assert!(line("atelier_upstream_in_flight", &other).ends_with(" 0"));
    assert!(line("atelier_upstream_retries_total", &one).ends_with(" 10"));
    let answered = told.lines().find(|line| {
        line.starts_with("atelier_upstream_calls_total")
            && line.contains("\"measured\"")
            && line.contains("outcome=\"answered\"")
            && line.contains(&other)
    });
    assert!(answered.is_some_and(|line| line.ends_with(" 60")), "{told}");
    assert!(line("atelier_upstream_first_byte_seconds_count", &other).ends_with(" 60"));
    drop(caller);
    let told = metrics.render();
    let closed = told
        .lines()
        .find(|line| line.starts_with("atelier_upstream_breaker_state") && line.contains(&one));
    assert!(
        closed.unwrap().ends_with(" 0"),
        "a caller that is gone leaves no alarm behind"
    );
}

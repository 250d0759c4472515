//! Keys: used in turn, left alone when they are refused, and hidden.

use std::time::{Duration, Instant};

use atelier_generation::{Failure, ProviderError};
use atelier_kit::testing::api::{Answer, Api};
use atelier_proto::upstream::v1::BreakerState;
use atelier_upstream::calls::Callers;
use atelier_upstream::calls::Repeats::{Freely, Unbegun};
use serde_json::json;

use crate::stage::*;

fn refused(status: u16, retry_after: Option<&str>, said: &str) -> Answer {
    Answer::Whole {
        status,
        headers: retry_after
            .map(|told| ("retry-after", told.to_owned()))
            .into_iter()
            .collect(),
        body: said.to_owned().into(),
    }
}

fn used(api: &Api) -> Vec<String> {
    let seen = api.seen();
    seen.iter()
        .map(|asked| asked.header("authorization").replace("Bearer ", ""))
        .collect()
}

#[tokio::test]
async fn keys_are_used_in_turn() {
    let api = Api::start(|_, _| Answer::json(200, &json!({}))).await;
    let caller = caller(&[&api.url], &["one", "two", "three"]).await;
    for _ in 0..6 {
        ask(&caller, Unbegun).await.unwrap();
    }
    assert_eq!(used(&api), ["one", "two", "three", "one", "two", "three"]);
}

#[tokio::test]
async fn a_call_whose_key_is_refused_is_made_with_the_next_and_the_endpoint_is_not_to_blame() {
    for (status, said) in [
        (401, "who are you?"),
        (403, "{\"error\":{\"code\":\"invalid_api_key\"}}"),
        (402, "pay first"),
        (429, "slowly"),
    ] {
        let api = Api::start(move |asked, _| match asked.header("authorization") {
            "Bearer good" => Answer::json(200, &json!({})),
            _ => refused(status, None, said),
        })
        .await;
        let caller = caller(&[&api.url], &["bad", "worse", "good"]).await;
        for _ in 0..15 {
            ask(&caller, Unbegun).await.unwrap();
        }
        let used = used(&api);
        assert_eq!(used[..3], ["bad", "worse", "good"], "{status}");
        assert!(
            used[3..].iter().all(|key| key == "good"),
            "{status}: {used:?}"
        );
        let seen = &caller.upstreams()[0];
        assert_eq!(breaker(seen), BreakerState::Closed);
        assert_eq!((seen.calls, seen.retries), (17, 2));
        let rests: Vec<_> = seen
            .keys
            .iter()
            .map(|key| key.rest_until.is_some())
            .collect();
        assert_eq!(rests, [true, true, false]);
        assert_eq!(seen.keys[1].source, "KEY_1");
    }
}

/// As many as would open a breaker.
#[tokio::test]
async fn any_number_of_refused_keys_is_not_the_endpoint_s_fault() {
    for status in [401, 429] {
        let api = Api::start(move |asked, _| match asked.header("authorization") {
            "Bearer good" => Answer::json(200, &json!({})),
            _ => refused(status, None, ""),
        })
        .await;
        let bad: Vec<String> = (0..15).map(|at| format!("bad-{at}")).collect();
        let mut keys: Vec<&str> = bad.iter().map(String::as_str).collect();
        keys.push("good");
        let caller = caller(&[&api.url], &keys).await;
        ask(&caller, Unbegun).await.unwrap();
        assert_eq!(api.seen().len(), 16);
        assert_eq!(breaker(&caller.upstreams()[0]), BreakerState::Closed);

        // An only key is told as what it is every time.
        let only = self::caller(&[&api.url], &["bad"]).await;
        for _ in 0..15 {
            let told = reason(ask(&only, Unbegun).await.unwrap_err());
            let expected = match status {
                401 => "UPSTREAM_REFUSED",
                _ => "UPSTREAM_BUSY",
            };
            assert_eq!(told, expected);
        }
        assert_eq!(breaker(&only.upstreams()[0]), BreakerState::Closed);
    }
}

#[tokio::test]
async fn a_refusal_that_is_not_about_the_key_is_told_and_the_key_stays() {
    let api = Api::start(|_, _| refused(403, None, "not in your country")).await;
    let caller = caller(&[&api.url], &["one", "two"]).await;
    let error = ask(&caller, Freely).await.unwrap_err();
    assert!(
        matches!(error, ProviderError::Refused { status: 403, .. }),
        "{error:?}"
    );
    assert_eq!(api.seen().len(), 1);
    assert!(
        caller.upstreams()[0]
            .keys
            .iter()
            .all(|key| key.rest_until.is_none())
    );
}

#[tokio::test]
async fn when_every_key_rests_nobody_is_asked_and_the_time_is_told() {
    let api = Api::start(|_, _| refused(429, Some("30"), "")).await;
    let caller = caller(&[&api.url], &["one", "two"]).await;
    for asked in [2, 2] {
        let begun = Instant::now();
        let error = ask(&caller, Freely).await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(5));
        let ProviderError::Resting(wait) = &error else {
            panic!("{error:?}")
        };
        assert!(*wait > Duration::from_secs(25) && *wait <= Duration::from_secs(30));
        let failure = Failure::from(error);
        assert_eq!(
            (failure.reason.as_str(), failure.retryable),
            ("UPSTREAM_BUSY", true)
        );
        assert!(failure.message.contains("again in"), "{}", failure.message);
        assert_eq!(api.seen().len(), asked);
    }
}

#[tokio::test]
async fn when_every_key_is_refused_that_is_told() {
    let api = Api::start(|_, _| refused(401, None, "wrong: two")).await;
    let caller = caller(&[&api.url], &["one", "two"]).await;
    let error = ask(&caller, Freely).await.unwrap_err();
    let ProviderError::Refused { status, message } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((*status, message.as_str()), (401, "wrong: [key]"));
}

#[tokio::test]
async fn a_short_rest_of_an_only_key_is_waited_for() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let api =
        Api::start(
            move |_, _| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => refused(429, Some("1"), ""),
                _ => Answer::json(200, &json!({})),
            },
        )
        .await;
    let caller = caller(&[&api.url], &["only"]).await;
    let begun = Instant::now();
    let (one, other) = tokio::join!(ask(&caller, Unbegun), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        // It came while the key rested, and waits for the same moment.
        ask(&caller, Unbegun).await
    });
    one.unwrap();
    other.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(api.seen().len(), 3);
}

#[tokio::test]
async fn a_provider_that_stays_keeps_what_is_known_of_it() {
    let api = Api::start(|_, _| refused(429, Some("30"), "")).await;
    let callers = Callers::default();
    let first = callers.take(&[spec(&[&api.url], &["one"])]).await.unwrap();
    ask(&first[0], Freely).await.unwrap_err();
    callers.take(&[spec(&[&api.url], &["one"])]).await.unwrap();
    assert!(callers.upstreams()[0].keys[0].rest_until.is_some());
    // Another key is another provider's.
    callers.take(&[spec(&[&api.url], &["new"])]).await.unwrap();
    assert!(callers.upstreams()[0].keys[0].rest_until.is_none());
    let wrong = callers.take(&[spec(&[], &[])]).await.unwrap_err();
    assert_eq!(wrong.to_string(), "the provider has no endpoint");
    assert_eq!(callers.upstreams().len(), 1, "what was stays");
}

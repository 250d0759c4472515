//! When a call is made again, and when it is not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atelier_generation::ProviderError;
use atelier_kit::testing::api::{Answer, Api, nowhere};
use atelier_upstream::calls::Repeats::{self, Freely, Unbegun};
use futures_util::StreamExt as _;
use serde_json::json;

use crate::stage::*;

/// An API that answers its requests with these, in order; with the last from then on.
async fn api(answers: Vec<fn() -> Answer>) -> Api {
    let asked = AtomicUsize::new(0);
    Api::start(move |_, presence| {
        let at = asked.fetch_add(1, Ordering::SeqCst);
        let last = answers.len() - 1;
        drop(presence);
        answers[at.min(last)]()
    })
    .await
}

fn ok() -> Answer {
    Answer::json(200, &json!({"fine": true}))
}

fn busy(retry_after: &str) -> Answer {
    Answer::Whole {
        status: 503,
        headers: vec![("retry-after", retry_after.to_owned())],
        body: "busy".into(),
    }
}

#[tokio::test]
async fn what_may_pass_is_asked_for_again_and_is_well_the_third_time() {
    for status in [408, 425, 429, 500, 502, 503] {
        for repeats in [Freely, Unbegun] {
            let asked = AtomicUsize::new(0);
            let api = Api::start(move |_, _| match asked.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => Answer::json(status, &json!({})),
                _ => ok(),
            })
            .await;
            let caller = caller(&[&api.url], &[]).await;
            let answer = ask(&caller, repeats).await.unwrap();
            assert_eq!(answer.read(100).await.unwrap(), "{\"fine\":true}");
            assert_eq!(api.seen().len(), 3, "{status}");
            assert_eq!(api.seen()[2].body, chat("hello"), "the same is asked for");
            let seen = &caller.upstreams()[0];
            assert_eq!((seen.calls, seen.retries, seen.in_flight), (3, 2, 0));
        }
    }
}

#[tokio::test]
async fn it_is_given_up_after_the_third_and_told_as_what_it_was() {
    let api = api(vec![|| Answer::json(503, &json!({}))]).await;
    let caller = caller(&[&api.url], &[]).await;
    let error = ask(&caller, Freely).await.unwrap_err();
    assert!(matches!(error, ProviderError::Busy(503)), "{error:?}");
    assert_eq!(
        (api.seen().len(), reason(error).as_str()),
        (3, "UPSTREAM_BUSY")
    );
}

async fn asked_times(answer: fn() -> Answer, repeats: Repeats) -> usize {
    let api = api(vec![answer]).await;
    let caller = caller(&[&api.url], &[]).await;
    ask(&caller, repeats).await.unwrap_err();
    api.seen().len()
}

#[tokio::test]
async fn what_was_refused_for_good_is_asked_for_once() {
    for status in [400, 401, 402, 403, 404, 409, 413, 422, 501] {
        let api = Api::start(move |_, _| Answer::json(status, &json!({}))).await;
        let caller = caller(&[&api.url], &[]).await;
        ask(&caller, Freely).await.unwrap_err();
        assert_eq!(api.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn work_that_may_have_been_done_and_paid_for_is_not_asked_for_twice() {
    let gateway: fn() -> Answer = || Answer::json(504, &json!({}));
    assert_eq!(asked_times(gateway, Freely).await, 3);
    assert_eq!(asked_times(gateway, Unbegun).await, 1);
    for (repeats, times) in [(Freely, 3), (Unbegun, 1)] {
        // No answer in time.
        let api = Api::start(|_, presence| Answer::Silent(presence)).await;
        let caller = caller(&[&api.url], &[]).await;
        let error = ask(&caller, repeats).await.unwrap_err();
        assert_eq!(reason(error), "UPSTREAM_UNAVAILABLE");
        assert_eq!(api.seen().len(), times, "{repeats:?}");
        assert!(
            api.left(times, Duration::from_secs(1)).await,
            "each call was ended"
        );
    }
}

/// Takes requests and closes the connection without a word; counts them.
async fn hangs_up() -> (String, std::sync::Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let mut begun = [0; 4096];
            socket.readable().await.unwrap();
            let _ = socket.try_read(&mut begun);
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, asked)
}

#[tokio::test]
async fn a_connection_that_breaks_before_an_answer_is_no_answer() {
    for (repeats, times) in [(Freely, 3), (Unbegun, 1)] {
        let (url, asked) = hangs_up().await;
        let caller = caller(&[&url], &[]).await;
        let error = ask(&caller, repeats).await.unwrap_err();
        assert_eq!(reason(error), "UPSTREAM_UNAVAILABLE");
        assert_eq!(asked.load(Ordering::SeqCst), times, "{repeats:?}");
    }
}

#[tokio::test]
async fn where_nobody_is_nothing_was_begun() {
    for repeats in [Freely, Unbegun] {
        let caller = caller(&[&nowhere().await], &[]).await;
        let error = ask(&caller, repeats).await.unwrap_err();
        assert_eq!(reason(error), "UPSTREAM_UNAVAILABLE");
        assert_eq!(caller.upstreams()[0].calls, 3);
    }
}

#[tokio::test]
async fn what_the_provider_says_of_its_time_is_kept_up_to_a_bound() {
    let api = api(vec![|| busy("1"), ok]).await;
    let caller = caller(&[&api.url], &[]).await;
    let begun = Instant::now();
    ask(&caller, Unbegun).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));

    let api = self::api(vec![|| busy("3600"), ok]).await;
    let caller = self::caller(&[&api.url], &[]).await;
    let begun = Instant::now();
    ask(&caller, Unbegun).await.unwrap_err();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "nobody sits through an hour"
    );
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn what_one_endpoint_says_of_its_time_is_none_of_another_s() {
    let (one, other) = (
        self::api(vec![|| busy("9")]).await,
        self::api(vec![ok]).await,
    );
    let caller = caller(&[&one.url, &other.url], &[]).await;
    let begun = Instant::now();
    for _ in 0..8 {
        ask(&caller, Unbegun).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(8));
    assert_eq!(other.seen().len(), 8);
}

#[tokio::test]
async fn nothing_is_asked_for_again_once_a_byte_was_handed_on() {
    let simulator = simulator("script=cut@200&tokens=40").await;
    let caller = caller(&[simulator.url().as_str()], &[]).await;
    let answer = ask(&caller, Freely).await.unwrap();
    let mut body = std::pin::pin!(answer.bytes(1 << 20));
    let mut heard = 0;
    let error = loop {
        match body.next().await {
            Some(Ok(bytes)) => heard += bytes.len(),
            Some(Err(error)) => break error,
            None => panic!("it was not cut"),
        }
    };
    assert!(heard > 0);
    assert_eq!(reason(error), "UPSTREAM_UNAVAILABLE");
    assert_eq!(simulator.counts().requests, 1);
    let seen = &caller.upstreams()[0];
    assert_eq!(
        (seen.calls, seen.failures),
        (1, 1),
        "and it is the endpoint's fault"
    );
}

/// A third of all requests fail. Without a budget half as many as there are calls would be made again.
#[tokio::test]
async fn repeats_have_a_budget_that_all_calls_share() {
    const CALLS: usize = 700;
    let asked = AtomicUsize::new(0);
    let api = Api::start(move |_, _| match asked.fetch_add(1, Ordering::SeqCst) % 3 {
        2 => Answer::json(500, &json!({})),
        _ => ok(),
    })
    .await;
    let caller = caller(&[&api.url], &[]).await;
    let begun = Instant::now();
    let failed = futures_util::stream::iter(0..CALLS)
        .map(|_| async { ask(&caller, Freely).await.is_err() })
        .buffer_unordered(50)
        .filter(|failed| std::future::ready(*failed))
        .count()
        .await;
    let repeats = api.seen().len() - CALLS;
    let budget = CALLS / 5 + 100 + 10 * (begun.elapsed().as_secs() as usize + 1);
    assert!(repeats <= budget, "{repeats} of {budget}");
    assert!(
        repeats > CALLS / 7 && failed > 0,
        "{repeats} repeats, {failed} failed"
    );
}

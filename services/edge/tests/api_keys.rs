//! API keys at the edge: exchanged once for many calls, refused in the caller's own protocol, forgotten when they are revoked.

mod house;
#[path = "house/wire.rs"]
mod wire;

use std::sync::atomic::Ordering;
use std::time::Duration;

use atelier_kit::fault::reason_of;
use atelier_kit::testing::log::Log;
use atelier_proto::tts::v1 as tts;
use futures_util::future::join_all;
use house::{House, KEY, PAGE, browser};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use wire::{Answer, BINARY, TEXT, frame, text};

fn with<T>(authorization: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = authorization.parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

/// The `authorization` that the service heard.
async fn heard(house: &House, authorization: &str) -> Result<String, Status> {
    let request = with(authorization, tts::ListVoicesRequest {});
    let answer = house.tts().await.list_voices(request).await?;
    let mut voices = answer.into_inner().voices.into_iter();
    let voice = voices.find(|voice| voice.id == "authorization").unwrap();
    Ok(voice.title)
}

async fn key_heard(house: &House) -> Result<String, Status> {
    heard(house, &format!("Bearer {KEY}")).await
}

#[track_caller]
fn refused<T>(answer: Result<T, Status>, code: Code, reason: &str) -> Status {
    let status = answer.err().expect("the call should have been refused");
    assert_eq!(
        (status.code(), reason_of(&status).as_deref()),
        (code, Some(reason)),
        "{status:?}"
    );
    status
}

#[tokio::test]
async fn a_service_hears_the_token_and_never_the_key() {
    let house = House::open().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let token = heard(&house, &format!("{scheme} {KEY}")).await.unwrap();
        assert!(token.starts_with("Bearer eyJ") && !token.contains(KEY));
    }
    // The service believes it.
    let speak = tts::SynthesizeRequest {
        text: "two".into(),
        ..Default::default()
    };
    let speak = with(&format!("Bearer {KEY}"), speak);
    house.tts().await.synthesize(speak).await.unwrap();
    assert_eq!(house.keys.asked(), 1);
}

#[tokio::test]
async fn what_is_no_key_is_not_exchanged() {
    let house = House::open().await;
    let token = house.bearer();
    assert_eq!(heard(&house, &token).await.unwrap(), token);
    let mut client = house.tts().await;
    client.list_voices(tts::ListVoicesRequest {}).await.unwrap();
    for other in ["Basic atk_x", "atk_x"] {
        refused(
            heard(&house, other).await,
            Code::Unauthenticated,
            "TOKEN_INVALID",
        );
    }
    // Of two headers none is taken for a key, and the service refuses both.
    let mut two = with(&token, tts::ListVoicesRequest {});
    let key = format!("Bearer {KEY}").parse().unwrap();
    two.metadata_mut().append("authorization", key);
    refused(
        client.list_voices(two).await,
        Code::Unauthenticated,
        "TOKEN_INVALID",
    );
    assert_eq!(house.keys.asked(), 0);
}

#[tokio::test]
async fn calls_that_come_at_once_ask_once() {
    let house = House::open().await;
    let answers = join_all((0..20).map(|_| key_heard(&house))).await;
    let tokens: Vec<String> = answers.into_iter().map(Result::unwrap).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(house.keys.asked(), 1);
    // Each key for itself.
    house.keys.good.lock().unwrap().push("atk_of-bob");
    assert_ne!(heard(&house, "Bearer atk_of-bob").await.unwrap(), tokens[0]);
    assert_eq!(key_heard(&house).await.unwrap(), tokens[0]);
    assert_eq!(house.keys.asked(), 2);
}

#[tokio::test]
async fn a_key_that_does_not_hold_goes_no_further_and_is_asked_about_once_a_second() {
    let house = House::open().await;
    for _ in 0..5 {
        refused(
            heard(&house, "Bearer atk_nobody").await,
            Code::Unauthenticated,
            "API_KEY_INVALID",
        );
    }
    assert_eq!((house.keys.asked(), house.calls()), (1, 0));
    house.keys.good.lock().unwrap().push("atk_nobody");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    heard(&house, "Bearer atk_nobody").await.unwrap();
    assert_eq!((house.keys.asked(), house.calls()), (2, 1));
    // One that is longer than any is not asked about.
    let long = format!("Bearer atk_{}", "x".repeat(253));
    refused(
        heard(&house, &long).await,
        Code::Unauthenticated,
        "API_KEY_INVALID",
    );
    assert_eq!(house.keys.asked(), 2);
}

#[tokio::test]
async fn a_page_hears_a_refusal_in_its_own_protocol() {
    let house = House::open().await;
    let message = frame(&tts::ListVoicesRequest {});
    for (content_type, body) in [
        (BINARY, message.clone()),
        (TEXT, text(&message).into_bytes()),
    ] {
        for (key, expected) in [
            (
                "atk_nobody",
                (Code::Unauthenticated, Some("API_KEY_INVALID")),
            ),
            (KEY, (Code::Ok, None)),
        ] {
            let sent = browser()
                .post(format!(
                    "{}/atelier.tts.v1.TtsService/ListVoices",
                    house.url
                ))
                .header("content-type", content_type)
                .header("origin", PAGE)
                .header("authorization", format!("Bearer {key}"))
                .body(body.clone())
                .send();
            let answer = Answer::read(sent.await.unwrap()).await;
            assert_eq!(answer.http, 200);
            assert_eq!(answer.headers["access-control-allow-origin"], PAGE);
            let status = answer.status();
            let reason = reason_of(status);
            assert_eq!(
                (status.code(), reason.as_deref()),
                expected,
                "{content_type}"
            );
        }
    }
}

#[tokio::test]
async fn while_nobody_can_say_the_key_is_not_called_wrong() {
    let house = House::open().await;
    house.keys.away.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        let status = refused(
            key_heard(&house).await,
            Code::Unavailable,
            "API_KEYS_UNAVAILABLE",
        );
        let wait = status.get_details_retry_info().unwrap().retry_delay;
        assert_eq!(wait, Some(Duration::from_secs(1)));
    }
    assert_eq!((house.keys.asked(), house.calls()), (1, 0));
    house.keys.away.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    key_heard(&house).await.unwrap();
}

#[tokio::test]
async fn a_token_is_replaced_before_its_end() {
    let house = House::open().await;
    house.keys.lasts.store(31, Ordering::SeqCst);
    let first = key_heard(&house).await.unwrap();
    assert_eq!(key_heard(&house).await.unwrap(), first);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_ne!(key_heard(&house).await.unwrap(), first);
    assert_eq!(house.keys.asked(), 2);
}

#[tokio::test]
async fn a_revoked_key_is_known_to_be_none_at_the_call_after_its_token_was_refused() {
    let house = House::open().await;
    key_heard(&house).await.unwrap();
    // An error of another kind says nothing about the key.
    let missing = tts::GetConversionRequest {
        conversion_id: "none".into(),
    };
    let missing = with(&format!("Bearer {KEY}"), missing);
    refused(
        house.tts().await.get_conversion(missing).await,
        Code::NotFound,
        "NOT_FOUND",
    );
    key_heard(&house).await.unwrap();
    assert_eq!(house.keys.asked(), 1);

    house.speech.ended.store(true, Ordering::SeqCst);
    house.keys.good.lock().unwrap().clear();
    refused(
        key_heard(&house).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    refused(
        key_heard(&house).await,
        Code::Unauthenticated,
        "API_KEY_INVALID",
    );
    assert_eq!(house.keys.asked(), 2);
}

#[tokio::test]
async fn a_caller_who_leaves_while_he_asks_leaves_nobody_waiting() {
    let house = House::open().await;
    house.keys.stuck.store(true, Ordering::SeqCst);
    let mut hasty = with(&format!("Bearer {KEY}"), tts::ListVoicesRequest {});
    hasty.set_timeout(Duration::from_millis(300));
    let mut client = house.tts().await;
    let hasty = client.list_voices(hasty);
    let patient = async {
        while house.keys.asked() == 0 {
            tokio::task::yield_now().await;
        }
        key_heard(&house).await
    };
    let (hasty, patient) = tokio::join!(hasty, patient);
    assert!(hasty.is_err());
    patient.unwrap();
    assert_eq!(house.keys.asked(), 2);
}

#[tokio::test]
async fn no_key_is_in_the_log() {
    let log = Log::new();
    let house = House::open().await;
    key_heard(&house).await.unwrap();
    heard(&house, "Bearer atk_nobody").await.unwrap_err();
    house.keys.away.store(true, Ordering::SeqCst);
    heard(&house, "Bearer atk_of-bob").await.unwrap_err();
    // The libraries of the test's own client say what they send.
    let text = log.text();
    let own = text.lines().filter(|line| line.contains(" atelier_"));
    let own: Vec<&str> = own.collect();
    assert!(
        own.iter()
            .any(|line| line.contains("an API key cannot be exchanged"))
    );
    assert!(
        own.iter()
            .all(|line| !line.contains("atk_") && !line.contains("eyJ"))
    );
}

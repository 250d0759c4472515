//! Signing in with a provider: how it begins, and that it is completed once by who began it.

use atelier_kit::sql;
use std::time::Duration;

use atelier_proto::users::v1 as pb;
use futures_util::future::join_all;
use serde_json::json;
use tonic::Code;

use crate::desk::{Desk, ana, ana_with, invalid};
use crate::house::{House, bad_field, refused};
use crate::provider::REDIRECT_URI;

#[tokio::test]
async fn without_a_provider_there_is_none_to_sign_in_with() {
    let house = House::new().await;
    let mut client = house.client.clone();
    let told = client
        .list_sign_in_providers(pb::ListSignInProvidersRequest {})
        .await
        .unwrap();
    assert!(told.into_inner().providers.is_empty());
    for provider in ["google", ""] {
        let request = pb::StartSignInRequest {
            provider: provider.into(),
            redirect_uri: REDIRECT_URI.into(),
        };
        let answer = client.start_sign_in(request).await;
        refused(answer, Code::NotFound, "PROVIDER_UNKNOWN");
    }
}

#[tokio::test]
async fn a_provider_is_told_before_it_is_asked_anything() {
    let desk = Desk::new().await;
    let mut client = desk.house.client.clone();
    let told = client
        .list_sign_in_providers(pb::ListSignInProvidersRequest {})
        .await
        .unwrap();
    let told = told.into_inner().providers.remove(0);
    assert_eq!(
        (told.id.as_str(), told.display_name.as_str()),
        ("fake-id", "Fake ID")
    );
    assert_eq!(told.issuer, desk.provider.issuer);
    assert_eq!(desk.provider.asked("/.well-known/openid-configuration"), 0);
}

#[tokio::test]
async fn browsers_are_sent_back_to_where_the_settings_say_alone() {
    let desk = Desk::new().await;
    for good in [REDIRECT_URI, "http://127.0.0.1:54321/back"] {
        let started = desk.start_at(None, "fake-id", good).await.unwrap();
        let (state, code) = desk.provider.authorize(&started.authorization_url, ana());
        let request = pb::CompleteSignInRequest {
            sign_in_token: started.sign_in_token,
            state,
            code,
            ..Default::default()
        };
        desk.complete(&request).await.unwrap();
    }
    for bad in [
        "https://app.example/back/",
        "https://evil.example/back",
        "http://localhost:54321/back",
    ] {
        let answer = desk.start_at(None, "fake-id", bad).await;
        refused(answer, Code::PermissionDenied, "REDIRECT_URI_UNKNOWN");
    }
    for bad in ["", "/back", &format!("https://x/{}", "a".repeat(2048))] {
        bad_field(desk.start_at(None, "fake-id", bad).await, "redirect_uri");
    }
    bad_field(
        desk.start_at(None, &"a".repeat(65), REDIRECT_URI).await,
        "provider",
    );
    let answer = desk.start_at(None, "google", REDIRECT_URI).await;
    refused(answer, Code::NotFound, "PROVIDER_UNKNOWN");
}

#[tokio::test]
async fn a_public_client_and_one_that_writes_its_secret_into_the_form_sign_in_too() {
    let desk = Desk::with(|provider| provider.config_of(None, Duration::from_secs(20))).await;
    desk.sign_in(ana()).await.unwrap();
    let desk = Desk::new().await;
    desk.provider
        .say(json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]}));
    desk.sign_in(ana()).await.unwrap();
    let wrong =
        Desk::with(|provider| provider.config_of(Some("another secret"), Duration::from_secs(20)))
            .await;
    let answer = wrong.sign_in(ana()).await;
    refused(answer, Code::Unauthenticated, "PROVIDER_REFUSED");
}

#[tokio::test]
async fn a_sign_in_is_completed_once_by_who_began_it_with_what_came_back_to_him() {
    let desk = Desk::new().await;
    let mine = desk.go(None, ana()).await;
    let theirs = desk
        .go(None, ana_with(json!({"sub": "2", "email": "eve@x.org"})))
        .await;
    // Somebody's callback fits nobody else's beginning: neither a code that was caught, nor one that is planted.
    let planted = pb::CompleteSignInRequest {
        sign_in_token: mine.sign_in_token.clone(),
        ..theirs.clone()
    };
    invalid(desk.complete(&planted).await);
    for token in ["unknown", &mine.state, &mine.code] {
        let caught = pb::CompleteSignInRequest {
            sign_in_token: token.into(),
            ..mine.clone()
        };
        invalid(desk.complete(&caught).await);
    }
    for (state, code) in [
        ("", mine.code.as_str()),
        ("x", &mine.code),
        (&mine.state, ""),
    ] {
        let half = pb::CompleteSignInRequest {
            state: state.into(),
            code: code.into(),
            ..mine.clone()
        };
        invalid(desk.complete(&half).await);
    }
    assert_eq!(desk.provider.asked("/token"), 0);
    // A code of another trip is refused by the provider, whose verifier is another.
    let mixed = pb::CompleteSignInRequest {
        code: mine.code.clone(),
        ..theirs.clone()
    };
    refused(
        desk.complete(&mixed).await,
        Code::Unauthenticated,
        "PROVIDER_REFUSED",
    );
    let fresh = desk.go(None, ana()).await;
    let done = desk.complete(&fresh).await.unwrap();
    assert!(done.created);
    for _ in 0..2 {
        invalid(desk.complete(&fresh).await);
    }
    assert_eq!(desk.rows().await, (1, 1, 1));
}

#[tokio::test]
async fn a_sign_in_expires_and_its_row_goes() {
    let desk = Desk::with(|provider| atelier_users::Config {
        sweep_every: Duration::from_millis(20),
        ..provider.config()
    })
    .await;
    let request = desk.go(None, ana()).await;
    desk.house.clock.pass(599);
    let just = desk.go(None, ana()).await;
    desk.house.clock.pass(1);
    invalid(desk.complete(&request).await);
    let database = desk.house.database().await;
    atelier_kit::testing::eventually("the expired one is erased", || async {
        let (left,): (i64,) = sql::query_as("SELECT COUNT(*) FROM sign_ins")
            .fetch_one(database.read())
            .await
            .unwrap();
        left == 1
    })
    .await;
    desk.provider.forge(|keys, mut claims| {
        // The hand-moved clock is ahead of the provider's.
        claims["exp"] = json!(claims["exp"].as_u64().unwrap() + 600);
        keys.sign(&claims)
    });
    desk.complete(&just).await.unwrap();
}

#[tokio::test]
async fn of_many_that_complete_at_once_one_does_and_the_code_is_exchanged_once() {
    let desk = Desk::new().await;
    let request = desk.go(None, ana()).await;
    let answers = join_all((0..8).map(|_| desk.complete(&request))).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), desk.provider.asked("/token")), (1, 1));
    for answer in bad {
        invalid(answer);
    }
    assert_eq!(desk.rows().await, (1, 1, 1));
}

#[tokio::test]
async fn nothing_that_signs_in_is_in_the_tables_or_in_a_log_of_the_provider() {
    let desk = Desk::new().await;
    let started = desk.start(None).await.unwrap();
    let url = url::Url::parse(&started.authorization_url).unwrap();
    let said: std::collections::BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    assert!(!started.authorization_url.contains(&started.sign_in_token));
    let (state, code) = desk.provider.authorize(
        &started.authorization_url,
        ana_with(json!({"name": "Ana the Great"})),
    );
    let request = pb::CompleteSignInRequest {
        sign_in_token: started.sign_in_token.clone(),
        state,
        code,
        ..Default::default()
    };
    // The e-mail has an account, so that what the provider said is kept until the password is shown.
    desk.house.register("ana@x.org").await;
    refused(
        desk.complete(&request).await,
        Code::FailedPrecondition,
        "PASSWORD_REQUIRED",
    );
    let kept = desk.house.kept().await;
    let is_kept = |text: &str| kept.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(is_kept(REDIRECT_URI));
    for secret in [
        &started.sign_in_token,
        &said["state"],
        &said["nonce"],
        "Ana the Great",
    ] {
        assert!(!is_kept(secret), "{secret}");
    }
}

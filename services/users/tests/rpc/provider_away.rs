//! A provider that misbehaves: it keeps nobody waiting, is followed nowhere, and costs no more than a sign-in.

use std::time::Duration;

use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::desk::{Desk, ana, invalid};
use crate::house::refused;
use crate::provider::{Trouble, merge};

#[track_caller]
fn away<T>(answer: Result<T, Status>) {
    refused(answer, Code::Unavailable, "PROVIDER_AWAY");
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_and_asked_again_later() {
    let desk = Desk::with(|provider| provider.config_of(None, Duration::from_millis(500))).await;
    let issuer = desk.provider.issuer.clone();
    let bad_document = |change: Value| {
        let mut document = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
        });
        merge(&mut document, change);
        Trouble::Says(document.to_string())
    };
    let path = "/.well-known/openid-configuration";
    for trouble in [
        Trouble::Hangs,
        Trouble::Huge,
        Trouble::Redirects,
        Trouble::Status(500, json!({})),
        Trouble::Status(404, json!({})),
        Trouble::Says("<html>".into()),
        bad_document(json!({"issuer": format!("{issuer}/")})),
        bad_document(json!({"issuer": "https://accounts.google.com"})),
        bad_document(json!({"token_endpoint": null})),
        bad_document(json!({"token_endpoint": "http://provider.example/token"})),
        bad_document(json!({"jwks_uri": "file:///etc/passwd"})),
    ] {
        desk.provider.trouble(path, trouble);
        away(desk.start(None).await);
        let asked = desk.provider.asked(path);
        // Whoever comes in the same second does not ask again.
        away(desk.start(None).await);
        assert_eq!(desk.provider.asked(path), asked);
        desk.house.clock.pass(1);
    }
    desk.provider.behave();
    desk.sign_in(ana()).await.unwrap();
    assert_eq!(
        desk.provider
            .asked("/elsewhere/.well-known/openid-configuration"),
        0
    );
}

#[tokio::test]
async fn keys_that_cannot_be_had_cost_no_code() {
    let desk = Desk::with(|provider| provider.config_of(None, Duration::from_millis(500))).await;
    let request = desk.go(None, ana()).await;
    for trouble in [Trouble::Hangs, Trouble::Huge, Trouble::Says("{}".into())] {
        desk.provider.trouble("/keys", trouble);
        away(desk.complete(&request).await);
        desk.house.clock.pass(1);
    }
    desk.provider.behave();
    desk.complete(&request).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_breaks_off_at_the_code_is_away_and_one_that_does_not_know_it_refuses() {
    let desk = Desk::with(|provider| provider.config_of(None, Duration::from_millis(500))).await;
    for (trouble, reason) in [
        (Trouble::Hangs, "PROVIDER_AWAY"),
        (Trouble::Huge, "PROVIDER_AWAY"),
        (Trouble::Redirects, "PROVIDER_AWAY"),
        (
            Trouble::Status(503, json!({"error": "invalid_grant"})),
            "PROVIDER_AWAY",
        ),
        (Trouble::Says("<html>".into()), "PROVIDER_AWAY"),
        (
            Trouble::Status(400, json!({"error": "invalid_grant"})),
            "PROVIDER_REFUSED",
        ),
        (
            Trouble::Status(401, json!({"error": "invalid_client"})),
            "PROVIDER_REFUSED",
        ),
        (
            Trouble::Says(json!({"access_token": "a", "token_type": "Bearer"}).to_string()),
            "PROVIDER_REFUSED",
        ),
    ] {
        let request = desk.go(None, ana()).await;
        desk.provider.trouble("/token", trouble.clone());
        let status = desk.complete(&request).await.unwrap_err();
        assert_eq!(
            atelier_kit::fault::reason_of(&status).as_deref(),
            Some(reason),
            "{trouble:?}"
        );
        desk.provider.behave();
        // The code was taken there, and is not taken there again.
        invalid(desk.complete(&request).await);
    }
    assert_eq!(desk.provider.asked("/elsewhere/token"), 0);
    assert_eq!(desk.rows().await, (0, 0, 0));
}

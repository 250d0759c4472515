//! What a provider says of who came back: what holds, what does not, and the keys it is signed with.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tonic::Code;

use crate::desk::{Desk, ana, ana_with, invalid};
use crate::house::refused;
use crate::provider::{Forge, Key, merge};

#[tokio::test]
async fn what_the_provider_signed_for_another_or_not_at_all_does_not_hold() {
    let desk = Desk::new().await;
    let stranger = Key::new("one");
    let nameless = Key::new("another");
    let with = |change: Value| -> Forge {
        Box::new(move |keys, mut claims| {
            merge(&mut claims, change.clone());
            keys.sign(&claims)
        })
    };
    let part = |value: &Value| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let now = jsonwebtoken::get_current_timestamp();
    let wrong: Vec<(&str, Forge)> = vec![
        ("no token", Box::new(|_, _| String::new())),
        ("garbage", Box::new(|_, _| "a.b.c".into())),
        (
            "alg none",
            Box::new(move |_, claims| {
                format!(
                    "{}.{}.",
                    part(&json!({"alg": "none", "kid": "one"})),
                    part(&claims)
                )
            }),
        ),
        (
            "HS256 with the public key",
            Box::new(|keys, claims| {
                let public = keys.0[0].public.to_string();
                let key = EncodingKey::from_secret(public.as_bytes());
                let header = Header {
                    kid: Some("one".into()),
                    ..Header::new(Algorithm::HS256)
                };
                jsonwebtoken::encode(&header, &claims, &key).unwrap()
            }),
        ),
        (
            "HS256 with a secret that is published",
            Box::new(|_, claims| {
                let key = EncodingKey::from_secret(b"secret");
                let header = Header {
                    kid: Some("shared".into()),
                    ..Header::new(Algorithm::HS256)
                };
                jsonwebtoken::encode(&header, &claims, &key).unwrap()
            }),
        ),
        (
            "a stranger's key of the same name",
            Box::new(move |_, claims| stranger.sign(&claims)),
        ),
        (
            "a key that is not published",
            Box::new(move |_, claims| nameless.sign(&claims)),
        ),
        (
            "tampered",
            Box::new(move |keys, mut claims| {
                let good = keys.sign(&claims);
                claims["sub"] = json!("2");
                let parts: Vec<&str> = good.split('.').collect();
                format!("{}.{}.{}", parts[0], part(&claims), parts[2])
            }),
        ),
        (
            "an extension that must be understood",
            Box::new(|keys, claims| {
                let header = Header {
                    kid: Some("one".into()),
                    crit: Some(vec!["b64".into()]),
                    ..Header::new(Algorithm::ES256)
                };
                jsonwebtoken::encode(&header, &claims, &keys.0[0].secret).unwrap()
            }),
        ),
        (
            "another issuer",
            with(json!({"iss": "https://evil.example"})),
        ),
        (
            "several issuers",
            with(json!({"iss": [desk.provider.issuer]})),
        ),
        ("no issuer", with(json!({"iss": null}))),
        ("another audience", with(json!({"aud": "another"}))),
        ("no audience", with(json!({"aud": null}))),
        ("an empty audience", with(json!({"aud": []}))),
        (
            "several audiences",
            with(json!({"aud": ["atelier-test", "another"]})),
        ),
        ("another azp", with(json!({"azp": "another"}))),
        (
            "several audiences, another azp",
            with(json!({"aud": ["atelier-test", "another"], "azp": "another"})),
        ),
        ("another nonce", with(json!({"nonce": "another"}))),
        ("no nonce", with(json!({"nonce": null}))),
        ("expired", with(json!({"exp": now - 61}))),
        (
            "exp as a text",
            with(json!({"exp": (now + 300).to_string()})),
        ),
        ("no exp", with(json!({"exp": null}))),
        ("from the future", with(json!({"iat": now + 600}))),
        ("no iat", with(json!({"iat": null}))),
        ("an empty subject", with(json!({"sub": ""}))),
        ("a long subject", with(json!({"sub": "x".repeat(256)}))),
        ("no subject", with(json!({"sub": null}))),
        ("a number as subject", with(json!({"sub": 1}))),
    ];
    for (name, forge) in wrong {
        desk.provider.forge(forge);
        let request = desk.go(None, ana()).await;
        let answer = desk.complete(&request).await;
        let status = answer.expect_err(name);
        assert_eq!(
            atelier_kit::fault::reason_of(&status).as_deref(),
            Some("PROVIDER_REFUSED"),
            "{name}: {status:?}"
        );
        // Its code is spent: nothing more comes of it.
        invalid(desk.complete(&request).await);
    }
    assert_eq!(desk.rows().await, (0, 0, 0));
}

#[tokio::test]
async fn what_holds_may_be_written_in_other_ways() {
    let desk = Desk::new().await;
    let now = jsonwebtoken::get_current_timestamp();
    for change in [
        json!({"aud": ["atelier-test"]}),
        json!({"aud": ["atelier-test", "another"], "azp": "atelier-test"}),
        json!({"exp": now - 30}),
        json!({"iat": now + 30}),
        json!({"exp": now as f64 + 300.5}),
        json!({"email_verified": "true"}),
        json!({"sub": "x".repeat(255), "email": "long@x.org"}),
    ] {
        let answer = desk.sign_in(ana_with(change.clone())).await;
        let user = answer.unwrap_or_else(|status| panic!("{change}: {status:?}"));
        assert!(user.user.unwrap().email_verified);
    }
    // A key set of one signing key needs no names.
    desk.provider.forge(|keys, claims| {
        let header = Header::new(Algorithm::ES256);
        jsonwebtoken::encode(&header, &claims, &keys.0[0].secret).unwrap()
    });
    desk.sign_in(ana()).await.unwrap();
    assert_eq!(desk.rows().await.0, 2);
}

#[tokio::test]
async fn a_new_key_is_fetched_when_it_signs_and_at_most_once_a_minute() {
    let desk = Desk::new().await;
    desk.sign_in(ana()).await.unwrap();
    assert_eq!(desk.provider.asked("/keys"), 1);
    desk.sign_in(ana()).await.unwrap();
    assert_eq!(desk.provider.asked("/keys"), 1);
    desk.house.clock.pass(60);
    desk.provider.rotate("two", false);
    desk.sign_in(ana()).await.unwrap();
    assert_eq!(desk.provider.asked("/keys"), 2);
    // Whoever signs with keys that are not there makes nobody fetch them again and again.
    let stranger = Key::new("three");
    desk.provider.forge(move |_, claims| stranger.sign(&claims));
    for _ in 0..3 {
        let answer = desk.sign_in(ana()).await;
        refused(answer, Code::Unauthenticated, "PROVIDER_REFUSED");
    }
    assert_eq!(desk.provider.asked("/keys"), 2);
    assert_eq!(desk.provider.asked("/.well-known/openid-configuration"), 1);
    // A key that was withdrawn signs for an hour at the most.
    desk.provider.rotate("four", true);
    desk.provider.forge(|keys, mut claims| {
        claims["exp"] = json!(claims["exp"].as_u64().unwrap() + 4000);
        keys.sign(&claims)
    });
    desk.house.clock.pass(3600);
    desk.sign_in(ana()).await.unwrap();
    assert_eq!(desk.provider.asked("/keys"), 3);
    assert_eq!(desk.provider.asked("/.well-known/openid-configuration"), 2);
}

#[tokio::test]
async fn an_email_that_the_token_does_not_tell_is_asked_for() {
    let desk = Desk::new().await;
    let bare = |userinfo: Value| json!({"sub": "1", "userinfo": userinfo});
    let told = json!({"sub": "1", "email": "ana@x.org", "email_verified": true, "name": "Ana"});
    for (userinfo, code, reason) in [
        (
            json!({"sub": "1"}),
            Code::FailedPrecondition,
            "EMAIL_MISSING",
        ),
        (
            json!({"sub": "2", "email": "eve@x.org", "email_verified": true}),
            Code::FailedPrecondition,
            "EMAIL_MISSING",
        ),
        (
            json!({"sub": "1", "email": "no e-mail", "email_verified": true}),
            Code::FailedPrecondition,
            "EMAIL_MISSING",
        ),
        (
            json!({"email": "ana@x.org"}),
            Code::Unavailable,
            "PROVIDER_AWAY",
        ),
    ] {
        refused(desk.sign_in(bare(userinfo)).await, code, reason);
    }
    let user = desk.sign_in(bare(told)).await.unwrap().user.unwrap();
    assert_eq!(
        (user.email.as_str(), user.display_name.as_str()),
        ("ana@x.org", "Ana")
    );
    assert!(user.email_verified);
    // Who is known needs no e-mail.
    let again = desk.sign_in(bare(json!({"sub": "1"}))).await.unwrap();
    assert_eq!(again.user.unwrap().id, user.id);
}

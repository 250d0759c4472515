//! Linking and unlinking by the account itself, and accounts that have no password.

use atelier_kit::sql;
use std::sync::atomic::Ordering;

use atelier_proto::users::v1 as pb;
use serde_json::json;
use tonic::Code;

use crate::desk::{Desk, ana, with_password};
use crate::emails::{ask_reset, reset};
use crate::house::{PASSWORD, bad_field, by, refused};

const EMAIL: &str = "ana@x.org";

#[tokio::test]
async fn an_account_links_who_came_back_to_it_and_nobody_elses() {
    let desk = Desk::new().await;
    let (user, tokens) = desk.house.register(EMAIL).await;
    let (_, others) = desk.house.register("bob@x.org").await;
    let claims = json!({"sub": "7", "email": "ana@work.example", "email_verified": true});
    let request = desk.go(Some(&tokens), claims.clone()).await;
    for answer in [
        desk.link_with(&others, &request).await.map(drop),
        desk.complete(&request).await.map(drop),
        desk.link_with(&tokens, &desk.go(None, claims.clone()).await)
            .await
            .map(drop),
    ] {
        refused(answer, Code::Unauthenticated, "SIGN_IN_INVALID");
    }
    let linked = desk.link_with(&tokens, &request).await.unwrap();
    let linked_id = linked.id.clone();
    assert_eq!(linked.email, "ana@work.example");
    assert_eq!(desk.identities(&tokens).await, [linked]);
    // Linking the same again changes nothing, and signing in with it leads here.
    assert_eq!(
        desk.link(&tokens, claims.clone()).await.unwrap().id,
        linked_id
    );
    let entered = desk.sign_in(claims.clone()).await.unwrap();
    assert_eq!(entered.user.unwrap().id, user.id);
    refused(
        desk.link(&others, claims).await,
        Code::AlreadyExists,
        "IDENTITY_TAKEN",
    );
    refused(
        desk.link(&tokens, json!({"sub": "8"})).await,
        Code::AlreadyExists,
        "PROVIDER_LINKED",
    );
    // No e-mail is needed for it.
    let nameless = desk.link(&others, json!({"sub": "8"})).await.unwrap();
    assert_eq!(nameless.email, "");
    let request = pb::CompleteSignInRequest::default();
    bad_field(desk.link_with(&tokens, &request).await, "sign_in_token");
}

#[tokio::test]
async fn unlinking_ends_the_other_sessions_and_leaves_a_way_in() {
    let desk = Desk::new().await;
    let entered = desk.sign_in(ana()).await.unwrap();
    let tokens = entered.tokens.unwrap();
    let id = desk.identities(&tokens).await.remove(0).id;
    refused(
        desk.unlink(&tokens, &id).await,
        Code::FailedPrecondition,
        "LAST_SIGN_IN",
    );
    assert_eq!(desk.identities(&tokens).await.len(), 1);
    ask_reset(&desk.house, EMAIL).await;
    let token = desk.house.token(EMAIL, 1).await;
    reset(&desk.house, &token, PASSWORD).await.unwrap();
    let here = desk
        .house
        .login(EMAIL, PASSWORD)
        .await
        .unwrap()
        .tokens
        .unwrap();
    let there = desk.sign_in(ana()).await.unwrap().tokens.unwrap();
    let (_, others) = desk.house.register("bob@x.org").await;
    for (tokens, id) in [(&others, id.as_str()), (&here, "unknown")] {
        refused(desk.unlink(tokens, id).await, Code::NotFound, "NOT_FOUND");
    }
    assert_eq!(desk.unlink(&here, &id).await.unwrap(), 1);
    desk.house.me(&here).await.unwrap();
    let answer = desk.house.me(&there).await;
    refused(answer, Code::Unauthenticated, "SESSION_ENDED");
    refused(desk.unlink(&here, &id).await, Code::NotFound, "NOT_FOUND");
    assert_eq!(desk.acts().await.last().unwrap(), "identity.unlinked");
    let (told,): (i64,) = sql::query_as(
        "SELECT COUNT(*) FROM revocations r JOIN sessions s ON s.id = r.session_id WHERE s.revoke_time IS NOT NULL",
    )
    .fetch_one(desk.house.database().await.read())
    .await
    .unwrap();
    // The reset ended one, and unlinking another.
    assert_eq!(told, 2);
    for id in ["", &"x".repeat(65)] {
        bad_field(desk.unlink(&here, id).await, "identity_id");
    }
}

#[tokio::test]
async fn an_account_without_a_password_is_told_to_set_one_and_no_login_gets_into_it() {
    let desk = Desk::new().await;
    let tokens = desk.sign_in(ana()).await.unwrap().tokens.unwrap();
    let mut client = desk.house.client.clone();
    let password = || PASSWORD.to_owned();
    let change = pb::ChangePasswordRequest {
        current_password: password(),
        new_password: password(),
    };
    let enroll = pb::EnrollTotpRequest {
        password: password(),
    };
    let disable = pb::DisableTotpRequest {
        password: password(),
        code: "123456".into(),
    };
    let renew = pb::RenewRecoveryCodesRequest {
        password: password(),
    };
    let email = pb::RequestEmailChangeRequest {
        new_email: "ana@y.org".into(),
        password: password(),
    };
    for answer in [
        client.change_password(by(&tokens, change)).await.map(drop),
        client.enroll_totp(by(&tokens, enroll)).await.map(drop),
        client.disable_totp(by(&tokens, disable)).await.map(drop),
        client
            .renew_recovery_codes(by(&tokens, renew))
            .await
            .map(drop),
        client
            .request_email_change(by(&tokens, email))
            .await
            .map(drop),
    ] {
        let status = refused(answer, Code::FailedPrecondition, "NO_PASSWORD");
        assert!(status.message().contains("RequestPasswordReset"));
    }
    // As a wrong password, and at its cost.
    let counted = || desk.house.passwords.verified.load(Ordering::SeqCst);
    for password in ["x", PASSWORD] {
        let before = counted();
        let answer = desk.house.login(EMAIL, password).await;
        refused(answer, Code::Unauthenticated, "INVALID_CREDENTIALS");
        assert_eq!(counted() - before, 1);
    }
    // Nor does a password get into it on the way of another provider's person.
    let request = desk.go(None, json!({"sub": "2", "email": EMAIL})).await;
    let answer = desk.complete(&with_password(&request, "x")).await;
    refused(answer, Code::Unauthenticated, "SIGN_IN_INVALID");
    desk.complete(&request).await.unwrap_err();
    let answer = desk.complete(&with_password(&request, "x")).await;
    refused(answer, Code::Unauthenticated, "INVALID_CREDENTIALS");
    ask_reset(&desk.house, EMAIL).await;
    let token = desk.house.token(EMAIL, 1).await;
    reset(&desk.house, &token, PASSWORD).await.unwrap();
    desk.house.login(EMAIL, PASSWORD).await.unwrap();
    desk.sign_in(ana()).await.unwrap();
}

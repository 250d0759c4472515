//! Identities: who gets into which account with what a provider says.

use crate::house::WriteTo as _;
use atelier_kit::sql;
use std::sync::atomic::Ordering;

use atelier_proto::users::v1 as pb;
use serde_json::json;
use tonic::Code;

use crate::desk::{Desk, ana, ana_with, with_password};
use crate::emails::{ask_reset, confirm, reset};
use crate::exporting::export;
use crate::house::{PASSWORD, by, refused};

const EMAIL: &str = "ana@x.org";

#[tokio::test]
async fn somebody_new_gets_an_account_and_the_same_one_ever_after() {
    let desk = Desk::new().await;
    let name = "Ä".repeat(101);
    let first = desk.sign_in(ana_with(json!({"name": name}))).await.unwrap();
    let (user, tokens) = (first.user.unwrap(), first.tokens.unwrap());
    assert!(first.created && user.email_verified);
    assert_eq!(user.email, EMAIL);
    assert_eq!(user.display_name, "Ä".repeat(100));
    assert_eq!(user.role, i32::from(pb::Role::User));
    assert_eq!(desk.house.me(&tokens).await.unwrap(), user);
    assert_eq!(desk.acts().await, ["account.created", "identity.linked"]);
    let linked = desk.identities(&tokens).await;
    assert_eq!((linked[0].email.as_str(), linked.len()), (EMAIL, 1));
    assert_eq!(linked[0].issuer, desk.provider.issuer);
    desk.house.clock.pass(60);
    // Whatever the e-mails say by now, also when it is another account's.
    desk.house.register("bob@x.org").await;
    let change = json!({"email": "bob@x.org", "email_verified": true});
    let again = desk.sign_in(ana_with(change)).await.unwrap();
    assert!(!again.created);
    assert_eq!(again.user.unwrap(), user);
    let now = desk.identities(&tokens).await.remove(0);
    assert_eq!(now.email, "bob@x.org");
    assert_eq!(now.create_time, linked[0].create_time);
    assert_eq!(
        now.last_use_time.unwrap().seconds - now.create_time.unwrap().seconds,
        60
    );
    // Both sessions live, and are sessions like any other.
    assert_eq!(desk.house.sessions(&tokens).await.len(), 2);
    desk.house.refresh(&tokens.refresh_token).await.unwrap();
}

#[tokio::test]
async fn an_email_that_the_provider_has_not_verified_is_verified_by_mail() {
    let desk = Desk::new().await;
    for no in [
        json!(false),
        json!("false"),
        json!(null),
        json!(1),
        json!("yes"),
    ] {
        let desk = Desk::new().await;
        let claims = ana_with(json!({"email_verified": no}));
        let user = desk.sign_in(claims).await.unwrap().user.unwrap();
        assert!(!user.email_verified, "{no}");
    }
    let claims = ana_with(json!({"email_verified": false}));
    let tokens = desk.sign_in(claims).await.unwrap().tokens.unwrap();
    let token = desk.house.token(EMAIL, 1).await;
    confirm(&desk.house, &token).await.unwrap();
    assert!(desk.house.me(&tokens).await.unwrap().email_verified);
}

#[tokio::test]
async fn the_account_of_an_email_is_entered_when_both_sides_have_verified_it() {
    let desk = Desk::new().await;
    let (user, tokens) = desk.verified(EMAIL).await;
    let entered = desk.sign_in(ana()).await.unwrap();
    assert_eq!(
        (entered.user.unwrap().id, entered.created),
        (user.id, false)
    );
    assert_eq!(desk.identities(&tokens).await.len(), 1);
    assert_eq!(desk.acts().await, ["email.verified", "identity.linked"]);
    // The password still holds.
    desk.house.login(EMAIL, PASSWORD).await.unwrap();
    // Another person of the same provider is not let in by the e-mail.
    let other = desk.sign_in(ana_with(json!({"sub": "2"}))).await;
    refused(other, Code::AlreadyExists, "PROVIDER_LINKED");
}

#[tokio::test]
async fn otherwise_the_password_is_asked_for_and_the_sign_in_goes_on_with_it() {
    for (here, there) in [(false, true), (true, false), (false, false)] {
        let desk = Desk::new().await;
        let (user, _) = if here {
            desk.verified(EMAIL).await
        } else {
            desk.house.register(EMAIL).await
        };
        let claims = ana_with(json!({"email_verified": there}));
        let request = desk.go(None, claims).await;
        for _ in 0..2 {
            refused(
                desk.complete(&request).await,
                Code::FailedPrecondition,
                "PASSWORD_REQUIRED",
            );
        }
        refused(
            desk.complete(&with_password(&request, "wrong horse")).await,
            Code::Unauthenticated,
            "INVALID_CREDENTIALS",
        );
        let entered = desk
            .complete(&with_password(&request, PASSWORD))
            .await
            .unwrap();
        assert_eq!(entered.user.unwrap().id, user.id);
        assert_eq!(desk.provider.asked("/token"), 1);
        refused(
            desk.complete(&with_password(&request, PASSWORD)).await,
            Code::Unauthenticated,
            "SIGN_IN_INVALID",
        );
        // From now on without it.
        let claims = ana_with(json!({"email_verified": there}));
        assert_eq!(
            desk.sign_in(claims).await.unwrap().user.unwrap().id,
            user.id
        );
    }
}

#[tokio::test]
async fn passwords_are_tried_there_no_more_often_than_at_login() {
    let desk = Desk::new().await;
    desk.house.register(EMAIL).await;
    let request = desk.go(None, ana()).await;
    let wrong = with_password(&request, "wrong horse");
    desk.complete(&request).await.unwrap_err();
    for _ in 0..3 {
        let answer = desk.complete(&wrong).await;
        refused(answer, Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
    for _ in 0..2 {
        let answer = desk.house.login(EMAIL, "wrong horse").await;
        refused(answer, Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
    let right = with_password(&request, PASSWORD);
    for answer in [desk.complete(&right).await, desk.complete(&wrong).await] {
        refused(answer, Code::ResourceExhausted, "TOO_MANY_ATTEMPTS");
    }
    desk.house.clock.pass(2);
    desk.complete(&right).await.unwrap();
    // And that forgives, as at login.
    let answer = desk.house.login(EMAIL, "wrong horse").await;
    refused(answer, Code::Unauthenticated, "INVALID_CREDENTIALS");
    desk.house.login(EMAIL, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn who_made_an_account_of_an_email_that_is_not_his_is_out_when_its_reader_resets_the_password()
 {
    let desk = Desk::new().await;
    let eve = json!({"sub": "eve", "email": "eve@x.org", "email_verified": true});
    let (user, hers) = desk.house.register(EMAIL).await;
    desk.link(&hers, eve.clone()).await.unwrap();
    // The e-mail's reader comes with a provider, and is not let into what somebody else has prepared.
    let answer = desk.sign_in(ana_with(json!({"sub": "ana"}))).await;
    refused(answer, Code::FailedPrecondition, "PASSWORD_REQUIRED");
    // The verification was the first mail.
    desk.house.mails(EMAIL, 1).await;
    ask_reset(&desk.house, EMAIL).await;
    let token = desk.house.token(EMAIL, 2).await;
    reset(&desk.house, &token, "battery staple").await.unwrap();
    // Whoever made it has neither password nor session nor identity there any more.
    let answer = desk.house.login(EMAIL, PASSWORD).await;
    refused(answer, Code::Unauthenticated, "INVALID_CREDENTIALS");
    let answer = desk.house.me(&hers).await;
    refused(answer, Code::Unauthenticated, "SESSION_ENDED");
    let other = desk.sign_in(eve).await.unwrap();
    assert!(other.created && other.user.unwrap().id != user.id);
    let entered = desk.sign_in(ana_with(json!({"sub": "ana"}))).await.unwrap();
    let (mine, tokens) = (entered.user.unwrap(), entered.tokens.unwrap());
    assert_eq!((mine.id, mine.email_verified), (user.id, true));
    // A reset of an e-mail that was verified leaves them.
    desk.house.clock.pass(60);
    ask_reset(&desk.house, EMAIL).await;
    let token = desk.house.token(EMAIL, 3).await;
    reset(&desk.house, &token, PASSWORD).await.unwrap();
    refused(
        desk.house.me(&tokens).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    let again = desk.sign_in(ana_with(json!({"sub": "ana"}))).await.unwrap();
    let tokens = again.tokens.unwrap();
    let identities = desk.identities(&tokens).await;
    assert_eq!(identities.len(), 1);
    // And it is among what is taken along; that nobody else tells anything here is nothing to it.
    let (files, _, _) = export(&desk.house, &tokens).await;
    let told: serde_json::Value = serde_json::from_str(&files["users/identities.json"]).unwrap();
    assert_eq!(told["identities"][0]["issuer"], *identities[0].issuer);
    assert_eq!(told["identities"][0]["email"], *identities[0].email);
}

#[tokio::test]
async fn an_anonymous_account_is_the_one_that_is_made() {
    let desk = Desk::new().await;
    let (before, old) = desk.house.anonymous().await;
    let request = desk.go(Some(&old), ana()).await;
    let done = desk.complete(&request).await.unwrap();
    let user = done.user.unwrap();
    assert_eq!((&user.id, done.created), (&before.id, true));
    assert_eq!(user.create_time, before.create_time);
    assert!(user.email_verified);
    let answer = desk.house.me(&old).await;
    refused(answer, Code::Unauthenticated, "SESSION_ENDED");
    // Where there is an account already, the anonymous one stays what it is.
    let (other, tokens) = desk.house.anonymous().await;
    let request = desk.go(Some(&tokens), ana()).await;
    let done = desk.complete(&request).await.unwrap();
    assert_eq!((done.user.unwrap().id, done.created), (user.id, false));
    assert_eq!(desk.house.me(&tokens).await.unwrap(), other);
    // One that has registered meanwhile is made by no provider.
    let request = desk
        .go(Some(&tokens), json!({"sub": "3", "email": "carl@x.org"}))
        .await;
    let register = pb::RegisterRequest {
        email: "bob@x.org".into(),
        password: PASSWORD.into(),
        ..Default::default()
    };
    let mut client = desk.house.client.clone();
    client.register(by(&tokens, register)).await.unwrap();
    let answer = desk.complete(&request).await;
    refused(answer, Code::Unauthenticated, "SIGN_IN_INVALID");
    let login = desk.house.login("bob@x.org", PASSWORD).await.unwrap();
    assert_eq!(login.user.unwrap().id, other.id);
}

#[tokio::test]
async fn the_second_factor_is_asked_for_whichever_way_an_account_is_entered() {
    let desk = Desk::new().await;
    let (_, tokens) = desk.verified(EMAIL).await;
    let secret = desk.enroll(&tokens).await;
    // Both sides have verified the e-mail; then he is known.
    for round in 0..2 {
        let request = desk.go(None, ana()).await;
        let code = desk.code(&secret);
        let shown = |code: &str| pb::CompleteSignInRequest {
            second_factor: code.into(),
            ..request.clone()
        };
        let answer = desk.complete(&request).await;
        refused(answer, Code::Unauthenticated, "SECOND_FACTOR_REQUIRED");
        let answer = desk.complete(&shown("ABCD-EFGH-IJKL-MNOP")).await;
        refused(answer, Code::Unauthenticated, "WRONG_CODE");
        assert_eq!(desk.identities(&tokens).await.len(), round);
        desk.complete(&shown(&code)).await.unwrap();
        desk.house.clock.pass(30);
    }
    // With the password, when the provider has not verified it.
    let claims = json!({"sub": "2", "email": EMAIL});
    let id = desk.identities(&tokens).await.remove(0).id;
    desk.unlink(&tokens, &id).await.unwrap();
    let request = desk.go(None, claims).await;
    let shown = pb::CompleteSignInRequest {
        password: PASSWORD.into(),
        ..request.clone()
    };
    let answer = desk.complete(&shown).await;
    refused(answer, Code::Unauthenticated, "SECOND_FACTOR_REQUIRED");
    let shown = pb::CompleteSignInRequest {
        second_factor: desk.code(&secret),
        ..shown
    };
    desk.complete(&shown).await.unwrap();
    // Wrong codes are counted wherever they are shown: two above, and three here.
    desk.house.clock.pass(30);
    for _ in 0..3 {
        let request = pb::LoginRequest {
            email: EMAIL.into(),
            password: PASSWORD.into(),
            second_factor: "ABCD-EFGH-IJKL-MNOP".into(),
        };
        let answer = desk.house.client.clone().login(request).await;
        refused(answer, Code::Unauthenticated, "WRONG_CODE");
    }
    let request = desk.go(None, json!({"sub": "2", "email": EMAIL})).await;
    let shown = pb::CompleteSignInRequest {
        second_factor: desk.code(&secret),
        ..request
    };
    let answer = desk.complete(&shown).await;
    refused(answer, Code::ResourceExhausted, "TOO_MANY_ATTEMPTS");
}

#[tokio::test]
async fn a_factor_or_a_password_that_came_while_a_password_was_verified_keeps_him_out() {
    let desk = Desk::new().await;
    let (_, tokens) = desk.house.register(EMAIL).await;
    let request = desk.go(None, ana()).await;
    desk.complete(&request).await.unwrap_err();
    let verified = || desk.house.passwords.verified.load(Ordering::SeqCst);
    let before = verified();
    let held = desk.house.passwords.hold.write().await;
    let shown = with_password(&request, PASSWORD);
    let late = desk.complete(&shown);
    let changed = async {
        while verified() == before {
            tokio::task::yield_now().await;
        }
        sql::query("UPDATE users SET password_hash = 'another'")
            .write_to(&desk.house.database().await)
            .await
            .unwrap();
        drop(held);
    };
    let (late, ()) = tokio::join!(late, changed);
    refused(late, Code::FailedPrecondition, "PASSWORD_REQUIRED");
    assert!(desk.identities(&tokens).await.is_empty());
}

#[tokio::test]
async fn of_a_registration_and_a_sign_in_at_once_one_makes_the_account() {
    let desk = Desk::new().await;
    for round in 0..6 {
        let email = format!("ana{round}@x.org");
        let claims = ana_with(json!({"sub": email, "email": email}));
        let request = desk.go(None, claims).await;
        let register = pb::RegisterRequest {
            email: email.clone(),
            password: PASSWORD.into(),
            ..Default::default()
        };
        let mut client = desk.house.client.clone();
        let (registered, signed_in) =
            tokio::join!(client.register(register), desk.complete(&request));
        match (registered, signed_in) {
            (Ok(_), signed_in) => {
                refused(signed_in, Code::FailedPrecondition, "PASSWORD_REQUIRED");
            }
            (registered, signed_in) => {
                refused(registered, Code::AlreadyExists, "EMAIL_TAKEN");
                assert!(signed_in.unwrap().created);
            }
        }
    }
    let (accounts, strays): (i64, i64) = sql::query_as(
        "SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM users u WHERE u.password_hash = '' \
         AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id))",
    )
    .fetch_one(desk.house.database().await.read())
    .await
    .unwrap();
    assert_eq!((accounts, strays), (6, 0));
}

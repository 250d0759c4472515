//! Registering, signing in, and what an account changes of itself.

use crate::house::WriteTo as _;
use atelier_kit::sql;
use std::sync::atomic::Ordering::SeqCst;

use atelier_proto::users::v1 as pb;
use prost_types::FieldMask;
use tonic::Code;

use crate::house::{House, PASSWORD, bad_field, by, refused};

fn registration(email: &str, password: &str) -> pb::RegisterRequest {
    pb::RegisterRequest {
        email: email.into(),
        password: password.into(),
        display_name: "Ana".into(),
    }
}

#[tokio::test]
async fn an_account_is_made_signed_in_and_found_again() {
    let house = House::new().await;
    let request = registration("Ana@Example.org", PASSWORD);
    let answer = house
        .client
        .clone()
        .register(request)
        .await
        .unwrap()
        .into_inner();
    let (user, tokens) = (answer.user.unwrap(), answer.tokens.unwrap());
    assert_eq!(user.email, "ana@example.org");
    assert_eq!(user.role(), pb::Role::User);
    assert_eq!(house.me(&tokens).await.unwrap(), user);
    let again = house.login("ANA@example.ORG", PASSWORD).await.unwrap();
    assert_eq!(again.user.unwrap(), user);
    assert_ne!(again.tokens.unwrap().refresh_token, tokens.refresh_token);
    assert_eq!(house.sessions(&tokens).await.len(), 2);
}

#[tokio::test]
async fn a_registration_that_breaks_a_rule_names_the_field_and_leaves_nothing() {
    let house = House::new().await;
    let mut client = house.client.clone();
    for email in [
        "",
        "ana",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        "a@b\n",
        &format!("{}@x", "a".repeat(253)),
    ] {
        bad_field(
            client.register(registration(email, PASSWORD)).await,
            "email",
        );
    }
    for password in ["", "seven77", &"x".repeat(257)] {
        bad_field(
            client.register(registration("a@b", password)).await,
            "password",
        );
    }
    let mut long = registration("a@b", PASSWORD);
    long.display_name = "é".repeat(101);
    bad_field(client.register(long).await, "display_name");
    let huge = registration("a@b", &"x".repeat(10_000_000));
    refused(
        client.register(huge).await,
        Code::ResourceExhausted,
        "MESSAGE_TOO_LARGE",
    );
    assert_eq!(house.passwords.hashed.load(SeqCst), 0);
    let (users,): (i64,) = sql::query_as("SELECT COUNT(*) FROM users")
        .fetch_one(house.database().await.read())
        .await
        .unwrap();
    assert_eq!(users, 0);
}

#[tokio::test]
async fn the_longest_allowed_values_are_taken() {
    let house = House::new().await;
    let email = format!("{}@x", "a".repeat(252));
    // 256 characters of three bytes each.
    let password = "☃".repeat(256);
    let mut request = registration(&email, &password);
    request.display_name = "é".repeat(100);
    let user = house
        .client
        .clone()
        .register(request)
        .await
        .unwrap()
        .into_inner()
        .user
        .unwrap();
    assert_eq!(user.display_name.chars().count(), 100);
    house.login(&email, &password).await.unwrap();
}

#[tokio::test]
async fn of_many_who_register_one_email_at_once_one_gets_it() {
    let house = House::new().await;
    let calls = [
        "ana@x.org",
        "ANA@x.org",
        "Ana@X.org",
        "ana@x.ORG",
        "aNa@x.org",
        "anA@x.org",
    ]
    .map(|email| {
        let mut client = house.client.clone();
        tokio::spawn(async move { client.register(registration(email, PASSWORD)).await })
    });
    let mut made = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => made += 1,
            taken => {
                refused(taken, Code::AlreadyExists, "EMAIL_TAKEN");
            }
        }
    }
    assert_eq!(made, 1);
    let database = house.database().await;
    for table in [
        "SELECT COUNT(*) FROM users",
        "SELECT COUNT(*) FROM sessions",
    ] {
        let (rows,): (i64,) = sql::query_as(table)
            .fetch_one(database.read())
            .await
            .unwrap();
        assert_eq!(rows, 1, "a refused registration left something behind");
    }
}

#[tokio::test]
async fn an_unknown_email_and_a_wrong_password_are_the_same() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    let mut answers = Vec::new();
    for (email, password) in [
        ("ana@x.org", "wrong password"),
        ("bob@x.org", PASSWORD),
        ("", "x"),
    ] {
        let before = house.passwords.verified.load(SeqCst);
        let status = refused(
            house.login(email, password).await,
            Code::Unauthenticated,
            "INVALID_CREDENTIALS",
        );
        assert_eq!(
            house.passwords.verified.load(SeqCst),
            before + 1,
            "one argon2 for each"
        );
        answers.push((status.message().to_owned(), status.details().to_vec()));
    }
    assert_eq!(
        house.passwords.hashed.load(SeqCst),
        1,
        "the registration's alone"
    );
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn a_login_that_breaks_a_rule_costs_no_argon2() {
    let house = House::new().await;
    bad_field(house.login(&"a".repeat(255), "x").await, "email");
    bad_field(house.login("a@b", "").await, "password");
    bad_field(house.login("a@b", &"x".repeat(257)).await, "password");
    let huge = house.login("a@b", &"x".repeat(10_000_000)).await;
    refused(huge, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    assert_eq!(house.passwords.verified.load(SeqCst), 0);
}

#[tokio::test]
async fn a_password_changed_while_it_is_verified_signs_nobody_in() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    let held = house.passwords.hold.write().await;
    let mut client = house.client.clone();
    let login = tokio::spawn(async move {
        client
            .login(pb::LoginRequest {
                email: "ana@x.org".into(),
                password: PASSWORD.into(),
                ..Default::default()
            })
            .await
    });
    atelier_kit::testing::eventually("the password is verified", || async {
        house.passwords.verified.load(SeqCst) == 1
    })
    .await;
    sql::query("UPDATE users SET password_hash = 'another'")
        .write_to(&house.database().await)
        .await
        .unwrap();
    drop(held);
    refused(
        login.await.unwrap(),
        Code::Unauthenticated,
        "INVALID_CREDENTIALS",
    );
    assert_eq!(house.sessions(&tokens).await.len(), 1);
}

#[tokio::test]
async fn the_name_is_changed_when_the_mask_names_it() {
    let house = House::new().await;
    let (before, tokens) = house.register("ana@x.org").await;
    house.clock.pass(5);
    let update = |name: &str, paths: &[&str]| {
        by(
            &tokens,
            pb::UpdateMeRequest {
                user: Some(pb::User {
                    display_name: name.into(),
                    ..Default::default()
                }),
                update_mask: Some(FieldMask {
                    paths: paths.iter().map(|path| (*path).into()).collect(),
                }),
            },
        )
    };
    let mut client = house.client.clone();
    let user = client
        .update_me(update("Ana", &["display_name"]))
        .await
        .unwrap()
        .into_inner()
        .user
        .unwrap();
    assert_eq!(user.display_name, "Ana");
    assert_ne!(user.update_time, before.update_time);
    assert_eq!(house.me(&tokens).await.unwrap(), user);
    bad_field(client.update_me(update("x", &[])).await, "update_mask");
    bad_field(
        client
            .update_me(update("x", &["display_name", "role"]))
            .await,
        "update_mask",
    );
    let long = update(&"é".repeat(101), &["display_name"]);
    bad_field(client.update_me(long).await, "user.display_name");
    bad_field(
        client
            .update_me(by(&tokens, pb::UpdateMeRequest::default()))
            .await,
        "update_mask",
    );
    assert_eq!(house.me(&tokens).await.unwrap(), user);
    let cleared = client
        .update_me(update("", &["display_name"]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(cleared.user.unwrap().display_name, "");
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_is_the_only_one() {
    let house = House::new().await;
    let (_, here) = house.register("ana@x.org").await;
    let there = house
        .login("ana@x.org", PASSWORD)
        .await
        .unwrap()
        .tokens
        .unwrap();
    let (_, bob) = house.register("bob@x.org").await;
    let change = |current: &str, new: &str| {
        by(
            &here,
            pb::ChangePasswordRequest {
                current_password: current.into(),
                new_password: new.into(),
            },
        )
    };
    let mut client = house.client.clone();
    bad_field(
        client.change_password(change("", "new password")).await,
        "current_password",
    );
    bad_field(
        client.change_password(change(PASSWORD, "seven77")).await,
        "new_password",
    );
    let wrong = client
        .change_password(change("wrong", "new password"))
        .await;
    refused(wrong, Code::PermissionDenied, "WRONG_PASSWORD");
    assert_eq!(
        house.sessions(&here).await.len(),
        2,
        "a refused change ends nothing"
    );

    let answer = client
        .change_password(change(PASSWORD, "new password"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.revoked_sessions, 1);
    refused(
        house.me(&there).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    refused(
        house.refresh(&there.refresh_token).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    house.refresh(&here.refresh_token).await.unwrap();
    house.me(&bob).await.unwrap();
    let old = house.login("ana@x.org", PASSWORD).await;
    refused(old, Code::Unauthenticated, "INVALID_CREDENTIALS");
    house.login("ana@x.org", "new password").await.unwrap();
}

#[tokio::test]
async fn an_anonymous_account_is_one_but_changes_nothing() {
    let house = House::new().await;
    let (user, tokens) = house.anonymous().await;
    assert_eq!(
        (user.email.as_str(), user.role()),
        ("", pb::Role::Anonymous)
    );
    assert_eq!(house.me(&tokens).await.unwrap(), user);
    assert_eq!(house.sessions(&tokens).await.len(), 1);
    assert_ne!(house.anonymous().await.0.id, user.id);
    let mut client = house.client.clone();
    let update = client
        .update_me(by(&tokens, pb::UpdateMeRequest::default()))
        .await;
    refused(update, Code::PermissionDenied, "ROLE_TOO_LOW");
    let change = client
        .change_password(by(&tokens, pb::ChangePasswordRequest::default()))
        .await;
    refused(change, Code::PermissionDenied, "ROLE_TOO_LOW");
}

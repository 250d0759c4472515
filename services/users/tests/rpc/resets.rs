//! Resetting passwords with tokens from mails, and that nothing tells who has an account.

use atelier_kit::sql;
use atelier_kit::testing::servers::Store;
use std::sync::atomic::Ordering::SeqCst;

use atelier_proto::policy::v1::Scope;
use atelier_proto::users::v1 as pb;
use tonic::Code;

use crate::api_keys::{asked, create, exchange};
use crate::emails::{act, acts, ask_reset, confirm, reset, settled};
use crate::house::{House, PASSWORD, bad_field, refused};
use crate::second_factor::{self, Ana, EMAIL, code_at, enroll};

#[tokio::test]
async fn a_reset_sets_the_password_verifies_the_email_and_ends_every_session() {
    let house = House::new().await;
    let (user, here) = house.register("ana@x.org").await;
    let there = house.login("ana@x.org", PASSWORD).await.unwrap();
    let there = there.tokens.unwrap();
    let (_, bob) = house.register("bob@x.org").await;
    ask_reset(&house, "ANA@x.org").await;
    let token = house.token("ana@x.org", 2).await;
    assert_eq!(reset(&house, &token, "new password").await.unwrap(), 2);
    for tokens in [&here, &there] {
        let me = house.me(tokens).await;
        refused(me, Code::Unauthenticated, "SESSION_ENDED");
        let refresh = house.refresh(&tokens.refresh_token).await;
        refused(refresh, Code::Unauthenticated, "SESSION_ENDED");
    }
    house.me(&bob).await.unwrap();
    let old = house.login("ana@x.org", PASSWORD).await;
    refused(old, Code::Unauthenticated, "INVALID_CREDENTIALS");
    let now = house.login("ana@x.org", "new password").await.unwrap();
    assert!(now.user.unwrap().email_verified);
    let again = reset(&house, &token, "new password").await;
    refused(again, Code::Unauthenticated, "MAIL_TOKEN_INVALID");
    assert_eq!(acts(&house).await, [act("password.reset", &user)]);
}

#[tokio::test]
async fn what_was_set_up_before_the_email_was_verified_ends_with_the_first_reset_and_with_no_later_one()
 {
    let ana = Ana::new().await;
    let house = &ana.house;
    let (_, early) = create(house, &ana.tokens, asked(&[Scope::Read], None))
        .await
        .unwrap();
    exchange(house, &early).await.unwrap();
    ask_reset(house, EMAIL).await;
    let token = house.token(EMAIL, 2).await;
    reset(house, &token, "battery staple").await.unwrap();
    refused(
        exchange(house, &early).await,
        Code::Unauthenticated,
        "API_KEY_INVALID",
    );
    // Whoever reads the e-mail has no authenticator, and needs none.
    let entered = house.login(EMAIL, "battery staple").await.unwrap();
    assert!(!entered.user.unwrap().second_factor);

    let tokens = entered.tokens.unwrap();
    let (_, late) = create(house, &tokens, asked(&[Scope::Read], None))
        .await
        .unwrap();
    let secret = enroll(house, &tokens, "battery staple")
        .await
        .unwrap()
        .secret;
    let code = code_at(house, &secret, 0);
    second_factor::confirm(house, &tokens, &code).await.unwrap();
    house.clock.pass(60);
    ask_reset(house, EMAIL).await;
    let token = house.token(EMAIL, 3).await;
    reset(house, &token, PASSWORD).await.unwrap();
    exchange(house, &late).await.unwrap();
    let answer = house.login(EMAIL, PASSWORD).await;
    refused(answer, Code::Unauthenticated, "SECOND_FACTOR_REQUIRED");
    let ended = ana.acts().await;
    for act in ["api_key.revoked", "totp.disabled"] {
        assert_eq!(
            ended.iter().filter(|it| *it == act).count(),
            1,
            "{act}: {ended:?}"
        );
    }
}

#[tokio::test]
async fn a_reset_token_holds_for_an_hour() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    ask_reset(&house, "ana@x.org").await;
    let token = house.token("ana@x.org", 2).await;
    house.clock.pass(3_600);
    let hashed = house.passwords.hashed.load(SeqCst);
    let late = reset(&house, &token, "new password").await;
    refused(late, Code::Unauthenticated, "MAIL_TOKEN_INVALID");
    assert_eq!(
        house.passwords.hashed.load(SeqCst),
        hashed,
        "nothing is hashed for it"
    );
    house.login("ana@x.org", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn of_many_who_spend_one_token_at_once_one_does() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    ask_reset(&house, "ana@x.org").await;
    let token = house.token("ana@x.org", 2).await;
    let calls = (0..6).map(|at| {
        let (house, token) = (&house, token.as_str());
        async move {
            reset(house, token, &format!("password {at}"))
                .await
                .is_ok()
                .then_some(at)
        }
    });
    let done: Vec<usize> = futures_util::future::join_all(calls)
        .await
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(done.len(), 1);
    let holds = format!("password {}", done[0]);
    house.login("ana@x.org", &holds).await.unwrap();
}

#[tokio::test]
async fn tokens_are_good_for_their_own_purpose_alone() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    let verify = house.token("ana@x.org", 1).await;
    let wrong = reset(&house, &verify, "new password").await;
    refused(wrong, Code::Unauthenticated, "MAIL_TOKEN_INVALID");
    ask_reset(&house, "ana@x.org").await;
    let token = house.token("ana@x.org", 2).await;
    let wrong = confirm(&house, &token).await;
    refused(wrong, Code::Unauthenticated, "MAIL_TOKEN_INVALID");
    confirm(&house, &verify).await.unwrap();
    reset(&house, &token, "new password").await.unwrap();
}

/// How many rows each table has.
async fn rows(house: &House) -> Vec<(String, i64)> {
    let database = house.database().await;
    let tables = match Store::chosen() {
        Store::Postgres => {
            "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
        }
        Store::Sqlite | Store::Mongo => {
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        }
    };
    let tables: Vec<(String,)> = sql::query_as(tables)
        .fetch_all(database.read())
        .await
        .unwrap();
    let mut rows = Vec::new();
    for (table,) in tables {
        let count = format!("SELECT COUNT(*) FROM {table}");
        let (count,): (i64,) = sql::query_as(sqlx::AssertSqlSafe(count))
            .fetch_one(database.read())
            .await
            .unwrap();
        rows.push((table, count));
    }
    rows
}

#[tokio::test]
async fn nobody_gets_no_mail_and_the_answer_is_the_same() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    settled(&house).await;
    let work = |house: &House| {
        (
            house.passwords.hashed.load(SeqCst),
            house.passwords.verified.load(SeqCst),
        )
    };
    let (before, worked) = (rows(&house).await, work(&house));
    let answer = |email: &str| {
        let request = pb::RequestPasswordResetRequest {
            email: email.into(),
        };
        let mut client = house.client.clone();
        async move { client.request_password_reset(request).await.unwrap() }
    };
    let nobody = answer("nobody@x.org").await;
    let between = rows(&house).await;
    let somebody = answer("ana@x.org").await;
    assert_eq!(nobody.get_ref(), somebody.get_ref());
    assert_eq!(worked, work(&house));
    settled(&house).await;
    let added = |from: &[(String, i64)], to: &[(String, i64)], table: &str| {
        let count = |rows: &[(String, i64)]| rows.iter().find(|row| row.0 == table).unwrap().1;
        count(to) - count(from)
    };
    let after = rows(&house).await;
    assert_eq!(added(&before, &between, "mails"), 1);
    assert_eq!(added(&between, &after, "mails"), 1);
    house.mails("nobody@x.org", 0).await;
    house.mails("ana@x.org", 2).await;
    let nonsense = answer("no e-mail at all").await;
    assert_eq!(nonsense.get_ref(), somebody.get_ref());
    let long = pb::RequestPasswordResetRequest {
        email: "a".repeat(255),
    };
    bad_field(
        house.client.clone().request_password_reset(long).await,
        "email",
    );
}

#[tokio::test]
async fn nobody_is_bombed() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    settled(&house).await;
    for _ in 0..20 {
        ask_reset(&house, "ana@x.org").await;
        house.clock.pass(30);
        settled(&house).await;
    }
    // One from the registration, and five.
    house.mails("ana@x.org", 6).await;
}

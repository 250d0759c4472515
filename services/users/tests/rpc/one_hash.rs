//! Whatever becomes of a login, it costs one argon2 computation: nobody learns by the time who has an account, who has a
//! second factor, or who has no password.

use crate::house::WriteTo as _;
use atelier_kit::sql;
use std::sync::atomic::Ordering::SeqCst;

use atelier_proto::users::v1 as pb;
use tonic::{Code, Status};

use crate::house::{House, PASSWORD, refused};
use crate::second_factor::{Ana, EMAIL, login};

/// How many argon2 computations there were so far, of either kind.
fn computed(house: &House) -> usize {
    house.passwords.verified.load(SeqCst) + house.passwords.hashed.load(SeqCst)
}

/// What a login answers, which must have cost one computation.
async fn at_one<F>(house: &House, what: &str, login: F) -> Result<pb::LoginResponse, Status>
where
    F: Future<Output = Result<pb::LoginResponse, Status>>,
{
    let before = computed(house);
    let answer = login.await;
    assert_eq!(computed(house) - before, 1, "{what}: {answer:?}");
    answer
}

/// Takes an account's password away, as one has it that was made by signing in elsewhere.
async fn take_password(house: &House, email: &str) {
    let changed = sql::query("UPDATE users SET password_hash = '' WHERE email = $1")
        .bind(email)
        .write_to(&house.database().await)
        .await
        .unwrap();
    assert_eq!(changed.rows_affected(), 1);
}

#[tokio::test]
async fn every_login_costs_one_argon2() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    house.register("bob@x.org").await;
    take_password(&house, "bob@x.org").await;

    let right = house.login("ana@x.org", PASSWORD);
    at_one(&house, "the right password", right).await.unwrap();
    let mut answers = Vec::new();
    for (what, email, password) in [
        ("a wrong password", "ana@x.org", "wrong password"),
        ("an unknown e-mail", "cyd@x.org", PASSWORD),
        ("an e-mail that is none", "", PASSWORD),
        ("an account without a password", "bob@x.org", PASSWORD),
    ] {
        let answer = at_one(&house, what, house.login(email, password)).await;
        let status = refused(answer, Code::Unauthenticated, "INVALID_CREDENTIALS");
        answers.push((status.message().to_owned(), status.details().to_vec()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn so_does_every_login_of_an_account_with_a_second_factor() {
    let ana = Ana::new().await;
    let house = &ana.house;
    let (good, wrong, recovery) = (ana.code(), ana.wrong(), &ana.recovery_codes[0]);
    for (what, password, code, reason) in [
        ("no code", PASSWORD, "", "SECOND_FACTOR_REQUIRED"),
        ("a wrong code", PASSWORD, &*wrong, "WRONG_CODE"),
        ("no code recovers", PASSWORD, "aaaaa-aaaaa", "WRONG_CODE"),
        (
            "a wrong password, no code",
            "wrong",
            "",
            "INVALID_CREDENTIALS",
        ),
        (
            "a wrong password, a code",
            "wrong",
            &*good,
            "INVALID_CREDENTIALS",
        ),
    ] {
        let answer = at_one(house, what, login(house, password, code)).await;
        refused(answer, Code::Unauthenticated, reason);
        // Nobody is made to wait for the failures of this test.
        house.clock.pass(3600);
    }
    let (first, second) = (ana.code(), recovery.as_str());
    for (what, code) in [("the code", &*first), ("a recovery code", second)] {
        let answer = at_one(house, what, login(house, PASSWORD, code)).await;
        answer.unwrap();
    }

    take_password(house, EMAIL).await;
    let answer = at_one(
        house,
        "no password",
        login(house, PASSWORD, &ana.recovery_codes[1]),
    )
    .await;
    refused(answer, Code::Unauthenticated, "INVALID_CREDENTIALS");
}

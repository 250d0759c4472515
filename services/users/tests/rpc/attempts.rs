//! Failed sign-ins: who guesses waits, who owns the account does not, and nothing tells which accounts there are.

use crate::house::WriteTo as _;
use atelier_kit::sql;
use std::sync::atomic::Ordering::SeqCst;

use argon2::password_hash::PasswordHasher as _;
use atelier_proto::users::v1 as pb;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

use crate::house::{House, PASSWORD, at, refused};

const HOME: &str = "192.0.2.1";
const STRANGER: &str = "198.51.100.7";

async fn login(
    house: &House,
    address: &str,
    email: &str,
    password: &str,
) -> Result<pb::LoginResponse, Status> {
    let request = pb::LoginRequest {
        email: email.into(),
        password: password.into(),
        ..Default::default()
    };
    let request = at(address, request);
    house
        .service()
        .login(request)
        .await
        .map(Response::into_inner)
}

async fn register(house: &House, address: &str, email: &str) {
    let request = pb::RegisterRequest {
        email: email.into(),
        password: PASSWORD.into(),
        display_name: String::new(),
    };
    let request = at(address, request);
    house.service().register(request).await.unwrap();
}

/// Refused for too many attempts; the seconds to wait.
#[track_caller]
fn wait(answer: Result<pb::LoginResponse, Status>) -> u64 {
    let status = refused(answer, Code::ResourceExhausted, "TOO_MANY_ATTEMPTS");
    let details = status.get_error_details();
    let delay = details.retry_info().unwrap().retry_delay.unwrap();
    assert_eq!(delay.subsec_nanos(), 0);
    delay.as_secs()
}

#[track_caller]
fn wrong(answer: Result<pb::LoginResponse, Status>) {
    refused(answer, Code::Unauthenticated, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn after_five_failures_each_further_one_doubles_the_wait_and_costs_no_hash_meanwhile() {
    let house = House::new().await;
    register(&house, HOME, "ana@x.org").await;
    for _ in 0..5 {
        wrong(login(&house, HOME, "ana@x.org", "wrong").await);
    }
    for seconds in [2, 4, 8] {
        let verified = house.passwords.verified.load(SeqCst);
        for _ in 0..3 {
            assert_eq!(
                wait(login(&house, HOME, "ANA@x.org", PASSWORD).await),
                seconds
            );
        }
        assert_eq!(house.passwords.verified.load(SeqCst), verified);
        house.clock.pass(i64::try_from(seconds).unwrap());
        wrong(login(&house, HOME, "ana@x.org", "wrong").await);
        assert_eq!(house.passwords.verified.load(SeqCst), verified + 1);
    }
    house.clock.pass(16);
    login(&house, HOME, "ana@x.org", PASSWORD).await.unwrap();
    for _ in 0..5 {
        wrong(login(&house, HOME, "ana@x.org", "wrong").await);
    }
    assert_eq!(
        wait(login(&house, HOME, "ana@x.org", "wrong").await),
        2,
        "a success forgives"
    );
}

#[tokio::test]
async fn an_unknown_email_is_counted_and_refused_like_a_known_one() {
    let house = House::new().await;
    register(&house, HOME, "ana@x.org").await;
    let mut told: Vec<Vec<String>> = Vec::new();
    for email in ["ana@x.org", "nobody@x.org"] {
        let mut answers = Vec::new();
        let verified = house.passwords.verified.load(SeqCst);
        // Each has a stranger's network of its own, so that they do not count together.
        let address = if email == "ana@x.org" {
            STRANGER
        } else {
            "198.51.100.8"
        };
        for _ in 0..12 {
            let status = login(&house, address, email, "wrong").await.unwrap_err();
            let told = (
                status.code(),
                status.message().to_owned(),
                status.details().to_vec(),
            );
            answers.push(format!("{told:?}"));
            house.clock.pass(1);
        }
        answers.push((house.passwords.verified.load(SeqCst) - verified).to_string());
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
    let attempts = told[0].last().unwrap();
    assert_eq!(attempts, "7", "five, and those that the clock let through");
}

#[tokio::test]
async fn a_stranger_who_fails_a_thousand_times_does_not_keep_the_owner_out() {
    let house = House::new().await;
    register(&house, HOME, "ana@x.org").await;
    let (mut refusals, mut longest) = (0, 0);
    for nth in 0..1_000 {
        // A stranger with many networks: each pair is new, and the account alone can slow him down.
        let address = format!("198.51.{}.{}", nth / 250, nth % 250);
        let answer = login(&house, &address, "ana@x.org", "wrong").await;
        if answer.as_ref().unwrap_err().code() == Code::ResourceExhausted {
            refusals += 1;
            longest = longest.max(wait(answer));
        }
        if nth % 100 == 0 {
            login(&house, HOME, "ana@x.org", PASSWORD).await.unwrap();
        }
    }
    assert!(refusals > 500, "{refusals}");
    assert!((1..=4).contains(&longest), "{longest}");
    login(&house, HOME, "ana@x.org", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn an_owner_in_a_new_place_waits_a_few_seconds_at_the_most() {
    let house = House::new().await;
    register(&house, HOME, "ana@x.org").await;
    for nth in 0..100 {
        let address = format!("198.51.100.{nth}");
        let _ = login(&house, &address, "ana@x.org", "wrong").await;
    }
    let seconds = wait(login(&house, "203.0.113.9", "ana@x.org", PASSWORD).await);
    assert!((1..=4).contains(&seconds), "{seconds}");
    house.clock.pass(i64::try_from(seconds).unwrap());
    login(&house, "203.0.113.9", "ana@x.org", PASSWORD)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_network_that_tries_many_accounts_waits_but_those_who_live_there_do_not() {
    let house = House::new().await;
    register(&house, STRANGER, "ana@x.org").await;
    for nth in 0..100 {
        wrong(login(&house, STRANGER, &format!("nobody{nth}@x.org"), "wrong").await);
    }
    assert_eq!(wait(login(&house, STRANGER, "new@x.org", "wrong").await), 2);
    // Nor does who has an account of his own clear it.
    login(&house, STRANGER, "ana@x.org", PASSWORD)
        .await
        .unwrap();
    assert_eq!(wait(login(&house, STRANGER, "new@x.org", "wrong").await), 2);
    wrong(login(&house, HOME, "new@x.org", "wrong").await);
}

#[tokio::test]
async fn sign_ins_that_succeed_do_not_count_against_their_network() {
    let house = House::new().await;
    register(&house, HOME, "ana@x.org").await;
    for _ in 0..120 {
        login(&house, HOME, "ana@x.org", PASSWORD).await.unwrap();
    }
    wrong(login(&house, HOME, "new@x.org", "wrong").await);
}

#[tokio::test]
async fn many_guesses_at_once_are_no_way_around() {
    let house = House::new().await;
    register(&house, HOME, "ana@x.org").await;
    let calls = (0..40).map(|_| login(&house, STRANGER, "ana@x.org", "wrong"));
    let answers = futures_util::future::join_all(calls).await;
    let verified = answers
        .iter()
        .filter(|answer| answer.as_ref().unwrap_err().code() == Code::Unauthenticated)
        .count();
    assert_eq!(verified, 5);
    assert_eq!(house.passwords.verified.load(SeqCst), 5);
}

#[tokio::test]
async fn who_resets_his_password_need_not_wait() {
    let house = House::new().await;
    register(&house, HOME, "ana@x.org").await;
    for _ in 0..5 {
        wrong(login(&house, HOME, "ana@x.org", "wrong").await);
    }
    wait(login(&house, HOME, "ana@x.org", PASSWORD).await);
    let request = pb::RequestPasswordResetRequest {
        email: "ana@x.org".into(),
    };
    house
        .client
        .clone()
        .request_password_reset(request)
        .await
        .unwrap();
    let request = pb::ResetPasswordRequest {
        token: house.token("ana@x.org", 2).await,
        new_password: "new password".into(),
    };
    let request = at(HOME, request);
    house.service().reset_password(request).await.unwrap();
    login(&house, HOME, "ana@x.org", "new password")
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_forgiven_is_swept_and_nobody_can_read_who_was_tried() {
    let folder = tempfile::tempdir().unwrap();
    let config = atelier_users::Config {
        sweep_every: std::time::Duration::from_millis(20),
        ..Default::default()
    };
    let house = House::at(folder.path(), config).await;
    wrong(login(&house, STRANGER, "nobody@x.org", "wrong").await);
    let database = house.database().await;
    let count = async || -> i64 {
        let query = sql::query_as("SELECT COUNT(*) FROM attempts");
        let (count,): (i64,) = query.fetch_one(database.read()).await.unwrap();
        count
    };
    assert_eq!(count().await, 3);
    let bytes = house.kept().await;
    for hidden in ["nobody@x.org", STRANGER] {
        assert!(
            !bytes
                .windows(hidden.len())
                .any(|window| window == hidden.as_bytes())
        );
    }
    house.clock.pass(30 * 60);
    atelier_kit::testing::eventually("all is swept", || async { count().await == 0 }).await;
}

/// A password as an older Atelier would have kept it.
fn weak(password: &str) -> String {
    let params = argon2::Params::new(64, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let hash: argon2::password_hash::phc::PasswordHash =
        argon2.hash_password(password.as_bytes()).unwrap();
    hash.to_string()
}

async fn kept(house: &House) -> String {
    let (kept,): (String,) = sql::query_as("SELECT password_hash FROM users")
        .fetch_one(house.database().await.read())
        .await
        .unwrap();
    kept
}

#[tokio::test]
async fn a_password_of_less_work_is_hashed_anew_by_whoever_knows_it() {
    let house = House::new().await;
    let (user, _) = house.register("ana@x.org").await;
    sql::query("UPDATE users SET password_hash = $1")
        .bind(weak(PASSWORD))
        .write_to(&house.database().await)
        .await
        .unwrap();
    wrong(house.login("ana@x.org", "wrong").await);
    assert!(kept(&house).await.contains("m=64,t=1"));
    let hashed = house.passwords.hashed.load(SeqCst);
    let signed_in = house.login("ana@x.org", PASSWORD).await.unwrap();
    assert_eq!(
        signed_in.user.unwrap(),
        user,
        "that is no change of the account"
    );
    assert!(kept(&house).await.contains("m=19456,t=2"));
    house.login("ana@x.org", PASSWORD).await.unwrap();
    assert_eq!(house.passwords.hashed.load(SeqCst), hashed + 1, "once");
}

#[tokio::test]
async fn several_who_hash_a_password_anew_at_once_are_all_signed_in() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    sql::query("UPDATE users SET password_hash = $1")
        .bind(weak(PASSWORD))
        .write_to(&house.database().await)
        .await
        .unwrap();
    let calls = (0..4).map(|_| house.login("ana@x.org", PASSWORD));
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
    assert!(kept(&house).await.contains("m=19456,t=2"));
}

#[tokio::test]
async fn a_password_that_was_changed_meanwhile_is_not_put_back() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    let database = house.database().await;
    let set = async |kept: String| {
        sql::query("UPDATE users SET password_hash = $1")
            .bind(kept)
            .write_to(&database)
            .await
            .unwrap();
    };
    set(weak(PASSWORD)).await;
    let held = house.passwords.hold.write().await;
    let mut client = house.client.clone();
    let login = tokio::spawn(async move {
        let request = pb::LoginRequest {
            email: "ana@x.org".into(),
            password: PASSWORD.into(),
            ..Default::default()
        };
        client.login(request).await
    });
    atelier_kit::testing::eventually("it is verified", || async {
        house.passwords.verified.load(SeqCst) == 1
    })
    .await;
    let another = weak("another password");
    set(another.clone()).await;
    drop(held);
    refused(
        login.await.unwrap(),
        Code::Unauthenticated,
        "INVALID_CREDENTIALS",
    );
    assert_eq!(kept(&house).await, another);
}

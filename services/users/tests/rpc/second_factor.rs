//! The second factor: enrolling, signing in with it, recovery codes, and what guessing meets.

use atelier_kit::sql;
use std::collections::BTreeSet;

use atelier_proto::users::v1 as pb;
use atelier_users::Clock as _;
use futures_util::future::join_all;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use totp_rs::{Builder, Secret};

use crate::house::{House, PASSWORD, bad_field, by, refused};

pub const EMAIL: &str = "ana@x.org";

/// An account with an authenticator that was confirmed, one time step ago.
pub struct Ana {
    pub house: House,
    pub tokens: pb::TokenPair,
    secret: String,
    pub recovery_codes: Vec<String>,
}

impl Ana {
    pub async fn new() -> Self {
        let house = House::new().await;
        let (_, tokens) = house.register(EMAIL).await;
        let secret = enroll(&house, &tokens, PASSWORD).await.unwrap().secret;
        let code = code_at(&house, &secret, 0);
        let recovery_codes = confirm(&house, &tokens, &code).await.unwrap();
        house.clock.pass(30);
        Self {
            house,
            tokens,
            secret,
            recovery_codes,
        }
    }

    pub fn code(&self) -> String {
        code_at(&self.house, &self.secret, 0)
    }

    /// A code that is none of now.
    pub fn wrong(&self) -> String {
        let good: BTreeSet<String> = (-1..=1)
            .map(|steps| code_at(&self.house, &self.secret, steps))
            .collect();
        (0..)
            .map(|number| format!("{number:06}"))
            .find(|code| !good.contains(code))
            .unwrap()
    }

    async fn login(&self, code: &str) -> Result<pb::LoginResponse, Status> {
        login(&self.house, PASSWORD, code).await
    }

    async fn disable(&self, password: &str, code: &str) -> Result<(), Status> {
        let request = pb::DisableTotpRequest {
            password: password.into(),
            code: code.into(),
        };
        let mut client = self.house.client.clone();
        client.disable_totp(by(&self.tokens, request)).await?;
        Ok(())
    }

    async fn renew(&self, password: &str) -> Result<Vec<String>, Status> {
        let request = pb::RenewRecoveryCodesRequest {
            password: password.into(),
        };
        let mut client = self.house.client.clone();
        let answer = client
            .renew_recovery_codes(by(&self.tokens, request))
            .await?;
        Ok(answer.into_inner().recovery_codes)
    }

    /// What was kept of the account in the audit log, the oldest first.
    pub async fn acts(&self) -> Vec<String> {
        let rows: Vec<(String,)> = sql::query_as("SELECT action FROM audit_events ORDER BY id")
            .fetch_all(self.house.database().await.read())
            .await
            .unwrap();
        rows.into_iter().map(|(action,)| action).collect()
    }
}

/// What the authenticator shows so many time steps from now.
pub fn code_at(house: &House, secret: &str, steps: i64) -> String {
    let seconds = house.clock.now() / 1_000_000 + steps * 30;
    let secret = Secret::try_from_base32(secret).unwrap();
    let totp = Builder::new().with_secret(secret).build().unwrap();
    totp.generate(seconds.try_into().unwrap()).to_string()
}

pub async fn enroll(
    house: &House,
    tokens: &pb::TokenPair,
    password: &str,
) -> Result<pb::EnrollTotpResponse, Status> {
    let request = pb::EnrollTotpRequest {
        password: password.into(),
    };
    let answer = house
        .client
        .clone()
        .enroll_totp(by(tokens, request))
        .await?;
    Ok(answer.into_inner())
}

pub async fn confirm(
    house: &House,
    tokens: &pb::TokenPair,
    code: &str,
) -> Result<Vec<String>, Status> {
    let request = pb::ConfirmTotpRequest { code: code.into() };
    let answer = house
        .client
        .clone()
        .confirm_totp(by(tokens, request))
        .await?;
    Ok(answer.into_inner().recovery_codes)
}

pub async fn login(house: &House, password: &str, code: &str) -> Result<pb::LoginResponse, Status> {
    let request = pb::LoginRequest {
        email: EMAIL.into(),
        password: password.into(),
        second_factor: code.into(),
    };
    let answer = house.client.clone().login(request).await?;
    Ok(answer.into_inner())
}

#[tokio::test]
async fn an_authenticator_counts_once_its_first_code_has_come_back() {
    let house = House::new().await;
    let (_, tokens) = house.register(EMAIL).await;
    let told = enroll(&house, &tokens, PASSWORD).await.unwrap();
    assert_eq!(
        told.uri,
        format!(
            "otpauth://totp/Atelier:ana%40x.org?secret={}&issuer=Atelier",
            told.secret
        )
    );
    assert!(!house.me(&tokens).await.unwrap().second_factor);
    login(&house, PASSWORD, "").await.unwrap();

    let code = code_at(&house, &told.secret, 0);
    let codes = confirm(&house, &tokens, &code).await.unwrap();
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), 10);
    assert!(house.me(&tokens).await.unwrap().second_factor);
    let reason = "SECOND_FACTOR_REQUIRED";
    refused(
        login(&house, PASSWORD, "").await,
        Code::Unauthenticated,
        reason,
    );
    house.clock.pass(30);
    let user = login(&house, PASSWORD, &code_at(&house, &told.secret, 0))
        .await
        .unwrap()
        .user
        .unwrap();
    assert!(user.second_factor);
}

#[tokio::test]
async fn a_wrong_password_never_tells_that_there_is_a_factor() {
    let ana = Ana::new().await;
    for code in ["", &ana.code(), &ana.wrong(), &ana.recovery_codes[0]] {
        let answer = login(&ana.house, "wrong horse", code).await;
        refused(answer, Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
    // None of it was taken or counted.
    ana.login(&ana.code()).await.unwrap();
}

#[tokio::test]
async fn confirming_ends_the_other_sessions_alone() {
    let house = House::new().await;
    let (_, here) = house.register(EMAIL).await;
    let there = login(&house, PASSWORD, "").await.unwrap().tokens.unwrap();
    let secret = enroll(&house, &here, PASSWORD).await.unwrap().secret;
    house.me(&there).await.unwrap();
    confirm(&house, &here, &code_at(&house, &secret, 0))
        .await
        .unwrap();
    house.me(&here).await.unwrap();
    for answer in [
        house.me(&there).await.map(drop),
        house.refresh(&there.refresh_token).await.map(drop),
    ] {
        refused(answer, Code::Unauthenticated, "SESSION_ENDED");
    }
}

#[tokio::test]
async fn a_login_that_verified_the_password_before_the_factor_was_there_signs_nobody_in() {
    let house = House::new().await;
    let (_, tokens) = house.register(EMAIL).await;
    let secret = enroll(&house, &tokens, PASSWORD).await.unwrap().secret;
    let verified = house
        .passwords
        .verified
        .load(std::sync::atomic::Ordering::SeqCst);
    let held = house.passwords.hold.write().await;
    let late = login(&house, PASSWORD, "");
    let confirmed = async {
        // The account was read before its password was verified.
        while house
            .passwords
            .verified
            .load(std::sync::atomic::Ordering::SeqCst)
            == verified
        {
            tokio::task::yield_now().await;
        }
        confirm(&house, &tokens, &code_at(&house, &secret, 0))
            .await
            .unwrap();
        drop(held);
    };
    let (late, ()) = tokio::join!(late, confirmed);
    refused(late, Code::Unauthenticated, "SECOND_FACTOR_REQUIRED");
    assert_eq!(house.sessions(&tokens).await.len(), 1);
}

#[tokio::test]
async fn an_enrolment_is_begun_with_the_password_and_anew_until_it_is_confirmed() {
    let house = House::new().await;
    let (_, tokens) = house.register(EMAIL).await;
    refused(
        confirm(&house, &tokens, "123456").await,
        Code::FailedPrecondition,
        "TOTP_NOT_ENROLLED",
    );
    refused(
        enroll(&house, &tokens, "wrong horse").await,
        Code::PermissionDenied,
        "WRONG_PASSWORD",
    );
    let first = enroll(&house, &tokens, PASSWORD).await.unwrap().secret;
    let second = enroll(&house, &tokens, PASSWORD).await.unwrap().secret;
    assert_ne!(first, second);
    refused(
        confirm(&house, &tokens, &code_at(&house, &first, 0)).await,
        Code::PermissionDenied,
        "WRONG_CODE",
    );
    confirm(&house, &tokens, &code_at(&house, &second, 0))
        .await
        .unwrap();
    refused(
        enroll(&house, &tokens, PASSWORD).await,
        Code::FailedPrecondition,
        "TOTP_ACTIVE",
    );
    house.clock.pass(30);
    refused(
        confirm(&house, &tokens, &code_at(&house, &second, 0)).await,
        Code::FailedPrecondition,
        "TOTP_NOT_ENROLLED",
    );
}

#[tokio::test]
async fn a_code_signs_in_once_however_many_send_it_at_once() {
    let ana = Ana::new().await;
    let code = ana.code();
    // No more than may be wrong, so that every answer is about the code.
    let answers = join_all((0..5).map(|_| ana.login(&code))).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(good.len(), 1);
    for answer in bad {
        refused(answer, Code::Unauthenticated, "WRONG_CODE");
    }
    // Nor does one of an earlier step, although its time is not over.
    refused(
        ana.login(&code_at(&ana.house, &ana.secret, -1)).await,
        Code::Unauthenticated,
        "WRONG_CODE",
    );
}

#[tokio::test]
async fn the_code_that_confirmed_does_not_sign_in() {
    let house = House::new().await;
    let (_, tokens) = house.register(EMAIL).await;
    let secret = enroll(&house, &tokens, PASSWORD).await.unwrap().secret;
    let code = code_at(&house, &secret, 0);
    confirm(&house, &tokens, &code).await.unwrap();
    refused(
        login(&house, PASSWORD, &code).await,
        Code::Unauthenticated,
        "WRONG_CODE",
    );
}

#[tokio::test]
async fn a_recovery_code_signs_in_once_however_many_send_it_at_once() {
    let ana = Ana::new().await;
    let code = ana.recovery_codes[0].to_lowercase();
    let answers = join_all((0..5).map(|_| ana.login(&code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for answer in answers.into_iter().filter(Result::is_err) {
        refused(answer, Code::Unauthenticated, "WRONG_CODE");
    }
    ana.login(&ana.recovery_codes[1].replace('-', ""))
        .await
        .unwrap();
    assert_eq!(
        ana.acts().await,
        ["totp.enabled", "recovery_code.used", "recovery_code.used"]
    );
}

#[tokio::test]
async fn new_recovery_codes_end_the_earlier_ones() {
    let ana = Ana::new().await;
    refused(
        ana.renew("wrong horse").await,
        Code::PermissionDenied,
        "WRONG_PASSWORD",
    );
    let new = ana.renew(PASSWORD).await.unwrap();
    assert_eq!(new.len(), 10);
    refused(
        ana.login(&ana.recovery_codes[0]).await,
        Code::Unauthenticated,
        "WRONG_CODE",
    );
    ana.login(&new[9]).await.unwrap();
    assert!(ana.acts().await.contains(&"recovery_codes.renewed".into()));

    let (_, bob) = ana.house.register("bob@x.org").await;
    let request = pb::RenewRecoveryCodesRequest {
        password: PASSWORD.into(),
    };
    let answer = ana
        .house
        .client
        .clone()
        .renew_recovery_codes(by(&bob, request))
        .await;
    refused(answer, Code::FailedPrecondition, "TOTP_NOT_ENROLLED");
}

#[tokio::test]
async fn after_five_wrong_codes_no_code_is_looked_at_for_a_while() {
    let ana = Ana::new().await;
    for code in [&ana.wrong(), "nonsense", "ABCD-EFGH-IJKL-MNOP", "000000000"] {
        refused(
            ana.disable(PASSWORD, code).await,
            Code::PermissionDenied,
            "WRONG_CODE",
        );
        ana.house.clock.pass(10);
    }
    // Where the code is asked for does not matter.
    refused(
        ana.login(&ana.wrong()).await,
        Code::Unauthenticated,
        "WRONG_CODE",
    );
    for code in [ana.code(), ana.recovery_codes[0].clone()] {
        let status = refused(
            ana.login(&code).await,
            Code::ResourceExhausted,
            "TOO_MANY_ATTEMPTS",
        );
        // The first of the five was forty seconds ago.
        let wait = status.get_details_retry_info().unwrap().retry_delay;
        assert_eq!(wait.unwrap().as_secs(), 5 * 60 - 40);
        refused(
            ana.disable(PASSWORD, &code).await,
            Code::ResourceExhausted,
            "TOO_MANY_ATTEMPTS",
        );
    }
    // Who sends none, and who does not know the password, hear what they heard before.
    refused(
        ana.login("").await,
        Code::Unauthenticated,
        "SECOND_FACTOR_REQUIRED",
    );
    refused(
        login(&ana.house, "wrong horse", &ana.code()).await,
        Code::Unauthenticated,
        "INVALID_CREDENTIALS",
    );
    ana.house.clock.pass(5 * 60 - 40 - 1);
    refused(
        ana.disable(PASSWORD, &ana.code()).await,
        Code::ResourceExhausted,
        "TOO_MANY_ATTEMPTS",
    );
    ana.house.clock.pass(1);
    ana.login(&ana.code()).await.unwrap();
    // The other four still count.
    refused(
        ana.disable(PASSWORD, &ana.wrong()).await,
        Code::PermissionDenied,
        "WRONG_CODE",
    );
    refused(
        ana.disable(PASSWORD, &ana.recovery_codes[0]).await,
        Code::ResourceExhausted,
        "TOO_MANY_ATTEMPTS",
    );
}

#[tokio::test]
async fn guessing_in_many_calls_at_once_is_no_way_around() {
    let ana = Ana::new().await;
    let wrong = ana.wrong();
    let guesses = (0..16).map(|_| ana.disable(PASSWORD, &wrong));
    let mut looked_at = 0;
    for answer in join_all(guesses).await {
        let status = answer.unwrap_err();
        match status.code() {
            Code::PermissionDenied => looked_at += 1,
            _ => drop(refused(
                Err::<(), _>(status),
                Code::ResourceExhausted,
                "TOO_MANY_ATTEMPTS",
            )),
        }
    }
    assert_eq!(looked_at, 5);
}

#[tokio::test]
async fn disabling_needs_both_and_leaves_nothing() {
    let ana = Ana::new().await;
    refused(
        ana.disable("wrong horse", &ana.code()).await,
        Code::PermissionDenied,
        "WRONG_PASSWORD",
    );
    refused(
        ana.disable(PASSWORD, &ana.wrong()).await,
        Code::PermissionDenied,
        "WRONG_CODE",
    );
    ana.disable(PASSWORD, &ana.recovery_codes[3]).await.unwrap();
    assert!(!ana.house.me(&ana.tokens).await.unwrap().second_factor);
    ana.login("").await.unwrap();
    refused(
        ana.disable(PASSWORD, &ana.code()).await,
        Code::FailedPrecondition,
        "TOTP_NOT_ENROLLED",
    );
    let left: (i64,) = sql::query_as(
        "SELECT (SELECT COUNT(*) FROM second_factors) + (SELECT COUNT(*) FROM recovery_codes)",
    )
    .fetch_one(ana.house.database().await.read())
    .await
    .unwrap();
    assert_eq!(left, (0,));
    assert_eq!(ana.acts().await, ["totp.enabled", "totp.disabled"]);
    // A new one begins anew.
    let secret = enroll(&ana.house, &ana.tokens, PASSWORD)
        .await
        .unwrap()
        .secret;
    assert_ne!(secret, ana.secret);
    confirm(&ana.house, &ana.tokens, &code_at(&ana.house, &secret, 0))
        .await
        .unwrap();
}

#[tokio::test]
async fn neither_secret_nor_recovery_code_is_readable_in_what_is_kept() {
    let ana = Ana::new().await;
    let secret = Secret::try_from_base32(&ana.secret).unwrap();
    let kept = ana.house.kept().await;
    let holds = |bytes: &[u8]| kept.windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(EMAIL.as_bytes()));
    assert!(!holds(secret.as_bytes()) && !holds(ana.secret.as_bytes()));
    for code in &ana.recovery_codes {
        assert!(!holds(code.as_bytes()) && !holds(code.replace('-', "").as_bytes()));
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_named() {
    let ana = Ana::new().await;
    bad_field(ana.login(&"1".repeat(33)).await, "second_factor");
    for code in ["", "12345", "12345a", "ABCD-EFGH-IJKL-MNOP"] {
        bad_field(confirm(&ana.house, &ana.tokens, code).await, "code");
    }
    bad_field(ana.disable(PASSWORD, "").await, "code");
    bad_field(ana.disable(PASSWORD, &"1".repeat(33)).await, "code");
    bad_field(ana.disable("", "123456").await, "password");
    bad_field(ana.renew("").await, "password");
    bad_field(
        enroll(&ana.house, &ana.tokens, &"x".repeat(257)).await,
        "password",
    );
}

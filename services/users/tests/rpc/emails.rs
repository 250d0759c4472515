//! Mails and their tokens: verifying and changing e-mails.

use crate::house::WriteTo as _;
use atelier_kit::sql;
use atelier_kit::testing::eventually;
use atelier_proto::users::v1 as pb;
use tonic::{Code, Response, Status};

use crate::house::{House, PASSWORD, bad_field, by, refused};

pub async fn ask_reset(house: &House, email: &str) {
    let request = pb::RequestPasswordResetRequest {
        email: email.into(),
    };
    house
        .client
        .clone()
        .request_password_reset(request)
        .await
        .unwrap();
}

pub async fn reset(house: &House, token: &str, password: &str) -> Result<u32, Status> {
    let request = pb::ResetPasswordRequest {
        token: token.into(),
        new_password: password.into(),
    };
    let answer = house.client.clone().reset_password(request).await?;
    Ok(answer.into_inner().revoked_sessions)
}

pub async fn confirm(house: &House, token: &str) -> Result<String, Status> {
    let request = pb::ConfirmEmailRequest {
        token: token.into(),
    };
    let answer = house.client.clone().confirm_email(request).await;
    answer.map(Response::into_inner).map(|answer| answer.email)
}

async fn ask_change(
    house: &House,
    tokens: &pb::TokenPair,
    new_email: &str,
    password: &str,
) -> Result<(), Status> {
    let request = pb::RequestEmailChangeRequest {
        new_email: new_email.into(),
        password: password.into(),
    };
    let mut client = house.client.clone();
    client.request_email_change(by(tokens, request)).await?;
    Ok(())
}

async fn ask_verification(house: &House, tokens: &pb::TokenPair) -> Result<(), Status> {
    let request = by(tokens, pb::RequestEmailVerificationRequest {});
    house
        .client
        .clone()
        .request_email_verification(request)
        .await?;
    Ok(())
}

/// Who did what to whom, the oldest first.
pub async fn acts(house: &House) -> Vec<(String, String, String)> {
    sql::query_as("SELECT action, actor, subject FROM audit_events ORDER BY id")
        .fetch_all(house.database().await.read())
        .await
        .unwrap()
}

pub fn act(action: &str, user: &pb::User) -> (String, String, String) {
    (action.to_owned(), user.id.clone(), user.id.clone())
}

/// Waits until no mail waits any more.
pub async fn settled(house: &House) {
    let database = house.database().await;
    eventually("no mail waits", || async {
        let (count,): (i64,) = sql::query_as("SELECT COUNT(*) FROM mails WHERE done_time IS NULL")
            .fetch_one(database.read())
            .await
            .unwrap();
        count == 0
    })
    .await;
}

#[tokio::test]
async fn a_new_account_gets_a_mail_that_verifies_it_once() {
    let house = House::new().await;
    let (user, tokens) = house.register("Ana@x.org").await;
    assert!(!user.email_verified);
    let token = house.token("ana@x.org", 1).await;
    assert_eq!(token.len(), 43);
    house.clock.pass(60);
    assert_eq!(confirm(&house, &token).await.unwrap(), "ana@x.org");
    let after = house.me(&tokens).await.unwrap();
    assert!(after.email_verified);
    assert_ne!(after.update_time, user.update_time);
    let again = confirm(&house, &token).await;
    refused(again, Code::Unauthenticated, "MAIL_TOKEN_INVALID");
    let ask = ask_verification(&house, &tokens).await;
    refused(ask, Code::FailedPrecondition, "EMAIL_VERIFIED");
    assert_eq!(acts(&house).await, [act("email.verified", &user)]);
}

#[tokio::test]
async fn who_registers_an_anonymous_account_gets_the_mail_too() {
    let house = House::new().await;
    let (_, anonymous) = house.anonymous().await;
    let request = pb::RegisterRequest {
        email: "ana@x.org".into(),
        password: PASSWORD.into(),
        display_name: String::new(),
    };
    house
        .client
        .clone()
        .register(by(&anonymous, request))
        .await
        .unwrap();
    let token = house.token("ana@x.org", 1).await;
    confirm(&house, &token).await.unwrap();
}

#[tokio::test]
async fn a_refused_registration_sends_nothing() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    let request = pb::RegisterRequest {
        email: "ANA@x.org".into(),
        password: PASSWORD.into(),
        display_name: String::new(),
    };
    let taken = house.client.clone().register(request).await;
    refused(taken, Code::AlreadyExists, "EMAIL_TAKEN");
    settled(&house).await;
    house.mails("ana@x.org", 1).await;
}

#[tokio::test]
async fn a_verification_can_be_asked_for_again_and_the_newer_ends_the_older() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    let first = house.token("ana@x.org", 1).await;
    house.clock.pass(60);
    ask_verification(&house, &tokens).await.unwrap();
    let second = house.token("ana@x.org", 2).await;
    let old = confirm(&house, &first).await;
    refused(old, Code::Unauthenticated, "MAIL_TOKEN_INVALID");
    house.clock.pass(86_399);
    confirm(&house, &second).await.unwrap();
}

#[tokio::test]
async fn a_verification_holds_for_a_day() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    let token = house.token("ana@x.org", 1).await;
    house.clock.pass(86_400);
    let late = confirm(&house, &token).await;
    refused(late, Code::Unauthenticated, "MAIL_TOKEN_INVALID");
}

#[tokio::test]
async fn an_email_is_changed_by_the_new_one_and_the_old_one_is_told_twice() {
    let house = House::new().await;
    let (user, tokens) = house.register("ana@x.org").await;
    let verify = house.token("ana@x.org", 1).await;
    ask_reset(&house, "ana@x.org").await;
    let resetting = house.token("ana@x.org", 2).await;
    ask_change(&house, &tokens, "New@x.org", PASSWORD)
        .await
        .unwrap();
    let token = house.token("new@x.org", 1).await;
    house.mails("ana@x.org", 3).await;
    assert_eq!(
        house.me(&tokens).await.unwrap().email,
        "ana@x.org",
        "not yet"
    );
    assert_eq!(confirm(&house, &token).await.unwrap(), "new@x.org");
    let after = house.me(&tokens).await.unwrap();
    assert_eq!(
        (after.email.as_str(), after.email_verified),
        ("new@x.org", true)
    );
    let told = house.mails("ana@x.org", 4).await;
    assert!(told[3].contains("The e-mail of your Atelier account was changed"));
    assert!(!told[3].contains("http"));
    house.login("new@x.org", PASSWORD).await.unwrap();
    let old = house.login("ana@x.org", PASSWORD).await;
    refused(old, Code::Unauthenticated, "INVALID_CREDENTIALS");
    for token in [&verify, &token] {
        let spent = confirm(&house, token).await;
        refused(spent, Code::Unauthenticated, "MAIL_TOKEN_INVALID");
    }
    let dead = reset(&house, &resetting, "new password").await;
    refused(dead, Code::Unauthenticated, "MAIL_TOKEN_INVALID");
    assert_eq!(acts(&house).await, [act("email.changed", &user)]);
}

#[tokio::test]
async fn a_change_needs_the_password_and_an_email() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    settled(&house).await;
    let wrong = ask_change(&house, &tokens, "new@x.org", "wrong").await;
    refused(wrong, Code::PermissionDenied, "WRONG_PASSWORD");
    bad_field(
        ask_change(&house, &tokens, "new", PASSWORD).await,
        "new_email",
    );
    bad_field(
        ask_change(&house, &tokens, "new@x.org", "").await,
        "password",
    );
    settled(&house).await;
    house.mails("new@x.org", 0).await;
    let (_, anonymous) = house.anonymous().await;
    let nobody = ask_change(&house, &anonymous, "new@x.org", PASSWORD).await;
    refused(nobody, Code::PermissionDenied, "ROLE_TOO_LOW");
}

#[tokio::test]
async fn an_email_that_another_has_by_now_is_not_taken_from_him() {
    let house = House::new().await;
    let (user, tokens) = house.register("ana@x.org").await;
    ask_change(&house, &tokens, "bob@x.org", PASSWORD)
        .await
        .unwrap();
    let token = house.token("bob@x.org", 1).await;
    house.register("bob@x.org").await;
    let taken = confirm(&house, &token).await;
    refused(taken, Code::AlreadyExists, "EMAIL_TAKEN");
    assert_eq!(house.me(&tokens).await.unwrap(), user);
    house.login("ana@x.org", PASSWORD).await.unwrap();
    house.login("bob@x.org", PASSWORD).await.unwrap();
    assert_eq!(acts(&house).await, []);
    // Asked for now, the answer is the same as for a free one.
    house.clock.pass(60);
    ask_change(&house, &tokens, "bob@x.org", PASSWORD)
        .await
        .unwrap();
}

#[tokio::test]
async fn of_two_who_want_one_email_one_gets_it() {
    let house = House::new().await;
    let (_, ana) = house.register("ana@x.org").await;
    let (_, bob) = house.register("bob@x.org").await;
    ask_change(&house, &ana, "new@x.org", PASSWORD)
        .await
        .unwrap();
    let first = house.token("new@x.org", 1).await;
    house.clock.pass(60);
    ask_change(&house, &bob, "new@x.org", PASSWORD)
        .await
        .unwrap();
    let second = house.token("new@x.org", 2).await;
    let (one, two) = tokio::join!(confirm(&house, &first), confirm(&house, &second));
    let refusal = match (one, two) {
        (Ok(_), Err(refusal)) | (Err(refusal), Ok(_)) => refusal,
        both => panic!("{both:?}"),
    };
    refused(Err::<(), _>(refusal), Code::AlreadyExists, "EMAIL_TAKEN");
}

#[tokio::test]
async fn another_password_ends_a_change_that_a_thief_began() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    ask_change(&house, &tokens, "thief@x.org", PASSWORD)
        .await
        .unwrap();
    let stolen = house.token("thief@x.org", 1).await;
    let change = pb::ChangePasswordRequest {
        current_password: PASSWORD.into(),
        new_password: "new password".into(),
    };
    house
        .client
        .clone()
        .change_password(by(&tokens, change))
        .await
        .unwrap();
    let dead = confirm(&house, &stolen).await;
    refused(dead, Code::Unauthenticated, "MAIL_TOKEN_INVALID");

    house.clock.pass(60);
    ask_change(&house, &tokens, "thief@x.org", "new password")
        .await
        .unwrap();
    let stolen = house.token("thief@x.org", 2).await;
    ask_reset(&house, "ana@x.org").await;
    // From the registration, two about the changes, and this one.
    let token = house.token("ana@x.org", 4).await;
    reset(&house, &token, "newer password").await.unwrap();
    let dead = confirm(&house, &stolen).await;
    refused(dead, Code::Unauthenticated, "MAIL_TOKEN_INVALID");
}

#[tokio::test]
async fn what_is_kept_has_no_token_and_the_mails_are_for_the_owner_of_the_machine_alone() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    let token = house.token("ana@x.org", 1).await;
    let kept = house.kept().await;
    let holds = |text: &str| {
        kept.windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds("ana@x.org") && !holds(&token));
    #[cfg(unix)]
    for entry in std::fs::read_dir(house.foundation.data.join("mails")).unwrap() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_mail_that_was_asked_for_is_sent_after_a_restart_too() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    settled(&house).await;
    // As if the process had died between the answer and the mail.
    let database = house.database().await;
    sql::query("UPDATE mails SET done_time = NULL")
        .write_to(&database)
        .await
        .unwrap();
    database.close().await;
    std::fs::remove_dir_all(house.foundation.data.join("mails")).unwrap();
    let folder = house.close().await.unwrap();
    let house = House::at(folder.path(), crate::house::quiet()).await;
    house.clock.pass(120);
    let token = house.token("ana@x.org", 1).await;
    confirm(&house, &token).await.unwrap();
}

#[tokio::test]
async fn a_token_out_of_bounds_names_its_field() {
    let house = House::new().await;
    for token in [String::new(), "x".repeat(513)] {
        bad_field(confirm(&house, &token).await, "token");
        bad_field(reset(&house, &token, "new password").await, "token");
    }
    bad_field(reset(&house, "x", "seven77").await, "new_password");
    let unknown = confirm(&house, &"x".repeat(512)).await;
    refused(unknown, Code::Unauthenticated, "MAIL_TOKEN_INVALID");
}

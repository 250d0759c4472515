//! Deleting an account: what must be shown, what goes at once, and what the other services are asked.

use crate::house::WriteTo as _;
use atelier_kit::sql;
use std::time::Duration;

use atelier_kit::testing::eventually;
use atelier_proto::users::v1 as pb;
use atelier_users::Config;
use tempfile::TempDir;
use tonic::{Code, Response, Status};

use crate::admin::admin;
use crate::emails::{ask_reset, settled};
use crate::house::{House, PASSWORD, bad_field, by, refused, tables};
use crate::peers::Peers;
use crate::second_factor::Ana;

pub const EMAIL: &str = "ana@x.org";
pub const MINUTE: i64 = 60;
pub const DAY: i64 = 24 * 60 * MINUTE;

/// A service whose sweeper and erasers look all the time, so that a test decides by the clock alone.
pub fn eager() -> Config {
    Config {
        sweep_every: Duration::from_millis(20),
        erase_every: Duration::from_millis(10),
        ..Config::default()
    }
}

/// The service among the others.
pub struct Town {
    pub peers: Peers,
    pub house: House,
    folder: TempDir,
}

impl Town {
    pub async fn new(config: Config) -> Self {
        let (peers, folder) = (Peers::start(), tempfile::tempdir().unwrap());
        let house = House::among(folder.path(), config, &peers.routes).await;
        Self {
            peers,
            house,
            folder,
        }
    }

    /// Waits until a deletion is done, letting the clock run.
    pub async fn done(&self, token: &str) -> pb::Deletion {
        eventually("the deletion is done", || async {
            self.house.clock.pass(1);
            deletion(&self.house, token)
                .await
                .unwrap()
                .done_time
                .is_some()
        })
        .await;
        deletion(&self.house, token).await.unwrap()
    }
}

pub async fn delete(
    house: &House,
    tokens: &pb::TokenPair,
    password: &str,
    code: &str,
) -> Result<pb::DeleteAccountResponse, Status> {
    let request = pb::DeleteAccountRequest {
        password: password.into(),
        second_factor: code.into(),
    };
    let answer = house
        .client
        .clone()
        .delete_account(by(tokens, request))
        .await;
    answer.map(Response::into_inner)
}

pub async fn deletion(house: &House, token: &str) -> Result<pb::Deletion, Status> {
    let request = pb::GetDeletionRequest {
        deletion_token: token.into(),
    };
    let answer = house.client.clone().get_deletion(request).await?;
    Ok(answer.into_inner().deletion.unwrap())
}

#[tokio::test]
async fn a_deleted_account_is_gone_at_once_and_every_service_is_asked() {
    let town = Town::new(eager()).await;
    let house = &town.house;
    let (user, tokens) = house.register(EMAIL).await;
    let second = house.login(EMAIL, PASSWORD).await.unwrap().tokens.unwrap();
    let (other, others) = house.register("bob@x.org").await;
    settled(house).await;
    // A mail that was asked for by the e-mail alone, and one of somebody else about it.
    ask_reset(house, EMAIL).await;
    let request = pb::RequestEmailChangeRequest {
        new_email: EMAIL.into(),
        password: PASSWORD.into(),
    };
    let _ = house
        .client
        .clone()
        .request_email_change(by(&others, request))
        .await;
    settled(house).await;

    town.peers.fail("llm-chat", Some(Code::Unavailable));
    let answer = delete(house, &tokens, PASSWORD, "").await.unwrap();
    let begun = answer.deletion.unwrap();
    assert_eq!(begun.user_id, user.id);
    assert_eq!(begun.done_time, None);
    let own = begun.receipts.iter().find(|told| told.service == "users");
    assert_eq!(own.expect("a receipt of its own").erased["sessions"], 2);
    // Each other service waits, or has answered before this answer was read.
    assert!(begun.waiting.contains(&"llm-chat".to_owned()));
    let told = begun.receipts.iter().map(|receipt| &receipt.service);
    let mut all: Vec<&String> = told.chain(&begun.waiting).collect();
    all.sort();
    assert_eq!(all, ["analytics", "llm-chat", "text-image", "tts", "users"]);
    for tokens in [&tokens, &second] {
        refused(
            house.me(tokens).await,
            Code::Unauthenticated,
            "SESSION_ENDED",
        );
        assert!(house.refresh(&tokens.refresh_token).await.is_err());
    }
    refused(
        house.login(EMAIL, PASSWORD).await,
        Code::Unauthenticated,
        "INVALID_CREDENTIALS",
    );

    // Three have answered; the fourth is asked until it has.
    let token = answer.deletion_token;
    eventually("three have answered", || async {
        deletion(house, &token).await.unwrap().receipts.len() == 4
    })
    .await;
    let waiting = deletion(house, &token).await.unwrap();
    assert_eq!(
        (waiting.waiting, waiting.done_time),
        (vec!["llm-chat".to_owned()], None)
    );
    town.peers.fail("llm-chat", None);
    let done = town.done(&token).await;
    let services: Vec<&str> = done
        .receipts
        .iter()
        .map(|receipt| &*receipt.service)
        .collect();
    assert_eq!(
        services,
        ["analytics", "llm-chat", "text-image", "tts", "users"]
    );
    assert!(done.waiting.is_empty());
    let asked = town.peers.asked(&user.id);
    assert!(asked["llm-chat"] > 1, "{asked:?}");
    assert_eq!(
        (asked["tts"], asked["analytics"], asked["text-image"]),
        (1, 1, 1)
    );

    // The e-mail is anybody's again, and stands nowhere; the other account is untouched.
    let rows = everything(house).await;
    assert!(!rows.iter().any(|text| text.contains(EMAIL)), "{rows:#?}");
    assert_eq!(house.me(&others).await.unwrap().id, other.id);
    let (again, _) = house.register(EMAIL).await;
    assert_ne!(again.id, user.id);

    // A finished deletion is told for ninety days.
    house.clock.pass(89 * DAY);
    tokio::time::sleep(Duration::from_millis(100)).await;
    deletion(house, &token).await.unwrap();
    house.clock.pass(2 * DAY);
    eventually("it is forgotten", || async {
        deletion(house, &token).await.is_err()
    })
    .await;
    refused(deletion(house, &token).await, Code::NotFound, "NOT_FOUND");
    assert!(town.folder.path().exists());
}

/// All texts of all rows of all tables, blobs included.
pub async fn everything(house: &House) -> Vec<String> {
    let values = tables(&house.database().await).await;
    values
        .iter()
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect()
}

#[tokio::test]
async fn the_audit_log_names_accounts_by_their_ids_alone() {
    let house = House::new().await;
    let (user, tokens) = house.register(EMAIL).await;
    let confirm = async |token: String| {
        let request = pb::ConfirmEmailRequest { token };
        house.client.clone().confirm_email(request).await.unwrap();
    };
    confirm(house.token(EMAIL, 1).await).await;
    let request = pb::RequestEmailChangeRequest {
        new_email: "new@x.org".into(),
        password: PASSWORD.into(),
    };
    house
        .client
        .clone()
        .request_email_change(by(&tokens, request))
        .await
        .unwrap();
    confirm(house.token("new@x.org", 1).await).await;
    delete(&house, &tokens, PASSWORD, "").await.unwrap();
    let acts: Vec<String> = everything(&house).await;
    let acts: Vec<&String> = acts
        .iter()
        .filter(|text| text.starts_with("audit_events."))
        .collect();
    assert!(acts.iter().any(|text| text.contains("account.deleted")));
    assert!(acts.iter().any(|text| text.contains("email.changed")));
    assert!(acts.iter().any(|text| text.contains(&user.id)));
    assert!(!acts.iter().any(|text| text.contains("x.org")), "{acts:#?}");
}

#[tokio::test]
async fn what_the_account_has_must_be_shown_and_guessing_waits() {
    let house = House::new().await;
    let (_, tokens) = house.register(EMAIL).await;
    bad_field(delete(&house, &tokens, "", "").await, "password");
    bad_field(
        delete(&house, &tokens, &"p".repeat(257), "").await,
        "password",
    );
    bad_field(
        delete(&house, &tokens, PASSWORD, &"1".repeat(33)).await,
        "second_factor",
    );
    for _ in 0..5 {
        let answer = delete(&house, &tokens, "wrong password", "").await;
        refused(answer, Code::PermissionDenied, "WRONG_PASSWORD");
    }
    let answer = delete(&house, &tokens, PASSWORD, "").await;
    refused(answer, Code::ResourceExhausted, "TOO_MANY_ATTEMPTS");
    house.clock.pass(MINUTE);
    delete(&house, &tokens, PASSWORD, "").await.unwrap();
    let answer = delete(&house, &tokens, PASSWORD, "").await;
    refused(answer, Code::Unauthenticated, "SESSION_ENDED");
}

#[tokio::test]
async fn a_second_factor_must_be_shown_too() {
    let ana = Ana::new().await;
    bad_field(
        delete(&ana.house, &ana.tokens, PASSWORD, "").await,
        "second_factor",
    );
    let answer = delete(&ana.house, &ana.tokens, PASSWORD, &ana.wrong()).await;
    refused(answer, Code::PermissionDenied, "WRONG_CODE");
    // The password comes first: who does not know it learns nothing of codes.
    let answer = delete(&ana.house, &ana.tokens, "wrong password", &ana.code()).await;
    refused(answer, Code::PermissionDenied, "WRONG_PASSWORD");
    delete(&ana.house, &ana.tokens, PASSWORD, &ana.code())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_account_without_a_password_shows_a_sign_in_of_just_now() {
    let house = House::new().await;
    let (user, tokens) = house.register(EMAIL).await;
    let database = house.database().await;
    sql::query("UPDATE users SET password_hash = '' WHERE id = $1")
        .bind(&user.id)
        .write_to(&database)
        .await
        .unwrap();
    house.clock.pass(10 * MINUTE);
    let answer = delete(&house, &tokens, "", "").await;
    refused(answer, Code::FailedPrecondition, "SIGN_IN_AGAIN");
    house.clock.pass(-1);
    delete(&house, &tokens, "", "").await.unwrap();
}

#[tokio::test]
async fn the_last_admin_stays() {
    let house = House::new().await;
    let (_, tokens) = admin(&house, EMAIL).await;
    let answer = delete(&house, &tokens, PASSWORD, "").await;
    refused(answer, Code::FailedPrecondition, "LAST_ADMIN");
    assert_eq!(house.me(&tokens).await.unwrap().email, EMAIL);
    admin(&house, "bob@x.org").await;
    delete(&house, &tokens, PASSWORD, "").await.unwrap();
}

#[tokio::test]
async fn a_token_asks_for_its_own_deletion_alone() {
    let house = House::new().await;
    let (_, tokens) = house.register(EMAIL).await;
    let token = delete(&house, &tokens, PASSWORD, "")
        .await
        .unwrap()
        .deletion_token;
    deletion(&house, &token).await.unwrap();
    refused(
        deletion(&house, &token[1..]).await,
        Code::NotFound,
        "NOT_FOUND",
    );
    bad_field(deletion(&house, "").await, "deletion_token");
    bad_field(deletion(&house, &"t".repeat(513)).await, "deletion_token");
    let rows = everything(&house).await;
    assert!(
        !rows.iter().any(|text| text.contains(&token)),
        "the token is kept"
    );
}

//! Admins: the first one, roles, and the listing of accounts.

use atelier_kit::identity::Role;
use atelier_proto::users::v1 as pb;
use atelier_users::{GrantError, Granted, grant_admin};
use tonic::{Code, Status};

use crate::house::{House, bad_field, by, refused};

/// Makes an account an admin from beside the service.
pub async fn made_admin(house: &House, email: &str) -> Result<Granted, GrantError> {
    let on = &house.foundation;
    grant_admin(on.engines.postgres.as_ref(), &on.data, email).await
}

/// Registers an account and makes it an admin; returns it with tokens that say so.
pub async fn admin(house: &House, email: &str) -> (pb::User, pb::TokenPair) {
    let (_, tokens) = house.register(email).await;
    made_admin(house, email).await.unwrap();
    let tokens = house.refresh(&tokens.refresh_token).await.unwrap();
    (house.me(&tokens).await.unwrap(), tokens)
}

async fn set(
    house: &House,
    by_whom: &pb::TokenPair,
    id: &str,
    role: pb::Role,
) -> Result<pb::User, Status> {
    let request = by(
        by_whom,
        pb::SetUserRoleRequest {
            user_id: id.into(),
            role: role.into(),
        },
    );
    Ok(house
        .client
        .clone()
        .set_user_role(request)
        .await?
        .into_inner()
        .user
        .unwrap())
}

#[tokio::test]
async fn the_first_admin_is_made_from_beside_the_running_service() {
    let house = House::new().await;
    let (user, tokens) = house.register("ana@x.org").await;
    let list = |tokens: &pb::TokenPair| {
        let request = by(tokens, pb::ListUsersRequest::default());
        let mut client = house.client.clone();
        async move { client.list_users(request).await }
    };
    refused(list(&tokens).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    let granted = made_admin(&house, "ANA@x.org").await.unwrap();
    assert_eq!(
        (granted.email.as_str(), granted.before),
        ("ana@x.org", Role::User)
    );
    // The token of before says what it said; the next one carries the role.
    refused(list(&tokens).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    let tokens = house.refresh(&tokens.refresh_token).await.unwrap();
    let users = list(&tokens).await.unwrap().into_inner().users;
    assert_eq!(
        (users.len(), &users[0].id, users[0].role()),
        (1, &user.id, pb::Role::Admin)
    );
    assert_eq!(
        made_admin(&house, "ana@x.org").await.unwrap().before,
        Role::Admin
    );
}

#[tokio::test]
async fn nobody_unknown_is_made_an_admin() {
    let house = House::new().await;
    house.register("ana@x.org").await;
    let unknown = made_admin(&house, "bob@x.org").await.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "no account has the e-mail bob@x.org; register it first"
    );
    let malformed = made_admin(&house, "bob").await.unwrap_err();
    assert!(matches!(malformed, GrantError::Email(_)));
    let empty = tempfile::tempdir().unwrap();
    let absent = grant_admin(None, empty.path(), "ana@x.org")
        .await
        .unwrap_err();
    assert!(matches!(absent, GrantError::NoDatabase(_)));
    assert_eq!(
        std::fs::read_dir(empty.path()).unwrap().count(),
        0,
        "no database is made"
    );
}

#[tokio::test]
async fn registered_accounts_are_listed_newest_first_and_anonymous_ones_are_not() {
    let house = House::new().await;
    let (_, tokens) = admin(&house, "root@x.org").await;
    for number in 0..3 {
        house.clock.pass(1);
        house.register(&format!("user{number}@x.org")).await;
        house.anonymous().await;
    }
    let (mut emails, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = by(
            &tokens,
            pb::ListUsersRequest {
                page_size: 3,
                page_token,
            },
        );
        let page = house
            .client
            .clone()
            .list_users(request)
            .await
            .unwrap()
            .into_inner();
        emails.extend(page.users.into_iter().map(|user| user.email));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        emails,
        ["user2@x.org", "user1@x.org", "user0@x.org", "root@x.org"]
    );
    let mut client = house.client.clone();
    let size = by(
        &tokens,
        pb::ListUsersRequest {
            page_size: 1001,
            ..Default::default()
        },
    );
    bad_field(client.list_users(size).await, "page_size");
    let token = by(
        &tokens,
        pb::ListUsersRequest {
            page_token: "x".into(),
            ..Default::default()
        },
    );
    bad_field(client.list_users(token).await, "page_token");
}

#[tokio::test]
async fn a_role_is_given_and_carried_by_the_next_token() {
    let house = House::new().await;
    let (_, root) = admin(&house, "root@x.org").await;
    let (ana, tokens) = house.register("ana@x.org").await;
    let changed = set(&house, &root, &ana.id, pb::Role::Moderator)
        .await
        .unwrap();
    assert_eq!(changed.role(), pb::Role::Moderator);
    assert_eq!(house.me(&tokens).await.unwrap(), changed);
    let again = set(&house, &root, &ana.id, pb::Role::Moderator)
        .await
        .unwrap();
    assert_eq!(again, changed);
    refused(
        set(&house, &tokens, &ana.id, pb::Role::Admin).await,
        Code::PermissionDenied,
        "ROLE_TOO_LOW",
    );
}

#[tokio::test]
async fn a_role_that_cannot_be_given_is_refused() {
    let house = House::new().await;
    let (_, root) = admin(&house, "root@x.org").await;
    let (ana, _) = house.register("ana@x.org").await;
    let (nobody, _) = house.anonymous().await;
    bad_field(set(&house, &root, "", pb::Role::User).await, "user_id");
    bad_field(
        set(&house, &root, &"x".repeat(65), pb::Role::User).await,
        "user_id",
    );
    bad_field(
        set(&house, &root, &ana.id, pb::Role::Unspecified).await,
        "role",
    );
    bad_field(
        set(&house, &root, &ana.id, pb::Role::Anonymous).await,
        "role",
    );
    let unheard = pb::SetUserRoleRequest {
        user_id: ana.id.clone(),
        role: 99,
    };
    bad_field(
        house.client.clone().set_user_role(by(&root, unheard)).await,
        "role",
    );
    refused(
        set(&house, &root, "unknown", pb::Role::User).await,
        Code::NotFound,
        "NOT_FOUND",
    );
    let anonymous = set(&house, &root, &nobody.id, pb::Role::User).await;
    refused(anonymous, Code::FailedPrecondition, "ANONYMOUS_ACCOUNT");
}

#[tokio::test]
async fn the_last_admin_stays_one_and_a_former_one_acts_no_more() {
    let house = House::new().await;
    let (root, tokens) = admin(&house, "root@x.org").await;
    refused(
        set(&house, &tokens, &root.id, pb::Role::User).await,
        Code::FailedPrecondition,
        "LAST_ADMIN",
    );
    let (second, second_tokens) = admin(&house, "second@x.org").await;
    set(&house, &second_tokens, &root.id, pb::Role::User)
        .await
        .unwrap();
    // The token still says admin for minutes; it must not give the role back, nor show the accounts.
    let back = set(&house, &tokens, &root.id, pb::Role::Admin).await;
    refused(back, Code::Unauthenticated, "SESSION_ENDED");
    let list = by(&tokens, pb::ListUsersRequest::default());
    refused(
        house.client.clone().list_users(list).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    let last = set(&house, &second_tokens, &second.id, pb::Role::Moderator).await;
    refused(last, Code::FailedPrecondition, "LAST_ADMIN");
}

#[tokio::test]
async fn two_admins_who_demote_each_other_at_once_leave_one() {
    let house = House::new().await;
    let (one, one_tokens) = admin(&house, "one@x.org").await;
    let (two, two_tokens) = admin(&house, "two@x.org").await;
    for _ in 0..5 {
        let (first, second) = tokio::join!(
            set(&house, &one_tokens, &two.id, pb::Role::User),
            set(&house, &two_tokens, &one.id, pb::Role::User),
        );
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        for email in ["one@x.org", "two@x.org"] {
            made_admin(&house, email).await.unwrap();
        }
    }
}

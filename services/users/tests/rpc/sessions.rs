//! Sessions: listing and ending them, and which tokens are none.

use atelier_kit::identity::Role;
use atelier_kit::testing::Issuer;
use atelier_proto::users::v1 as pb;
use tonic::{Code, Request};

use crate::house::{House, PASSWORD, bad_field, bearing, by, refused};

#[tokio::test]
async fn sessions_are_listed_newest_first_and_page_by_page() {
    let house = House::new().await;
    let (_, first) = house.anonymous().await;
    assert!(house.sessions(&first).await[0].current);
    house.register("ana@x.org").await;
    let mut tokens = None;
    for _ in 0..4 {
        house.clock.pass(1);
        tokens = house.login("ana@x.org", PASSWORD).await.unwrap().tokens;
    }
    let tokens = tokens.unwrap();
    let all = house.sessions(&tokens).await;
    assert_eq!(all.len(), 5);
    assert!(
        all.windows(2)
            .all(|two| two[0].create_time.unwrap().seconds > two[1].create_time.unwrap().seconds)
    );
    assert_eq!(
        all.iter()
            .map(|session| session.current)
            .collect::<Vec<_>>(),
        [true, false, false, false, false]
    );
    assert!(
        all[0].user_agent.starts_with("tonic/"),
        "{}",
        all[0].user_agent
    );

    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = by(
            &tokens,
            pb::ListSessionsRequest {
                page_size: 2,
                page_token,
            },
        );
        let page = house
            .client
            .clone()
            .list_sessions(request)
            .await
            .unwrap()
            .into_inner();
        assert!(page.sessions.len() <= 2);
        found.extend(page.sessions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, all);
}

#[tokio::test]
async fn a_listing_that_breaks_a_rule_is_refused() {
    let house = House::new().await;
    let (_, ana) = house.register("ana@x.org").await;
    house.clock.pass(1);
    house.login("ana@x.org", PASSWORD).await.unwrap();
    let (_, bob) = house.register("bob@x.org").await;
    let list = |tokens: &pb::TokenPair, page_size: i32, page_token: &str| {
        let request = by(
            tokens,
            pb::ListSessionsRequest {
                page_size,
                page_token: page_token.into(),
            },
        );
        let mut client = house.client.clone();
        async move { client.list_sessions(request).await }
    };
    bad_field(list(&ana, -1, "").await, "page_size");
    bad_field(list(&ana, 1001, "").await, "page_size");
    bad_field(list(&ana, 1, "nonsense").await, "page_token");
    let token = list(&ana, 1, "")
        .await
        .unwrap()
        .into_inner()
        .next_page_token;
    assert!(!token.is_empty());
    bad_field(list(&bob, 1, &token).await, "page_token");
}

#[tokio::test]
async fn one_ends_ones_own_sessions_and_no_others() {
    let house = House::new().await;
    let (_, here) = house.register("ana@x.org").await;
    house.clock.pass(1);
    let there = house
        .login("ana@x.org", PASSWORD)
        .await
        .unwrap()
        .tokens
        .unwrap();
    let (_, bob) = house.register("bob@x.org").await;
    let other = house
        .sessions(&here)
        .await
        .into_iter()
        .find(|session| !session.current)
        .unwrap();
    let revoke = |tokens: &pb::TokenPair, session_id: &str| {
        let request = by(
            tokens,
            pb::RevokeSessionRequest {
                session_id: session_id.into(),
            },
        );
        let mut client = house.client.clone();
        async move { client.revoke_session(request).await }
    };
    bad_field(revoke(&here, "").await, "session_id");
    bad_field(revoke(&here, &"x".repeat(65)).await, "session_id");
    refused(revoke(&here, "unknown").await, Code::NotFound, "NOT_FOUND");
    refused(revoke(&bob, &other.id).await, Code::NotFound, "NOT_FOUND");
    house.me(&there).await.unwrap();

    revoke(&here, &other.id).await.unwrap();
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
    refused(revoke(&here, &other.id).await, Code::NotFound, "NOT_FOUND");
    assert_eq!(house.sessions(&here).await.len(), 1);
}

#[tokio::test]
async fn after_a_logout_the_session_is_over_and_a_second_one_is_fine() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    let (_, other) = house.anonymous().await;
    let mut client = house.client.clone();
    client
        .logout(by(&tokens, pb::LogoutRequest {}))
        .await
        .unwrap();
    client
        .logout(by(&tokens, pb::LogoutRequest {}))
        .await
        .unwrap();
    refused(
        house.refresh(&tokens.refresh_token).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );

    refused(
        client.get_me(by(&tokens, pb::GetMeRequest {})).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    let update = by(&tokens, pb::UpdateMeRequest::default());
    refused(
        client.update_me(update).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    let change = by(&tokens, pb::ChangePasswordRequest::default());
    refused(
        client.change_password(change).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    let list = by(&tokens, pb::ListSessionsRequest::default());
    refused(
        client.list_sessions(list).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    let revoke = by(&tokens, pb::RevokeSessionRequest::default());
    refused(
        client.revoke_session(revoke).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    house.me(&other).await.unwrap();
}

#[tokio::test]
async fn a_session_that_is_not_refreshed_ends_by_itself() {
    let house = House::new().await;
    // Not of an anonymous account: that ends as a whole on the same day.
    let (_, tokens) = house.register("ana@x.org").await;
    house.clock.pass(30 * 24 * 3600 - 1);
    house.me(&tokens).await.unwrap();
    house.clock.pass(1);
    refused(
        house.me(&tokens).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    refused(
        house.refresh(&tokens.refresh_token).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
}

#[tokio::test]
async fn what_is_no_access_token_of_ours_opens_nothing() {
    let house = House::new().await;
    let (user, tokens) = house.anonymous().await;
    let mut client = house.client.clone();
    let none = client.get_me(Request::new(pb::GetMeRequest {})).await;
    refused(none, Code::Unauthenticated, "TOKEN_MISSING");
    let (start, _) = tokens.access_token.rsplit_once('.').unwrap();
    for bad in ["nonsense", &tokens.refresh_token, &format!("{start}.AAAA")] {
        let answer = client.get_me(bearing(bad, pb::GetMeRequest {})).await;
        refused(answer, Code::Unauthenticated, "TOKEN_INVALID");
    }
    let foreign = Issuer::new().sign(&user.id, Role::Admin, pb::GetMeRequest {});
    refused(
        client.get_me(foreign).await,
        Code::Unauthenticated,
        "TOKEN_INVALID",
    );

    house.clock.pass(-1000);
    let (_, old) = house.anonymous().await;
    refused(house.me(&old).await, Code::Unauthenticated, "TOKEN_EXPIRED");
}

//! What ListUsageEvents promises, over an in-memory link with the real client and the whole stack.

use super::stage::*;
use atelier_kit::identity::Role;
use atelier_proto::analytics::v1::*;

#[tokio::test]
async fn events_are_listed_newest_first_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    // Pairs share a moment, so that a page can end between two events of one moment.
    let events: Vec<_> = (0..25)
        .map(|n| event("tts", &format!("g{n:02}"), "ana", MIDNIGHT + n / 2))
        .collect();
    stage.record("tts", events.clone()).await.unwrap();
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListUsageEventsRequest {
            page_size: 7,
            page_token,
            ..Default::default()
        };
        let page = stage.list("ana", Role::User, request).await.unwrap();
        assert!(page.events.len() <= 7);
        seen.extend(page.events);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected: Vec<_> = events.into_iter().rev().collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_page_is_not_moved_by_what_arrives_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let at = |n: i64| event("tts", &format!("g{n}"), "ana", MIDNIGHT + n);
    stage.record("tts", (0..4).map(at).collect()).await.unwrap();
    let request = ListUsageEventsRequest {
        page_size: 2,
        ..Default::default()
    };
    let page = stage
        .list("ana", Role::User, request.clone())
        .await
        .unwrap();
    stage.record("tts", vec![at(9)]).await.unwrap();
    let next = ListUsageEventsRequest {
        page_token: page.next_page_token,
        ..request
    };
    let ids: Vec<_> = stage
        .list("ana", Role::User, next)
        .await
        .unwrap()
        .events
        .into_iter()
        .map(|e| e.id)
        .collect();
    assert_eq!(ids, ["g1", "g0"]);
}

#[tokio::test]
async fn a_page_token_is_good_for_its_listing_alone() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path()).await;
    let events = (0..6).map(|n| event("tts", &n.to_string(), ["ana", "bob"][n % 2], MIDNIGHT));
    stage.record("tts", events.collect()).await.unwrap();
    let request = ListUsageEventsRequest {
        page_size: 1,
        ..Default::default()
    };
    let token = stage
        .list("ana", Role::User, request.clone())
        .await
        .unwrap()
        .next_page_token;
    let with = |token: &str| ListUsageEventsRequest {
        page_token: token.into(),
        ..request.clone()
    };
    assert!(stage.list("ana", Role::User, with(&token)).await.is_ok());
    for (who, role, token) in [
        ("bob", Role::User, token.as_str()),
        ("root", Role::Admin, &token),
        ("ana", Role::User, "x"),
    ] {
        let status = stage.list(who, role, with(token)).await.unwrap_err();
        assert_eq!(bad_fields(&status), ["page_token"]);
    }
    for page_size in [-1, 1001] {
        let request = ListUsageEventsRequest {
            page_size,
            ..Default::default()
        };
        assert_eq!(
            bad_fields(&stage.list("ana", Role::User, request).await.unwrap_err()),
            ["page_size"]
        );
    }
    let request = ListUsageEventsRequest {
        user_id: "u".repeat(65),
        ..Default::default()
    };
    assert_eq!(
        bad_fields(&stage.list("ana", Role::User, request).await.unwrap_err()),
        ["user_id"]
    );
}

//! API keys: making, listing, exchanging and ending them, and what their tokens may do.

use atelier_kit::sql;
use std::time::{Duration, SystemTime};

use atelier_kit::identity::ServiceTokens;
use atelier_kit::testing::secret;
use atelier_proto::policy::v1::Scope;
use atelier_proto::users::v1 as pb;
use atelier_users::Clock as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use prost_types::Timestamp;
use serde_json::Value;
use tonic::{Code, Status};

use crate::house::{House, bad_field, bearing, by, refused};

pub fn asked(scopes: &[Scope], expire_time: Option<Timestamp>) -> pb::CreateApiKeyRequest {
    pb::CreateApiKeyRequest {
        display_name: "build server".into(),
        scopes: scopes.iter().map(|scope| i32::from(*scope)).collect(),
        expire_time,
    }
}

pub async fn create(
    house: &House,
    tokens: &pb::TokenPair,
    request: pb::CreateApiKeyRequest,
) -> Result<(pb::ApiKey, String), Status> {
    let mut client = house.client.clone();
    let answer = client.create_api_key(by(tokens, request)).await?;
    let answer = answer.into_inner();
    Ok((answer.api_key.unwrap(), answer.secret))
}

async fn list(house: &House, tokens: &pb::TokenPair) -> Vec<pb::ApiKey> {
    let request = by(tokens, pb::ListApiKeysRequest::default());
    let answer = house.client.clone().list_api_keys(request).await.unwrap();
    answer.into_inner().api_keys
}

async fn revoke(house: &House, tokens: &pb::TokenPair, id: &str) -> Result<(), Status> {
    let request = pb::RevokeApiKeyRequest {
        api_key_id: id.into(),
    };
    let mut client = house.client.clone();
    client.revoke_api_key(by(tokens, request)).await?;
    Ok(())
}

/// As the edge asks.
pub async fn exchange(house: &House, key: &str) -> Result<pb::ExchangeApiKeyResponse, Status> {
    let token = ServiceTokens::new(&secret(), "edge")
        .token("users")
        .unwrap();
    let request = pb::ExchangeApiKeyRequest { secret: key.into() };
    let mut client = house.client.clone();
    let answer = client.exchange_api_key(bearing(&token, request)).await?;
    Ok(answer.into_inner())
}

/// What an access token says.
pub fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

/// So many seconds from the house's now.
fn after(house: &House, seconds: i64) -> Option<Timestamp> {
    Some(atelier_kit::moment::timestamp(
        house.clock.now() + seconds * 1_000_000,
    ))
}

#[tokio::test]
async fn a_key_is_shown_once_and_listed_by_its_beginning() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    let request = asked(&[Scope::Chat, Scope::Read], after(&house, 3600));
    let (key, secret) = create(&house, &tokens, request).await.unwrap();
    assert!(secret.starts_with(&key.prefix) && secret.len() > 48);
    assert_eq!(
        (key.prefix.len(), key.display_name.as_str()),
        (12, "build server")
    );
    assert_eq!(key.scopes, [i32::from(Scope::Read), i32::from(Scope::Chat)]);
    assert_eq!(key.expire_time, after(&house, 3600));
    assert_eq!(key.last_use_time, None);
    assert_eq!(list(&house, &tokens).await, [key]);

    let (_, bob) = house.register("bob@x.org").await;
    assert_eq!(list(&house, &bob).await, []);
    let kept = house.kept().await;
    let holds = |text: &str| {
        kept.windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds(&secret[..12]) && !holds(&secret[..20]));
}

#[tokio::test]
async fn a_key_is_exchanged_for_five_minutes_within_its_scopes() {
    let house = House::new().await;
    let (user, tokens) = house.register("ana@x.org").await;
    let (key, secret) = create(&house, &tokens, asked(&[Scope::Read, Scope::Chat], None))
        .await
        .unwrap();
    let answer = exchange(&house, &secret).await.unwrap();
    let claims = claims(&answer.access_token);
    assert_eq!(claims["sub"], user.id);
    assert_eq!(claims["sid"], key.id);
    assert_eq!(
        (&claims["role"], &claims["plan"]),
        (&"user".into(), &"free".into())
    );
    assert_eq!(claims["scope"], "read chat");
    let (iat, exp) = (
        claims["iat"].as_i64().unwrap(),
        claims["exp"].as_i64().unwrap(),
    );
    assert_eq!(exp - iat, 300);
    assert_eq!(answer.expire_time.unwrap().seconds, exp);

    // It reads its account, and can do nothing that no scope allows.
    let token = answer.access_token.as_str();
    let mut client = house.client.clone();
    let me = client.get_me(bearing(token, pb::GetMeRequest {})).await;
    assert_eq!(me.unwrap().into_inner().user.unwrap().id, user.id);
    let another = client
        .create_api_key(bearing(token, asked(&[Scope::Image], None)))
        .await;
    refused(another, Code::PermissionDenied, "NOT_FOR_API_KEYS");
    let sessions = client
        .list_sessions(bearing(token, pb::ListSessionsRequest::default()))
        .await;
    refused(sessions, Code::PermissionDenied, "NOT_FOR_API_KEYS");
}

#[tokio::test]
async fn a_key_without_the_scope_does_not_even_read() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    let (_, secret) = create(&house, &tokens, asked(&[Scope::Image], None))
        .await
        .unwrap();
    let token = exchange(&house, &secret).await.unwrap().access_token;
    let mut client = house.client.clone();
    let me = client.get_me(bearing(&token, pb::GetMeRequest {})).await;
    refused(me, Code::PermissionDenied, "SCOPE_MISSING");
    // What everybody may, it may.
    let keys = client
        .get_key_set(bearing(&token, pb::GetKeySetRequest {}))
        .await;
    keys.unwrap();
}

#[tokio::test]
async fn the_key_of_an_admin_is_no_admin() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    let (_, secret) = create(&house, &tokens, asked(&[Scope::Read], None))
        .await
        .unwrap();
    crate::admin::made_admin(&house, "ana@x.org").await.unwrap();
    let token = exchange(&house, &secret).await.unwrap().access_token;
    assert_eq!(claims(&token)["role"], "user");
    let users = house
        .client
        .clone()
        .list_users(bearing(&token, pb::ListUsersRequest::default()))
        .await;
    refused(users, Code::PermissionDenied, "NOT_FOR_API_KEYS");
}

#[tokio::test]
async fn what_is_no_key_is_not_exchanged_and_only_services_ask() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    let (_, secret) = create(&house, &tokens, asked(&[Scope::Read], None))
        .await
        .unwrap();
    let slip = secret.replace("atk_", "atl_");
    for bad in [
        "atk_",
        "x",
        &slip,
        &secret[..secret.len() - 1],
        &secret.to_lowercase(),
    ] {
        refused(
            exchange(&house, bad).await,
            Code::Unauthenticated,
            "API_KEY_INVALID",
        );
    }
    bad_field(exchange(&house, "").await, "secret");
    bad_field(exchange(&house, &"x".repeat(257)).await, "secret");
    let request = by(&tokens, pb::ExchangeApiKeyRequest { secret });
    let answer = house.client.clone().exchange_api_key(request).await;
    refused(answer, Code::PermissionDenied, "INTERNAL_ONLY");
}

#[tokio::test]
async fn a_revoked_key_is_over_with_its_tokens_and_only_its_owner_revokes_it() {
    let house = House::new().await;
    let (user, ana) = house.register("ana@x.org").await;
    let (_, bob) = house.register("bob@x.org").await;
    let (key, secret) = create(&house, &ana, asked(&[Scope::Read], None))
        .await
        .unwrap();
    let token = exchange(&house, &secret).await.unwrap().access_token;
    let mut client = house.client.clone();
    for (who, id) in [(&bob, key.id.as_str()), (&ana, "unknown")] {
        refused(revoke(&house, who, id).await, Code::NotFound, "NOT_FOUND");
    }
    bad_field(revoke(&house, &ana, "").await, "api_key_id");
    client
        .get_me(bearing(&token, pb::GetMeRequest {}))
        .await
        .unwrap();

    revoke(&house, &ana, &key.id).await.unwrap();
    refused(
        exchange(&house, &secret).await,
        Code::Unauthenticated,
        "API_KEY_INVALID",
    );
    let me = client.get_me(bearing(&token, pb::GetMeRequest {})).await;
    refused(me, Code::Unauthenticated, "SESSION_ENDED");
    assert_eq!(list(&house, &ana).await, []);
    refused(
        revoke(&house, &ana, &key.id).await,
        Code::NotFound,
        "NOT_FOUND",
    );
    // Every other service is told, and the log remembers.
    let database = house.database().await;
    let told: Vec<(String,)> = sql::query_as("SELECT session_id FROM revocations")
        .fetch_all(database.read())
        .await
        .unwrap();
    assert_eq!(told, [(key.id.clone(),)]);
    let acts: Vec<(String, String, String)> =
        sql::query_as("SELECT action, subject, details FROM audit_events ORDER BY id")
            .fetch_all(database.read())
            .await
            .unwrap();
    let acts: Vec<_> = acts
        .iter()
        .map(|(action, subject, details)| {
            assert!(details.contains(&key.id) && !details.contains(&secret[..12]));
            (action.as_str(), subject.as_str())
        })
        .collect();
    let id = user.id.as_str();
    assert_eq!(acts, [("api_key.created", id), ("api_key.revoked", id)]);
}

#[tokio::test]
async fn a_key_ends_at_its_time_and_is_listed_still() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    let request = asked(&[Scope::Read], after(&house, 60));
    let (key, secret) = create(&house, &tokens, request).await.unwrap();
    let token = exchange(&house, &secret).await.unwrap();
    assert!(token.expire_time.unwrap().seconds <= key.expire_time.unwrap().seconds);
    house.clock.pass(60);
    refused(
        exchange(&house, &secret).await,
        Code::Unauthenticated,
        "API_KEY_INVALID",
    );
    let request = bearing(&token.access_token, pb::GetMeRequest {});
    let me = house.client.clone().get_me(request).await;
    refused(me, Code::Unauthenticated, "SESSION_ENDED");
    assert_eq!(list(&house, &tokens).await[0].id, key.id);
    revoke(&house, &tokens, &key.id).await.unwrap();
}

#[tokio::test]
async fn the_last_use_is_kept_to_the_minute_and_written_once_in_it() {
    let house = House::new().await;
    // The first second of a minute.
    let since = house.clock.now() / 1_000_000 % 60;
    house.clock.pass(60 - since);
    let (_, tokens) = house.register("ana@x.org").await;
    let (_, secret) = create(&house, &tokens, asked(&[Scope::Read], None))
        .await
        .unwrap();
    let minute = house.clock.now() / 60_000_000 * 60;
    let used = async || {
        list(&house, &tokens).await[0]
            .last_use_time
            .unwrap()
            .seconds
    };
    exchange(&house, &secret).await.unwrap();
    assert_eq!(used().await, minute);
    // Whoever holds the write lock holds up no exchange of the same minute.
    let database = house.database().await;
    let lock = database.begin().await.unwrap();
    house.clock.pass(50);
    let begun = SystemTime::now();
    exchange(&house, &secret).await.unwrap();
    assert!(begun.elapsed().unwrap() < Duration::from_secs(2));
    lock.rollback().await.unwrap();
    assert_eq!(used().await, minute);
    house.clock.pass(10);
    exchange(&house, &secret).await.unwrap();
    assert_eq!(used().await, minute + 60);
}

#[tokio::test]
async fn an_account_has_at_most_a_hundred_keys_that_work_however_they_are_made() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    // Those that have expired do not count.
    for _ in 0..3 {
        let request = asked(&[Scope::Read], after(&house, 1));
        create(&house, &tokens, request).await.unwrap();
    }
    house.clock.pass(1);
    let made = (0..105).map(|_| create(&house, &tokens, asked(&[Scope::Read], None)));
    let mut works = Vec::new();
    let mut refusals = 0;
    for answer in join_all(made).await {
        match answer {
            Ok((key, _)) => works.push(key.id),
            answer => {
                refused(answer, Code::ResourceExhausted, "TOO_MANY_API_KEYS");
                refusals += 1;
            }
        }
    }
    assert_eq!((works.len(), refusals), (100, 5));
    revoke(&house, &tokens, &works[0]).await.unwrap();
    create(&house, &tokens, asked(&[Scope::Read], None))
        .await
        .unwrap();

    // All pages together are all keys, each once.
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListApiKeysRequest {
            page_size: 40,
            page_token,
        };
        let mut client = house.client.clone();
        let page = client.list_api_keys(by(&tokens, request)).await.unwrap();
        let page = page.into_inner();
        found.extend(page.api_keys.into_iter().map(|key| key.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let mut once = found.clone();
    once.sort();
    once.dedup();
    assert_eq!((found.len(), once.len()), (103, 103));
}

#[tokio::test]
async fn what_breaks_a_rule_is_named() {
    let house = House::new().await;
    let (_, tokens) = house.register("ana@x.org").await;
    let good = asked(&[Scope::Read], None);
    for scopes in [
        vec![],
        vec![0],
        vec![99],
        vec![1, 1],
        vec![1; 10_000 / 8],
        vec![1, 2, 3, 4, 1],
    ] {
        let request = pb::CreateApiKeyRequest {
            scopes,
            ..good.clone()
        };
        bad_field(create(&house, &tokens, request).await, "scopes");
    }
    for name in ["", "   ", &"x".repeat(101)] {
        let request = pb::CreateApiKeyRequest {
            display_name: name.into(),
            ..good.clone()
        };
        bad_field(create(&house, &tokens, request).await, "display_name");
    }
    for expire_time in [
        after(&house, 0),
        after(&house, -1),
        Some(Timestamp {
            seconds: i64::MAX,
            nanos: 0,
        }),
    ] {
        let request = pb::CreateApiKeyRequest {
            expire_time,
            ..good.clone()
        };
        bad_field(create(&house, &tokens, request).await, "expire_time");
    }
    let request = pb::ListApiKeysRequest {
        page_size: -1,
        ..Default::default()
    };
    let answer = house
        .client
        .clone()
        .list_api_keys(by(&tokens, request))
        .await;
    bad_field(answer, "page_size");
    let (_, anonymous) = house.anonymous().await;
    refused(
        create(&house, &anonymous, good).await,
        Code::PermissionDenied,
        "ROLE_TOO_LOW",
    );
}

//! What those who run the mesh are told of an API, and that nobody else is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use atelier_kit::identity::Role;
use atelier_kit::testing::api::{Answer, Api};
use atelier_proto::upstream::v1::BreakerState;
use serde_json::json;
use tonic::Code;

use crate::stage::*;

#[tokio::test]
async fn admins_are_told_how_an_api_does_and_never_its_key() {
    let ill = Arc::new(AtomicBool::new(false));
    let is_ill = ill.clone();
    let api = Api::start(move |_, _| match is_ill.load(Ordering::SeqCst) {
        true => Answer::json(503, &json!({})),
        false => events(&[delta("Ahoy."), stop()]),
    })
    .await;
    let world = World::open(&api.url.replace("http://", "http://ana:pw-0815@")).await;
    let id = world.conversation("").await;
    assert_eq!(text(&world.say(&id, "Hello.").await), "Ahoy.");
    let seen = world.upstreams(Role::Admin).await.unwrap();
    assert_eq!(seen.len(), 1);
    let (one, origin) = (&seen[0], api.url.trim_end_matches("/v1"));
    assert_eq!(
        (one.provider.as_str(), one.endpoint.as_str()),
        ("openai-compatible", origin)
    );
    assert_eq!(
        (one.breaker(), one.calls, one.failures, one.retries),
        (BreakerState::Closed, 1, 0, 0)
    );
    assert_eq!((one.in_flight, one.keys.len()), (0, 1));
    assert_eq!(one.keys[0].source, "ATELIER_CHAT_API_KEY");
    assert!(one.latency.is_some() && one.retry_time.is_none());
    assert!(!format!("{seen:?}").contains(KEY) && !format!("{seen:?}").contains("pw-0815"));

    ill.store(true, Ordering::SeqCst);
    for _ in 0..4 {
        world.failure().await;
    }
    let one = world.upstreams(Role::Admin).await.unwrap().remove(0);
    assert_eq!(one.breaker(), BreakerState::Open);
    assert!(
        one.retry_time.is_some() && one.failures == 9 && one.retries == 6,
        "{one:?}"
    );
    // It is left alone: what is asked meanwhile is told at once.
    let asked = api.seen().len();
    assert_eq!(told(&world.failure().await), ("UPSTREAM_UNAVAILABLE", true));
    assert_eq!(api.seen().len(), asked);
    for role in [Role::User, Role::Moderator] {
        let refused = world.upstreams(role).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    world.kept_the_key();
}

#[tokio::test]
async fn the_connection_to_an_api_is_used_again() {
    let api = Api::start(|_, _| events(&[delta("Ahoy."), stop()])).await;
    let world = World::open(&api.url).await;
    let id = world.conversation("").await;
    for _ in 0..5 {
        assert_eq!(text(&world.say(&id, "Hello.").await), "Ahoy.");
    }
    let log = world.log.text();
    let made = log.matches("connecting to 127.0.0.1").count();
    assert_eq!(made, 1, "each reply made a connection of its own");
}

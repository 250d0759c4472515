//! What the edge draws: from the client's address, for whoever comes without a token; and who is believed about it.

mod house;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use atelier_kit::identity::ServiceTokens;
use atelier_kit::limit::{Limits, LocalLimiter, Table};
use atelier_kit::redis::Redis;
use atelier_kit::testing::{MovedTime, secret, servers};
use atelier_proto::tts::v1 as tts;
use house::*;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

const LOGIN: &str = "/atelier.users.v1.UsersService/Login";
const VOICES: &str = "/atelier.tts.v1.TtsService/ListVoices";

/// A door with the built-in limits, and the hand on its clock.
async fn limited(settings: &[(&str, &str)]) -> (House, MovedTime) {
    let time = MovedTime::default();
    let limits = Limits::new(
        Table::default(),
        Arc::new(LocalLimiter::default()),
        Arc::new(time.clone()),
    );
    (House::open_limited(settings, Arc::new(limits)).await, time)
}

/// An empty message as grpc-web, with these headers.
async fn post(house: &House, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = browser()
        .post(format!("{}{path}", house.url))
        .header("content-type", "application/grpc-web+proto")
        .header("origin", PAGE)
        .body(vec![0; 5]);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// Whether a call was refused for its limit.
fn is_limited(response: &reqwest::Response) -> bool {
    response
        .headers()
        .get("grpc-status")
        .is_some_and(|code| code == "8")
}

#[track_caller]
fn assert_limited(status: &Status, bucket: &str, wait: Duration) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.domain.as_str()),
        ("RATE_LIMITED", "atelier")
    );
    assert_eq!(info.metadata["bucket"], bucket);
    assert_eq!(info.metadata["scope"], "address");
    let delay = status.get_details_retry_info().unwrap().retry_delay;
    assert_eq!(delay, Some(wait));
}

#[tokio::test]
async fn who_has_no_token_is_counted_by_address_and_who_has_one_is_not() {
    let (house, time) = limited(&[]).await;
    let mut client = house.tts().await;
    let half = Duration::from_millis(500);
    for left in (0..120).rev() {
        let answer = client.list_voices(tts::ListVoicesRequest {}).await.unwrap();
        let told = |name: &str| {
            answer
                .metadata()
                .get(name)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(told("ratelimit-limit"), "120");
        assert_eq!(told("ratelimit-remaining"), left.to_string());
    }
    let refused = client.list_voices(tts::ListVoicesRequest {}).await;
    assert_limited(&refused.unwrap_err(), "read", half);
    assert_eq!(house.calls(), 120, "a refused call goes no further");
    // The service counts these.
    for _ in 0..10 {
        let signed = house.signed(tts::ListVoicesRequest {});
        let answer = client.list_voices(signed).await.unwrap();
        assert!(answer.metadata().get("ratelimit-limit").is_none());
    }
    time.advance(half);
    client.list_voices(tts::ListVoicesRequest {}).await.unwrap();
    client
        .list_voices(tts::ListVoicesRequest {})
        .await
        .unwrap_err();
}

#[tokio::test]
async fn two_doors_on_one_server_hold_a_limit_together_and_alone_no_more_than_their_share_of_it() {
    let mut server = servers::Redis::start();
    let mut doors = Vec::new();
    for _ in 0..2 {
        let redis = Redis::new(&server.server_of()).unwrap();
        let limits = Arc::new(Limits::shared(Table::default(), redis));
        doors.push(House::open_limited(&[], limits).await);
    }
    let knock = || async {
        let mut through = 0;
        for at in 0..40 {
            through += usize::from(!is_limited(&post(&doors[at % 2], LOGIN, &[]).await));
        }
        through
    };
    // Five at once, and one in twelve seconds.
    assert!((5..=6).contains(&knock().await));
    server.server().kill();
    let began = std::time::Instant::now();
    let through = knock().await;
    // Each has two a minute now, and has none to begin with: what the other let in is not known any more.
    let most = 2 * (began.elapsed().as_secs() / 30) as usize;
    assert!(through <= most, "{through} of {most}");
    server.server().begin();
}

#[tokio::test]
async fn a_token_beside_a_password_changes_nothing() {
    let (house, _) = limited(&[]).await;
    let bearer = house.bearer();
    let tokens = [
        None,
        Some("Bearer nonsense"),
        Some("Bearer atk_nonsense"),
        Some(&*bearer),
    ];
    for token in tokens.into_iter().chain([None]) {
        let token = token.map(|token| ("authorization", token));
        assert!(!is_limited(&post(&house, LOGIN, token.as_slice()).await));
    }
    for token in tokens {
        let token = token.map(|token| ("authorization", token));
        assert!(is_limited(&post(&house, LOGIN, token.as_slice()).await));
    }
}

#[tokio::test]
async fn a_token_that_does_not_hold_counts_by_address_and_goes_no_further() {
    let (house, _) = limited(&[]).await;
    let bearer = house.bearer();
    let (signed, _) = bearer.rsplit_once('.').unwrap();
    let forged = format!("{signed}.AAAA");
    let service = ServiceTokens::new(&secret(), "tts").token("tts").unwrap();
    let service = format!("Bearer {service}");
    let tokens = ["Bearer nonsense", "Bearer atk_nonsense", &forged, &service];
    for token in tokens.iter().cycle().take(120) {
        let answer = post(&house, VOICES, &[("authorization", token)]).await;
        assert_eq!(answer.headers()["grpc-status"], "16", "{token}");
        assert!(answer.headers().contains_key("ratelimit-remaining"));
    }
    for token in tokens {
        let answer = post(&house, VOICES, &[("authorization", token)]).await;
        assert!(is_limited(&answer), "{token}");
    }
    assert!(is_limited(&post(&house, VOICES, &[]).await));
    assert_eq!(house.calls(), 0);
    let answer = post(&house, VOICES, &[("authorization", &bearer)]).await;
    assert!(!is_limited(&answer));
    assert_eq!(house.calls(), 1);
}

#[tokio::test]
async fn a_key_that_nobody_can_judge_is_not_counted() {
    let (house, _) = limited(&[]).await;
    house.keys.away.store(true, Ordering::SeqCst);
    let key = format!("Bearer {KEY}");
    for _ in 0..10 {
        let answer = post(&house, VOICES, &[("authorization", &key)]).await;
        assert_eq!(answer.headers()["grpc-status"], "14");
    }
    let answer = post(&house, VOICES, &[]).await;
    assert_eq!(answer.headers()["ratelimit-remaining"], "119");
}

#[tokio::test]
async fn a_page_may_read_what_is_left_and_when_to_come_back() {
    let (house, _) = limited(&[]).await;
    let exposed = |response: &reqwest::Response| {
        let exposed = &response.headers()["access-control-expose-headers"];
        let exposed: Vec<_> = exposed
            .to_str()
            .unwrap()
            .split(", ")
            .map(str::to_owned)
            .collect();
        for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
            assert!(exposed.iter().any(|exposed| exposed == name), "{exposed:?}");
        }
    };
    let answer = post(&house, VOICES, &[]).await;
    assert_eq!(answer.headers()["ratelimit-limit"], "120");
    assert_eq!(answer.headers()["ratelimit-remaining"], "119");
    assert_eq!(answer.headers()["ratelimit-reset"], "1");
    exposed(&answer);
    while !is_limited(&post(&house, LOGIN, &[]).await) {}
    let refused = post(&house, LOGIN, &[]).await;
    assert_eq!(refused.status(), 200);
    assert_eq!(refused.headers()["ratelimit-limit"], "5");
    assert_eq!(refused.headers()["ratelimit-remaining"], "0");
    assert_eq!(refused.headers()["ratelimit-reset"], "12");
    exposed(&refused);
    let status = Status::from_header_map(refused.headers()).unwrap();
    assert_limited(&status, "login", Duration::from_secs(12));
}

#[tokio::test]
async fn a_strangers_word_about_his_address_is_not_believed() {
    for settings in [&[][..], &[("ATELIER_TRUSTED_PROXIES", "10.0.0.0/8, ::1")]] {
        let (house, _) = limited(settings).await;
        for n in 0..6 {
            let spoofed = format!("198.51.100.{n}");
            let response = post(&house, LOGIN, &[("x-forwarded-for", &spoofed)]).await;
            assert_eq!(is_limited(&response), n == 5, "{n}");
        }
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_his_own() {
    let (house, _) = limited(&[("ATELIER_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    for client in [
        "198.51.100.1",
        "198.51.100.2",
        "2001:db8:0:1::1",
        "2001:db8:0:2::1",
    ] {
        for n in 0..6 {
            // What the client wrote himself stands before what the proxy saw of him.
            let said = format!("203.0.113.{n}, {client}");
            let response = post(&house, LOGIN, &[("x-forwarded-for", &said)]).await;
            assert_eq!(is_limited(&response), n == 5, "{client} {n}");
        }
    }
    let neighbour = [("x-forwarded-for", "2001:db8:0:1:ffff::9")];
    assert!(is_limited(&post(&house, LOGIN, &neighbour).await));
}

#[tokio::test]
async fn health_is_asked_without_a_limit() {
    let (house, _) = limited(&[]).await;
    let mut client = tonic_health::pb::health_client::HealthClient::new(house.channel());
    for _ in 0..150 {
        let asked = Request::new(tonic_health::pb::HealthCheckRequest::default());
        let answer = client.check(asked).await.unwrap();
        assert!(answer.metadata().get("ratelimit-limit").is_none());
    }
}

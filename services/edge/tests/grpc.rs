//! Native gRPC through the edge, with generated clients over a real socket.

mod house;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use atelier_kit::fault::reason_of;
use atelier_kit::identity::{AccessVerifier, Role, ServiceTokens, Verifier};
use atelier_kit::inbound::Inbound;
use atelier_kit::link::Route;
use atelier_kit::serve::Side;
use atelier_kit::testing::{Issuer, eventually, secret};
use atelier_proto::{analytics::v1 as analytics, tts::v1 as tts};
use house::alone::breakable;
use house::{House, Speech, event, listen, policies, speech_service};
use tokio_stream::StreamExt as _;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

fn speak(text: &str) -> tts::SynthesizeRequest {
    tts::SynthesizeRequest {
        text: text.into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn metadata_passes_both_ways_and_the_browsers_own_headers_stay() {
    let house = House::open().await;
    let mut request = Request::new(tts::ListVoicesRequest {});
    let metadata = request.metadata_mut();
    for (name, value) in [
        ("x-request-id", "mine-1"),
        ("idempotency-key", "k"),
        ("cookie", "a=b"),
        ("x-forwarded-for", "10.0.0.1"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
    ] {
        metadata.insert(name, value.parse().unwrap());
    }
    let answer = house.tts().await.list_voices(request).await.unwrap();
    assert_eq!(answer.metadata().get("x-room").unwrap(), "studio");
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "mine-1");
    let heard: std::collections::HashMap<String, String> = answer
        .into_inner()
        .voices
        .into_iter()
        .map(|voice| (voice.id, voice.title))
        .collect();
    assert_eq!(heard["x-request-id"], "mine-1");
    assert_eq!(heard["idempotency-key"], "k");
    assert!(heard["traceparent"].starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    assert!(
        !heard["traceparent"].contains("00f067aa0ba902b7"),
        "a hop is a span of its own"
    );
    assert!(heard["user-agent"].starts_with("tonic/"));
    assert!(!heard.contains_key("cookie") && !heard.contains_key("x-forwarded-for"));
}

#[tokio::test]
async fn a_call_without_a_request_id_gets_one_that_the_service_sees() {
    let house = House::open().await;
    let answer = house
        .tts()
        .await
        .list_voices(tts::ListVoicesRequest {})
        .await
        .unwrap();
    let told = answer
        .metadata()
        .get("x-request-id")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let heard = answer
        .into_inner()
        .voices
        .into_iter()
        .find(|v| v.id == "x-request-id")
        .unwrap();
    assert_eq!(heard.title, told);
    assert!(told.len() >= 32);
}

#[tokio::test]
async fn a_token_passes_unchanged_and_the_service_decides() {
    let house = House::open().await;
    let mut client = house.tts().await;
    let missing = client.synthesize(speak("two")).await.unwrap_err();
    assert_eq!(missing.code(), Code::Unauthenticated);
    assert_eq!(reason_of(&missing).as_deref(), Some("TOKEN_MISSING"));
    let low = house.issuer.sign("bo", Role::Anonymous, speak("two"));
    let low = client.synthesize(low).await.unwrap_err();
    assert_eq!(reason_of(&low).as_deref(), Some("ROLE_TOO_LOW"));
    assert!(client.synthesize(house.signed(speak("two"))).await.is_ok());
}

#[tokio::test]
async fn a_stream_arrives_message_by_message() {
    let house = House::open().await;
    let request = house.signed(speak("two"));
    let mut stream = house
        .tts()
        .await
        .synthesize(request)
        .await
        .unwrap()
        .into_inner();
    // The second event is not made until the first has arrived.
    assert_eq!(stream.message().await.unwrap(), Some(event(1)));
    house.speech.release.notify_one();
    assert_eq!(stream.message().await.unwrap(), Some(event(2)));
    assert_eq!(stream.message().await.unwrap(), None);
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_keeps_its_details() {
    let house = House::open().await;
    let request = house.signed(speak("broken"));
    let mut stream = house
        .tts()
        .await
        .synthesize(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stream.message().await.unwrap(), Some(event(1)));
    let status = stream.message().await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.metadata["left"].as_str()),
        ("NO_CREDITS", "0")
    );
}

#[tokio::test]
async fn a_deadline_ends_a_running_stream_in_time_with_the_right_code() {
    let house = House::open().await;
    let mut request = house.signed(speak("forever"));
    request
        .metadata_mut()
        .insert("grpc-timeout", "300m".parse().unwrap());
    let begun = Instant::now();
    let mut stream = house
        .tts()
        .await
        .synthesize(request)
        .await
        .unwrap()
        .into_inner();
    let status = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended well"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(reason_of(&status).as_deref(), Some("DEADLINE_EXCEEDED"));
    assert!(
        (250..1500).contains(&begun.elapsed().as_millis()),
        "{:?}",
        begun.elapsed()
    );
    let speech = house.speech.clone();
    eventually("the service's stream is dropped", || {
        std::future::ready(speech.dropped.load(Ordering::SeqCst))
    })
    .await;
}

#[tokio::test]
async fn the_service_gets_what_is_left_of_the_time_and_never_more_than_the_policy() {
    let house = House::open().await;
    let remaining = async |timeout: &'static str| {
        let mut request = Request::new(tts::ListVoicesRequest {});
        request
            .metadata_mut()
            .insert("grpc-timeout", timeout.parse().unwrap());
        let voices = house
            .tts()
            .await
            .list_voices(request)
            .await
            .unwrap()
            .into_inner()
            .voices;
        let voice = voices.into_iter().find(|v| v.id == "remaining-ms").unwrap();
        voice.title.parse::<u64>().unwrap()
    };
    assert!((500..2000).contains(&remaining("2S").await));
    assert!(
        (5_000..=10_000).contains(&remaining("1H").await),
        "the policy allows ten seconds"
    );
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_stream_behind() {
    let house = House::open().await;
    let request = house.signed(speak("forever"));
    let mut stream = house
        .tts()
        .await
        .synthesize(request)
        .await
        .unwrap()
        .into_inner();
    assert!(stream.message().await.unwrap().is_some());
    assert!(!house.speech.dropped.load(Ordering::SeqCst));
    drop(stream);
    let speech = house.speech.clone();
    eventually("the service's stream is dropped", || {
        std::future::ready(speech.dropped.load(Ordering::SeqCst))
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_a_unary_call_ends_it_behind() {
    let house = House::open().await;
    let mut client = house.tts().await;
    let request = house.signed(tts::CancelGenerationRequest {
        generation_id: "g".into(),
    });
    let call = tokio::time::timeout(
        Duration::from_millis(200),
        client.cancel_generation(request),
    );
    assert!(call.await.is_err());
    let speech = house.speech.clone();
    eventually("the service's handler is dropped", || {
        std::future::ready(speech.dropped.load(Ordering::SeqCst))
    })
    .await;
}

#[tokio::test]
async fn a_client_that_reads_no_more_holds_nothing_behind_after_its_deadline() {
    let house = House::open_with(&[("ATELIER_EDGE_MAX_CALLS", "1")]).await;
    let mut request = house.signed(speak("flood"));
    request
        .metadata_mut()
        .insert("grpc-timeout", "500m".parse().unwrap());
    let mut client = house.tts().await;
    let stream = client.synthesize(request).await.unwrap().into_inner();
    // Not read at all. Another caller finds the only place taken, until the time is over.
    let full = client
        .list_voices(tts::ListVoicesRequest {})
        .await
        .unwrap_err();
    assert_eq!(reason_of(&full).as_deref(), Some("OVERLOADED"));
    let speech = house.speech.clone();
    eventually("the service's stream is dropped", || {
        std::future::ready(speech.dropped.load(Ordering::SeqCst))
    })
    .await;
    eventually("the place is free again", || {
        let mut client = client.clone();
        async move { client.list_voices(tts::ListVoicesRequest {}).await.is_ok() }
    })
    .await;
    drop(stream);
}

#[tokio::test]
async fn callers_that_read_no_more_do_not_stop_others() {
    let house = House::open().await;
    let mut stalled = Vec::new();
    for _ in 0..12 {
        let request = house.signed(speak("flood"));
        // Each on a connection of its own, as strangers are.
        stalled.push(house.tts().await.synthesize(request).await.unwrap());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut request = Request::new(tts::ListVoicesRequest {});
    request
        .metadata_mut()
        .insert("grpc-timeout", "3S".parse().unwrap());
    house.tts().await.list_voices(request).await.unwrap();
    drop(stalled);
}

#[tokio::test]
async fn a_message_over_the_policy_is_refused_before_it_is_forwarded() {
    let house = House::open().await;
    let request = house.signed(speak(&"x".repeat(40_000)));
    let status = house.tts().await.synthesize(request).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.metadata["max_bytes"].as_str()),
        ("MESSAGE_TOO_LARGE", "32768")
    );
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn an_internal_method_is_refused_at_the_door_even_with_a_service_token() {
    let house = House::open().await;
    let mut client =
        analytics::analytics_service_client::AnalyticsServiceClient::new(house.channel());
    let token = ServiceTokens::new(&secret(), "tts")
        .token("analytics")
        .unwrap();
    for token in [None, Some(format!("Bearer {token}")), Some(house.bearer())] {
        let mut request = Request::new(analytics::RecordEventsRequest::default());
        if let Some(token) = token {
            request
                .metadata_mut()
                .insert("authorization", token.parse().unwrap());
        }
        let status = client.record_events(request).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert_eq!(reason_of(&status).as_deref(), Some("INTERNAL_ONLY"));
    }
    assert_eq!(house.recorded.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_method_that_is_not_there_or_not_here_is_unimplemented() {
    let house = House::open().await;
    let here = atelier_proto::users::v1::GetKeySetRequest::default();
    let mut users =
        atelier_proto::users::v1::users_service_client::UsersServiceClient::new(house.channel());
    let status = users.get_key_set(here).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "no users in this house");
    assert_eq!(reason_of(&status).as_deref(), Some("METHOD_UNKNOWN"));

    let mut grpc = tonic::client::Grpc::new(house.channel());
    for path in [
        "/atelier.tts.v1.TtsService/Sing",
        "/nobody.Nothing/Never",
        "/grpc.health.v1.Health/No",
    ] {
        grpc.ready().await.unwrap();
        let codec = tonic_codec();
        let status = grpc
            .unary(
                Request::new(tts::ListVoicesRequest {}),
                path.parse().unwrap(),
                codec,
            )
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{path}");
        assert_eq!(
            reason_of(&status).as_deref(),
            Some("METHOD_UNKNOWN"),
            "{path}"
        );
    }
}

fn tonic_codec() -> tonic_prost::ProstCodec<tts::ListVoicesRequest, tts::ListVoicesResponse> {
    tonic_prost::ProstCodec::default()
}

/// A speech service on a socket, which can go and come back.
async fn serve_speech(
    speech: &Arc<Speech>,
    issuer: &Issuer,
    address: &str,
) -> (String, tokio_util::sync::DropGuard) {
    let (service, _) = speech_service(speech);
    let access = AccessVerifier::new(Arc::new(issuer.clone()));
    let verifier = Verifier::new(access, None, "tts");
    let router = Inbound::new("tts", policies(), verifier, 100)
        .guard(service.grpc)
        .merge(service.plain);
    listen(router, Side::Inside, address).await
}

#[tokio::test]
async fn a_service_that_is_away_is_unavailable_until_it_is_back() {
    let (speech, issuer) = (Arc::<Speech>::default(), Issuer::new());
    let (url, guard) = serve_speech(&speech, &issuer, "127.0.0.1:0").await;
    let route = Route::Url(url.parse().unwrap());
    let (_, health) = speech_service(&speech);
    let house = House::open_at(speech.clone(), issuer.clone(), health, route, vec![], &[]).await;
    let mut client = house.tts().await;
    client.list_voices(tts::ListVoicesRequest {}).await.unwrap();

    drop(guard);
    let address = url.strip_prefix("http://").unwrap();
    eventually("the service is away", || {
        let away = std::net::TcpStream::connect(address).is_err();
        std::future::ready(away)
    })
    .await;
    let status = loop {
        match client.list_voices(tts::ListVoicesRequest {}).await {
            // A connection that was still open may have been served once more.
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(reason_of(&status).as_deref(), Some("PEER_UNREACHABLE"));
    assert!(status.get_details_retry_info().is_some());

    let (_, _guard) = serve_speech(&speech, &issuer, address).await;
    eventually("the service is back", || {
        let mut client = client.clone();
        async move { client.list_voices(tts::ListVoicesRequest {}).await.is_ok() }
    })
    .await;
}

#[tokio::test]
async fn a_service_that_dies_in_the_middle_of_a_stream_is_told_as_unavailable() {
    let (speech, issuer) = (Arc::<Speech>::default(), Issuer::new());
    let (url, _guard) = serve_speech(&speech, &issuer, "127.0.0.1:0").await;
    let (route, cut) = breakable(&url).await;
    let (_, health) = speech_service(&speech);
    let house = House::open_at(speech, issuer, health, route, vec![], &[]).await;
    let request = house.signed(speak("forever"));
    let mut stream = house
        .tts()
        .await
        .synthesize(request)
        .await
        .unwrap()
        .into_inner();
    assert!(stream.next().await.unwrap().is_ok());
    cut.notify_waiters();
    let status = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(status)) => break status,
            None => panic!("the stream ended well"),
        }
    };
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(reason_of(&status).as_deref(), Some("PEER_LOST"));
}

//! What the edge answers itself or carries as plain HTTP: CORS, keys, objects, reflection, health, the page.

mod house;

use std::sync::Arc;
use std::time::Duration;

use atelier_kit::identity::AccessVerifier;
use atelier_kit::testing::{eventually, foundation};
use house::{ANALYTICS, House, NoKeys, PAGE, TTS, browser, policies, unlimited};
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Told;
use tonic_health::pb::health_client::HealthClient;

const VOICES: &str = "/atelier.tts.v1.TtsService/ListVoices";
const FOREIGN: &str = "http://evil.example";

fn cors_headers(response: &reqwest::Response) -> Vec<String> {
    let names = response.headers().keys().map(|name| name.to_string());
    names
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

fn preflight(house: &House, origin: &str) -> reqwest::RequestBuilder {
    browser()
        .request(http::Method::OPTIONS, format!("{}{VOICES}", house.url))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,x-grpc-web,x-mine",
        )
}

#[tokio::test]
async fn a_preflight_of_an_allowed_page_is_answered_in_full() {
    let house = House::open().await;
    let response = preflight(&house, PAGE).send().await.unwrap();
    assert_eq!(response.status(), 204);
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], PAGE);
    assert_eq!(
        headers["access-control-allow-headers"],
        "authorization,x-grpc-web,x-mine"
    );
    assert_eq!(headers["access-control-max-age"], "7200");
    assert!(
        headers["access-control-allow-methods"]
            .to_str()
            .unwrap()
            .contains("POST")
    );
    let vary = headers
        .get_all("vary")
        .iter()
        .any(|value| value == "origin");
    assert!(vary, "a cache must know");
}

#[tokio::test]
async fn a_foreign_page_gets_no_cors_header_and_its_calls_are_refused() {
    let house = House::open().await;
    for origin in [FOREIGN, "null", "http://localhost:3000.evil.example"] {
        let response = preflight(&house, origin).send().await.unwrap();
        assert_eq!(response.status(), 403, "{origin}");
        assert_eq!(cors_headers(&response), [""; 0], "{origin}");
        let call = browser()
            .post(format!("{}{VOICES}", house.url))
            .header("origin", origin)
            .header("content-type", "application/grpc-web+proto; charset=utf-8")
            .body(vec![0, 0, 0, 0, 0]);
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), 403, "{origin}");
        assert_eq!(cors_headers(&response), [""; 0], "{origin}");
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["error"]["reason"], "ORIGIN_NOT_ALLOWED");
    }
    assert_eq!(house.calls(), 0);
    // What anyone may fetch is still fetched, and the page may not read it.
    let get = browser().get(format!("{}/.well-known/jwks.json", house.url));
    let response = get.header("origin", FOREIGN).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(cors_headers(&response), [""; 0]);
}

#[tokio::test]
async fn the_settings_say_which_pages_may_call() {
    let house = House::open_with(&[("ATELIER_CORS_ORIGINS", "https://studio.example")]).await;
    let status = async |origin| {
        preflight(&house, origin)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(status("https://studio.example").await, 204);
    assert_eq!(status(PAGE).await, 403);
    assert_eq!(
        status("http://localhost:8080").await,
        204,
        "the edge's own page"
    );
    let open = House::open_with(&[("ATELIER_CORS_ORIGINS", "*")]).await;
    assert_eq!(
        preflight(&open, FOREIGN).send().await.unwrap().status(),
        204
    );
}

#[tokio::test]
async fn the_keys_are_public_and_may_be_kept_a_minute() {
    let house = House::open().await;
    let get = browser().get(format!("{}/.well-known/jwks.json", house.url));
    let response = get.header("origin", PAGE).send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "public, max-age=60");
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["access-control-allow-origin"], PAGE);
    let keys: serde_json::Value = response.json().await.unwrap();
    assert_eq!(keys["keys"][0]["kid"], "test");
    let post = browser().post(format!("{}/.well-known/jwks.json", house.url));
    assert_eq!(post.send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn keys_that_are_away_are_503_and_the_rest_of_the_door_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let foundation = foundation("edge", folder.path());
    let door = atelier_edge::Door {
        config: atelier_edge::EdgeConfig::read(&Default::default()),
        roster: vec![],
        policies: policies(),
        descriptor: atelier_proto::DESCRIPTOR,
        jwks: Arc::new(NoKeys),
        access: AccessVerifier::new(Arc::new(NoKeys)),
        api_keys: Arc::new(NoKeys),
        object_roles: vec![],
        limits: unlimited(),
        leaving: Default::default(),
    };
    let router = atelier_edge::build(door, &foundation).unwrap();
    let (url, _guard) = house::listen(router, atelier_kit::serve::Side::Edge, "127.0.0.1:0").await;
    let response = browser()
        .get(format!("{url}/.well-known/jwks.json"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert!(!response.headers().contains_key("cache-control"));
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body["error"]["reason"], "UNAVAILABLE");
    assert_eq!(browser().get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_object_role_that_is_not_in_the_roster_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let door = atelier_edge::Door {
        config: atelier_edge::EdgeConfig::read(&Default::default()),
        roster: vec![],
        policies: policies(),
        descriptor: atelier_proto::DESCRIPTOR,
        jwks: Arc::new(NoKeys),
        access: AccessVerifier::new(Arc::new(NoKeys)),
        api_keys: Arc::new(NoKeys),
        object_roles: vec!["tts"],
        limits: unlimited(),
        leaving: Default::default(),
    };
    let error = atelier_edge::build(door, &foundation("edge", folder.path())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "objects of tts: no such role in the roster"
    );
}

#[tokio::test]
async fn an_object_is_carried_whole_in_parts_and_not_at_all() {
    let house = House::open().await;
    let url = format!(
        "{}/objects/tts/users/ana/a%20b.wav?signature=x%2Fy",
        house.url
    );
    let get = || {
        browser()
            .get(&url)
            .header("origin", PAGE)
            .header("cookie", "a=b")
    };

    let whole = get().send().await.unwrap();
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["content-type"], "audio/wav");
    assert_eq!(whole.headers()["content-length"], "10");
    assert_eq!(whole.headers()["etag"], "\"v1\"");
    assert_eq!(whole.headers()["x-content-type-options"], "nosniff");
    let target = whole.headers()["x-heard-target"].to_str().unwrap();
    assert!(
        target.ends_with("/objects/tts/users/ana/a%20b.wav?signature=x%2Fy"),
        "{target}"
    );
    assert_eq!(whole.headers()["x-heard-cookie"], "none");
    let allowed: Vec<_> = whole
        .headers()
        .get_all("access-control-allow-origin")
        .iter()
        .collect();
    assert_eq!(allowed, [PAGE], "the edge's word alone");
    assert_eq!(whole.bytes().await.unwrap(), "0123456789");

    let part = get().header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], "bytes 2-4/10");
    assert_eq!(part.bytes().await.unwrap(), "234");

    let known = get()
        .header("if-none-match", "\"v1\"")
        .send()
        .await
        .unwrap();
    assert_eq!(known.status(), 304);

    let head = browser().head(&url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "10");
    assert_eq!(head.bytes().await.unwrap(), "");

    for (method, path, http) in [
        (http::Method::GET, "/objects/users/secret", 404),
        (http::Method::GET, "/objects/tts", 404),
        (http::Method::DELETE, "/objects/tts/a", 405),
        (http::Method::GET, "/objects/analytics/a", 404),
    ] {
        let url = format!("{}{path}", house.url);
        let response = browser().request(method, url).send().await.unwrap();
        assert_eq!(response.status().as_u16(), http, "{path}");
    }
}

#[tokio::test]
async fn the_page_says_how_to_call() {
    let house = House::open_with(&[("ATELIER_PUBLIC_URL", "https://atelier.example/")]).await;
    let response = browser().get(&house.url).send().await.unwrap();
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    let text = response.text().await.unwrap();
    assert!(text.contains("grpcurl atelier.example list"), "{text}");
    assert!(text.contains(TTS) && text.contains("https://atelier.example/.well-known/jwks.json"));
}

async fn reflected_v1(house: &House) -> Vec<String> {
    use server_reflection_client::ServerReflectionClient;
    use server_reflection_request::MessageRequest;
    use server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::*;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(house.channel());
    let stream = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap();
    let answer = stream.into_inner().next().await.unwrap().unwrap();
    match answer.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => list
            .service
            .into_iter()
            .map(|service| service.name)
            .collect(),
        other => panic!("{other:?}"),
    }
}

async fn reflected_v1alpha(house: &House) -> Vec<String> {
    use server_reflection_client::ServerReflectionClient;
    use server_reflection_request::MessageRequest;
    use server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1alpha::*;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(house.channel());
    let stream = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap();
    let answer = stream.into_inner().next().await.unwrap().unwrap();
    match answer.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => list
            .service
            .into_iter()
            .map(|service| service.name)
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reflection_lists_everything_in_both_versions() {
    let house = House::open().await;
    for mut services in [reflected_v1(&house).await, reflected_v1alpha(&house).await] {
        services.sort();
        assert_eq!(
            services,
            [
                "atelier.analytics.v1.AnalyticsService",
                "atelier.llm_chat.v1.LlmChatService",
                "atelier.text_image.v1.TextImageService",
                "atelier.tts.v1.TtsService",
                "atelier.users.v1.CreditsService",
                "atelier.users.v1.UsersService",
                "grpc.health.v1.Health",
                "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection",
            ]
        );
    }
}

#[tokio::test]
async fn reflection_describes_a_method_with_its_policy() {
    use server_reflection_client::ServerReflectionClient;
    use server_reflection_request::MessageRequest;
    use server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::*;
    let house = House::open().await;
    let ask = |symbol: &str| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(symbol.to_owned())),
    };
    // A conversation: both questions on one stream.
    let questions = tokio_stream::iter([ask(TTS), ask("atelier.nothing")]);
    let mut client = ServerReflectionClient::new(house.channel());
    let mut answers = client
        .server_reflection_info(questions)
        .await
        .unwrap()
        .into_inner();
    let first = answers.next().await.unwrap().unwrap();
    let Some(MessageResponse::FileDescriptorResponse(files)) = first.message_response else {
        panic!("{first:?}")
    };
    let file: prost_types::FileDescriptorProto =
        prost::Message::decode(files.file_descriptor_proto[0].as_slice()).unwrap();
    assert_eq!(file.package(), "atelier.tts.v1");
    // Field 50800 with a message, as it is on the wire.
    let option = [0x82, 0xe7, 0x18];
    let has_option = files.file_descriptor_proto[0]
        .windows(3)
        .any(|bytes| bytes == option);
    assert!(has_option, "the policy option is served as it was written");
}

async fn told(house: &House, service: &str) -> Result<Told, Code> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(house.channel()).check(request).await;
    answer
        .map(|answer| answer.into_inner().status())
        .map_err(|status| status.code())
}

#[tokio::test]
async fn health_is_what_each_service_says_of_itself() {
    let house = House::open().await;
    assert_eq!(told(&house, "").await, Ok(Told::Serving));
    assert_eq!(told(&house, "nobody").await, Err(Code::NotFound));
    for service in [TTS, ANALYTICS] {
        eventually(service, async || {
            told(&house, service).await == Ok(Told::Serving)
        })
        .await;
    }
    let request = HealthCheckRequest {
        service: TTS.to_owned(),
    };
    let mut watch = HealthClient::new(house.channel())
        .watch(request)
        .await
        .unwrap()
        .into_inner();
    let mut next = async || watch.next().await.unwrap().unwrap().status();
    assert_eq!(next().await, Told::Serving);
    house
        .health
        .set_service_status(TTS, ServingStatus::NotServing)
        .await;
    let changed = tokio::time::timeout(Duration::from_secs(5), next()).await;
    assert_eq!(changed.unwrap(), Told::NotServing);
    assert_eq!(
        told(&house, ANALYTICS).await,
        Ok(Told::Serving),
        "the others are not touched"
    );
    assert_eq!(told(&house, "").await, Ok(Told::Serving), "nor is the door");
    house
        .health
        .set_service_status(TTS, ServingStatus::Serving)
        .await;
    let changed = tokio::time::timeout(Duration::from_secs(5), next()).await;
    assert_eq!(changed.unwrap(), Told::Serving);
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_is_not_serving_and_so_is_a_door_that_closes() {
    use atelier_kit::link::Route;
    let (speech, issuer) = (Arc::default(), atelier_kit::testing::Issuer::new());
    let (_, health) = house::speech_service(&speech);
    let route = Route::Url("http://127.0.0.1:1".parse().unwrap());
    let house = House::open_at(speech, issuer, health, route, vec![], &[]).await;
    eventually(ANALYTICS, async || {
        told(&house, ANALYTICS).await == Ok(Told::Serving)
    })
    .await;
    assert_eq!(told(&house, TTS).await, Ok(Told::NotServing));
    // About to go, it says so of itself alone, and still tells how the others are.
    house.leaving.cancel();
    eventually("the door", async || {
        told(&house, "").await == Ok(Told::NotServing)
    })
    .await;
    assert_eq!(told(&house, ANALYTICS).await, Ok(Told::Serving));
    house.stop.cancel();
    for service in ["", ANALYTICS] {
        eventually(service, async || {
            told(&house, service).await == Ok(Told::NotServing)
        })
        .await;
    }
}

#[tokio::test]
async fn health_is_asked_from_a_browser_too() {
    let house = House::open().await;
    let response = browser()
        .post(format!("{}/grpc.health.v1.Health/Check", house.url))
        .header("content-type", "application/grpc-web+proto")
        .header("origin", PAGE)
        .body(vec![0, 0, 0, 0, 0])
        .send()
        .await
        .unwrap();
    let body = response.bytes().await.unwrap();
    // A message of one field: SERVING; then the trailers.
    assert_eq!(&body[..7], [0, 0, 0, 0, 2, 8, 1]);
    assert_eq!(body[7], 0x80);
}

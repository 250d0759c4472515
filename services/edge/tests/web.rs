//! grpc-web through the edge, written by hand over HTTP/1.1 as a browser sends it.

mod house;
#[path = "house/wire.rs"]
mod wire;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use atelier_kit::fault::reason_of;
use atelier_kit::link::Route;
use atelier_kit::testing::{Issuer, eventually};
use atelier_proto::tts::v1 as tts;
use house::{House, PAGE, Speech, browser, event, speech_service};
use tonic::Code;
use tonic_types::StatusExt as _;
use wire::{Answer, BINARY, TEXT, frame, frames, text, untext};

const VOICES: &str = "/atelier.tts.v1.TtsService/ListVoices";
const SPEAK: &str = "/atelier.tts.v1.TtsService/Synthesize";
const CONVERSION: &str = "/atelier.tts.v1.TtsService/GetConversion";
const CANCEL: &str = "/atelier.tts.v1.TtsService/CancelGeneration";

fn request(
    house: &House,
    path: &str,
    content_type: &str,
    body: Vec<u8>,
) -> reqwest::RequestBuilder {
    browser()
        .post(format!("{}{path}", house.url))
        .header("content-type", content_type)
        .header("x-grpc-web", "1")
        .header("origin", PAGE)
        .header("authorization", house.bearer())
        .body(body)
}

async fn post(house: &House, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let sent = request(house, path, content_type, body).send();
    let sent = tokio::time::timeout(Duration::from_secs(10), sent)
        .await
        .expect("no answer in time");
    Answer::read(sent.unwrap()).await
}

fn speak(text: &str) -> Vec<u8> {
    frame(&tts::SynthesizeRequest {
        text: text.into(),
        ..Default::default()
    })
}

#[tokio::test]
async fn a_unary_call_works_in_both_forms() {
    let house = House::open().await;
    let body = frame(&tts::ListVoicesRequest {});
    for (content_type, body, answered) in [
        (BINARY, body.clone(), BINARY),
        (
            TEXT,
            text(&body).into_bytes(),
            "application/grpc-web-text+proto",
        ),
    ] {
        let answer = post(&house, VOICES, content_type, body).await;
        assert_eq!(answer.http, 200);
        assert_eq!(answer.status().code(), Code::Ok);
        assert_eq!(answer.headers["content-type"], answered);
        assert_eq!(answer.headers["x-room"], "studio");
        assert_eq!(answer.headers["access-control-allow-origin"], PAGE);
        let voices = answer.message::<tts::ListVoicesResponse>(0).voices;
        assert!(voices.iter().any(|voice| voice.id == "x-request-id"));
        assert!(
            !voices
                .iter()
                .any(|voice| voice.id == "x-grpc-web" || voice.id == "origin")
        );
    }
}

#[tokio::test]
async fn a_content_type_works_in_every_spelling() {
    let house = House::open().await;
    let body = frame(&tts::ListVoicesRequest {});
    for content_type in [
        "application/grpc-web",
        "application/grpc-web+proto; charset=utf-8",
        "Application/GRPC-Web+Proto",
        "application/grpc-web;charset=UTF-8",
    ] {
        let answer = post(&house, VOICES, content_type, body.clone()).await;
        assert_eq!(answer.status().code(), Code::Ok, "{content_type}");
        assert_eq!(answer.headers["content-type"], BINARY);
    }
    for content_type in [
        "application/grpc-web-text+proto",
        "APPLICATION/GRPC-WEB-TEXT; charset=utf-8",
    ] {
        let answer = post(&house, VOICES, content_type, text(&body).into_bytes()).await;
        assert_eq!(answer.status().code(), Code::Ok, "{content_type}");
        assert_eq!(
            answer.headers["content-type"],
            "application/grpc-web-text+proto"
        );
    }
}

#[tokio::test]
async fn a_stream_arrives_message_by_message_in_both_forms() {
    for content_type in [BINARY, TEXT] {
        let house = House::open().await;
        let is_text = content_type == TEXT;
        let encode = |body: Vec<u8>| {
            if is_text {
                text(&body).into_bytes()
            } else {
                body
            }
        };
        let decode = |body: &[u8]| if is_text { untext(body) } else { body.to_vec() };
        let sent = request(&house, SPEAK, content_type, encode(speak("two"))).send();
        let mut response = sent.await.unwrap();
        let first = response.chunk().await.unwrap().unwrap();
        let (messages, trailers) = frames(&decode(&first));
        assert_eq!(
            (messages.len(), trailers),
            (1, None),
            "the second is not made yet"
        );
        house.speech.release.notify_one();
        let mut rest = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            rest.extend_from_slice(&chunk);
        }
        let (messages, trailers) = frames(&decode(&rest));
        let second: tts::SynthesizeResponse =
            prost::Message::decode(messages[0].as_slice()).unwrap();
        assert_eq!(second, event(2));
        assert_eq!(trailers.unwrap()["grpc-status"], "0");
    }
}

#[tokio::test]
async fn an_error_before_any_message_is_in_headers_that_the_page_may_read() {
    let house = House::open().await;
    let body = frame(&tts::GetConversionRequest::default());
    let answer = post(&house, CONVERSION, BINARY, body).await;
    assert_eq!((answer.http, answer.messages.len()), (200, 0));
    for name in ["grpc-status", "grpc-status-details-bin", "x-request-id"] {
        assert!(answer.headers.contains_key(name), "{name}");
        let exposed = answer.headers["access-control-expose-headers"]
            .to_str()
            .unwrap();
        assert!(exposed.contains(name), "{name}");
    }
    let status = answer.status();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(reason_of(status).as_deref(), Some("INVALID_REQUEST"));
    let fields = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(fields[0].field, "conversion_id");
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_in_the_last_frame_with_its_details() {
    let house = House::open().await;
    let answer = post(&house, SPEAK, BINARY, speak("broken")).await;
    assert_eq!(answer.messages.len(), 1);
    assert_eq!(answer.status().code(), Code::ResourceExhausted);
    assert_eq!(reason_of(answer.status()).as_deref(), Some("NO_CREDITS"));
}

#[tokio::test]
async fn a_broken_body_gets_an_error_and_never_reaches_a_service() {
    let house = House::open().await;
    let whole = frame(&tts::ListVoicesRequest {});
    let long = speak("two");
    let garbage = [whole.clone(), b"garbage".to_vec()].concat();
    let mut flagged = whole.clone();
    flagged[0] = 0x80;
    let cases: Vec<(&str, &str, &str, Vec<u8>)> = vec![
        ("half a prefix", VOICES, BINARY, whole[..3].to_vec()),
        ("cut short", SPEAK, BINARY, long[..long.len() - 1].to_vec()),
        ("something follows", VOICES, BINARY, garbage),
        ("trailers", VOICES, BINARY, flagged),
        ("binary as text", VOICES, TEXT, whole.clone()),
        (
            "no base64",
            VOICES,
            TEXT,
            b"!!!! this is no base64 !!!!".to_vec(),
        ),
        (
            "base64 cut short",
            SPEAK,
            TEXT,
            text(&long).into_bytes()[..9].to_vec(),
        ),
        (
            "text, message cut short",
            SPEAK,
            TEXT,
            text(&long[..8]).into_bytes(),
        ),
        (
            "an impossible length of nothing",
            VOICES,
            BINARY,
            vec![0, 0, 0, 0, 9],
        ),
    ];
    for (what, path, content_type, body) in cases {
        let answer = post(&house, path, content_type, body).await;
        let status = answer.status();
        assert_eq!(answer.http, 200, "{what}");
        assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status:?}");
        assert_eq!(
            reason_of(status).as_deref(),
            Some("MALFORMED_MESSAGE"),
            "{what}: {status:?}"
        );
        assert!(
            answer.headers["content-type"]
                .to_str()
                .unwrap()
                .starts_with("application/grpc-web")
        );
    }
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn a_number_of_messages_other_than_one_gets_the_code_that_grpc_has_for_it() {
    let house = House::open().await;
    let whole = frame(&tts::ListVoicesRequest {});
    let twice = [whole.clone(), whole].concat();
    for (content_type, body) in [
        (BINARY, vec![]),
        (TEXT, vec![]),
        (BINARY, twice.clone()),
        (TEXT, text(&twice).into_bytes()),
    ] {
        let answer = post(&house, VOICES, content_type, body).await;
        assert_eq!(answer.status().code(), Code::Unimplemented);
        let reason = reason_of(answer.status());
        assert_eq!(reason.as_deref(), Some("ONE_MESSAGE_NEEDED"));
    }
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn who_still_sends_gets_an_early_answer_and_keeps_the_connection() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let house = House::open().await;
    let address = house.url.strip_prefix("http://").unwrap();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    // Until the answer's last chunk or, where there is none, its empty line.
    async fn answer(socket: &mut tokio::net::TcpStream) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            let mut bytes = [0; 4096];
            let length = socket.read(&mut bytes).await.unwrap();
            assert!(length > 0, "closed after {heard:?}");
            heard.extend_from_slice(&bytes[..length]);
        }
        String::from_utf8_lossy(&heard).into_owned()
    }
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: edge\r\ncontent-type: {BINARY}\r\ntransfer-encoding: chunked\r\n\r\n"
        )
    };
    for _ in 0..3 {
        socket
            .write_all(head("/no.Such/Method").as_bytes())
            .await
            .unwrap();
        assert!(answer(&mut socket).await.contains("grpc-status: 12"));
        // The body comes when the answer has been read, in two pieces.
        for piece in ["5\r\n\0\0\0\0\0\r\n", "0\r\n\r\n"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
            socket.write_all(piece.as_bytes()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_message_that_is_no_protobuf_is_the_callers_fault() {
    let house = House::open().await;
    let body = vec![0, 0, 0, 0, 3, 0xff, 0xff, 0xff];
    let answer = post(&house, SPEAK, BINARY, body).await;
    assert_eq!(answer.status().code(), Code::InvalidArgument);
    assert_eq!(
        reason_of(answer.status()).as_deref(),
        Some("MALFORMED_MESSAGE")
    );
}

#[tokio::test]
async fn an_oversized_message_is_refused_by_its_declared_length() {
    let house = House::open().await;
    let declared = vec![0, 0xff, 0xff, 0xff, 0xff];
    let whole = speak(&"x".repeat(3 << 20));
    for (content_type, body) in [
        (BINARY, declared.clone()),
        // Ten bytes would do; the length alone decides.
        (TEXT, text(&declared).into_bytes()),
        (BINARY, whole.clone()),
        (TEXT, text(&whole).into_bytes()),
    ] {
        let size = body.len();
        let answer = post(&house, SPEAK, content_type, body).await;
        assert_eq!(
            answer.status().code(),
            Code::ResourceExhausted,
            "{size} bytes"
        );
        assert_eq!(
            reason_of(answer.status()).as_deref(),
            Some("MESSAGE_TOO_LARGE")
        );
    }
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn unknown_and_internal_methods_are_refused_in_the_pages_own_protocol() {
    let house = House::open().await;
    for (path, code, reason) in [
        (
            "/nobody.Nothing/Never",
            Code::Unimplemented,
            "METHOD_UNKNOWN",
        ),
        (
            "/atelier.tts.v1.TtsService/Sing",
            Code::Unimplemented,
            "METHOD_UNKNOWN",
        ),
        (
            "/atelier.analytics.v1.AnalyticsService/RecordEvents",
            Code::PermissionDenied,
            "INTERNAL_ONLY",
        ),
    ] {
        let answer = post(&house, path, BINARY, frame(&tts::ListVoicesRequest {})).await;
        assert_eq!(answer.status().code(), code, "{path}");
        assert_eq!(
            reason_of(answer.status()).as_deref(),
            Some(reason),
            "{path}"
        );
    }
    assert_eq!(house.recorded.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_deadline_ends_a_running_stream_with_trailers_the_page_can_read() {
    let house = House::open().await;
    let begun = Instant::now();
    let sent = request(&house, SPEAK, BINARY, speak("forever")).header("grpc-timeout", "300m");
    let answer = Answer::read(sent.send().await.unwrap()).await;
    assert!(!answer.messages.is_empty());
    assert_eq!(answer.status().code(), Code::DeadlineExceeded);
    assert_eq!(
        reason_of(answer.status()).as_deref(),
        Some("DEADLINE_EXCEEDED")
    );
    assert!(
        (250..1500).contains(&begun.elapsed().as_millis()),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn every_short_deadline_is_deadline_exceeded_and_never_cancelled() {
    let house = House::open().await;
    let body = frame(&tts::CancelGenerationRequest {
        generation_id: "g".into(),
    });
    for timeout in ["0m", "1n", "1m", "2m", "5m", "200m"] {
        for _ in 0..5 {
            let sent =
                request(&house, CANCEL, BINARY, body.clone()).header("grpc-timeout", timeout);
            let answer = Answer::read(sent.send().await.unwrap()).await;
            assert_eq!(answer.headers["content-type"], BINARY, "{timeout}");
            assert_eq!(answer.status().code(), Code::DeadlineExceeded, "{timeout}");
        }
    }
    let sent = request(&house, CANCEL, BINARY, body).header("grpc-timeout", "soon");
    let answer = Answer::read(sent.send().await.unwrap()).await;
    assert_eq!(
        reason_of(answer.status()).as_deref(),
        Some("DEADLINE_MALFORMED")
    );
}

#[tokio::test]
async fn a_page_that_leaves_ends_the_stream_behind() {
    let house = House::open().await;
    let mut response = request(&house, SPEAK, BINARY, speak("forever"))
        .send()
        .await
        .unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    assert!(!house.speech.dropped.load(Ordering::SeqCst));
    drop(response);
    let speech = house.speech.clone();
    eventually("the service's stream is dropped", || {
        std::future::ready(speech.dropped.load(Ordering::SeqCst))
    })
    .await;
}

#[tokio::test]
async fn a_service_that_is_away_is_told_with_a_time_to_come_back() {
    let (speech, issuer) = (Arc::<Speech>::default(), Issuer::new());
    let (_, health) = speech_service(&speech);
    // Nobody listens on port 1.
    let route = Route::Url("http://127.0.0.1:1".parse().unwrap());
    let house = House::open_at(speech, issuer, health, route, vec![], &[]).await;
    let answer = post(&house, VOICES, BINARY, frame(&tts::ListVoicesRequest {})).await;
    assert_eq!(answer.http, 200);
    assert_eq!(answer.status().code(), Code::Unavailable);
    assert_eq!(
        reason_of(answer.status()).as_deref(),
        Some("PEER_UNREACHABLE")
    );
    assert!(answer.status().get_details_retry_info().is_some());
}

#[tokio::test]
async fn a_peer_that_is_no_grpc_server_is_unreachable() {
    let (speech, issuer) = (Arc::<Speech>::default(), Issuer::new());
    let (_, health) = speech_service(&speech);
    let proxy =
        axum::Router::new().fallback(|| async { (http::StatusCode::BAD_GATEWAY, "<html>") });
    let (url, _guard) = house::listen(proxy, atelier_kit::serve::Side::Inside, "127.0.0.1:0").await;
    let route = Route::Url(url.parse().unwrap());
    let house = House::open_at(speech, issuer, health, route, vec![], &[]).await;
    let answer = post(&house, VOICES, BINARY, frame(&tts::ListVoicesRequest {})).await;
    assert_eq!(answer.status().code(), Code::Unavailable);
    assert_eq!(
        reason_of(answer.status()).as_deref(),
        Some("PEER_UNREACHABLE")
    );
}

#[tokio::test]
async fn what_is_not_grpc_web_gets_a_plain_and_clear_answer() {
    let house = House::open().await;
    let call = |method: http::Method, path: &str, content_type: &'static str| {
        let request = browser().request(method, format!("{}{path}", house.url));
        request.header("content-type", content_type).send()
    };
    for (method, path, content_type, http, reason) in [
        (http::Method::GET, VOICES, BINARY, 405, "METHOD_NOT_ALLOWED"),
        (
            http::Method::OPTIONS,
            VOICES,
            BINARY,
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (
            http::Method::GET,
            VOICES,
            "text/plain",
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (
            http::Method::POST,
            VOICES,
            "application/grpc",
            415,
            "HTTP2_NEEDED",
        ),
        (
            http::Method::POST,
            VOICES,
            "application/grpc-web+json",
            415,
            "CODEC_UNKNOWN",
        ),
        (
            http::Method::POST,
            VOICES,
            "application/json",
            415,
            "CONTENT_TYPE_UNKNOWN",
        ),
        (
            http::Method::POST,
            "/nothing",
            "application/json",
            404,
            "NOT_FOUND",
        ),
        (http::Method::GET, "/livez", "text/plain", 404, "NOT_FOUND"),
    ] {
        let what = format!("{method} {path} {content_type}");
        let response = call(method, path, content_type).await.unwrap();
        assert_eq!(response.status().as_u16(), http, "{what}");
        if http == 405 {
            assert_eq!(response.headers()["allow"], "POST", "{what}");
        }
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["error"]["reason"], reason, "{what}");
    }
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn the_same_port_speaks_http2_without_tls() {
    let house = House::open().await;
    browser();
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let post = async |path: &str, content_type: &'static str| {
        let request = client.post(format!("{}{path}", house.url));
        let request = request.header("content-type", content_type);
        let body = frame(&tts::ListVoicesRequest {});
        Answer::read(request.body(body).send().await.unwrap()).await
    };
    let web = post(VOICES, "application/grpc-web+proto; charset=utf-8").await;
    assert_eq!((web.status().code(), web.messages.len()), (Code::Ok, 1));
    let native = post(VOICES, "Application/GRPC+proto; charset=utf-8").await;
    assert_eq!((native.http, native.messages.len()), (200, 1));
    assert_eq!(native.headers["content-type"], "application/grpc");
    let codec = post(VOICES, "application/grpc+json").await;
    assert_eq!(codec.status().code(), Code::Unimplemented);
    assert_eq!(reason_of(codec.status()).as_deref(), Some("CODEC_UNKNOWN"));
    let unknown = post("/nobody.Nothing/Never", "application/grpc").await;
    assert_eq!(
        reason_of(unknown.status()).as_deref(),
        Some("METHOD_UNKNOWN")
    );
}

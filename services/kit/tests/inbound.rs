//! What the inbound layers promise: every answer has an id, every error its ErrorInfo, and nothing too large, too many or broken passes.

mod probe;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody};
use probe::*;
use tokio::sync::Semaphore;
use tonic::body::Body;
use tonic::{Code, Request, Status};
use tower::{Service as _, ServiceExt as _};

/// A gRPC frame around a message.
fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![flag];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// Sends a body as it is, and returns the error of the answer.
async fn send(peer: &Peer, path: &str, headers: &[(&str, &str)], body: Body) -> Status {
    let mut request = http::Request::post(format!("http://in-memory{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut link = peer.link();
    let response = link
        .ready()
        .await
        .unwrap()
        .call(request.body(body).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), http::StatusCode::OK);
    Status::from_header_map(response.headers()).expect("an error without a body")
}

async fn send_bytes(peer: &Peer, path: &str, bytes: Vec<u8>) -> Status {
    send(peer, path, &[], Body::new(Full::new(Bytes::from(bytes)))).await
}

#[tokio::test]
async fn an_answer_carries_the_callers_request_id_or_a_new_one() {
    let peer = Mount::default().in_memory(Probe::new());
    let asked = |id: &str| {
        let mut request = Request::new("x".to_owned());
        request
            .metadata_mut()
            .insert("x-request-id", id.parse().unwrap());
        request
    };
    let id_of = |metadata: &tonic::metadata::MetadataMap| {
        metadata
            .get("x-request-id")
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let link = peer.link();
    let answer = call(&link, ONE, asked("mine-1")).await.unwrap();
    assert_eq!(id_of(answer.metadata()), "mine-1");
    let refused = call(&link, FOR_USER, asked("mine-2")).await.unwrap_err();
    assert_eq!(id_of(refused.metadata()), "mine-2");
    // An id that could break a log line, or none, is replaced.
    for request in [
        asked("with space"),
        asked(&"x".repeat(65)),
        Request::new(String::new()),
    ] {
        let id = id_of(call(&link, ONE, request).await.unwrap().metadata());
        assert_eq!(id.len(), 36, "{id}");
    }
    let stream = many(&link, asked("mine-3")).await.unwrap();
    assert_eq!(id_of(stream.metadata()), "mine-3");
}

#[tokio::test]
async fn an_unknown_method_is_said_to_be_unknown() {
    let peer = Mount::default().in_memory(Probe::new());
    for path in [
        "/probe.Probe/Nothing",
        "/no.Such/Service",
        "/",
        "/probe.Probe/One/",
        "/probe.Probe/one",
    ] {
        let status = send_bytes(&peer, path, frame(0, b"")).await;
        assert_refused(&status, Code::Unimplemented, "METHOD_UNKNOWN");
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_the_callers_fault() {
    let peer = Mount::default().in_memory(Probe::new());
    let bad = [
        ("a field that has no end", frame(0, &[0x0a, 0x7f, 0x41])),
        ("a text that is not UTF-8", frame(0, &[0x0a, 0x01, 0xff])),
        ("a wire type that does not exist", frame(0, &[0x0f])),
        ("half a frame header", vec![0, 0, 0]),
        (
            "a message that is cut",
            frame(0, &[0x0a, 3, b'a', b'b', b'c'])[..8].to_vec(),
        ),
        ("a flag that does not exist", frame(2, b"")),
        ("a flag that does not exist either", frame(0xff, b"")),
    ];
    for (what, bytes) in bad {
        for path in [ONE, MANY] {
            let status = send_bytes(&peer, path, bytes.clone()).await;
            assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status:?}");
            assert_refused(&status, Code::InvalidArgument, "MALFORMED_MESSAGE");
        }
    }
}

#[tokio::test]
async fn what_grpc_has_a_code_for_gets_that_code() {
    let peer = Mount::default().in_memory(Probe::new());
    let one = frame(0, &[0x0a, 1, b'a']);
    for (what, bytes, code, reason) in [
        (
            "no message",
            vec![],
            Code::Unimplemented,
            "ONE_MESSAGE_NEEDED",
        ),
        (
            "two messages",
            [one.clone(), one].concat(),
            Code::Unimplemented,
            "ONE_MESSAGE_NEEDED",
        ),
        (
            "a compressed message without an encoding",
            frame(1, &[0x0a, 1, b'a']),
            Code::Internal,
            "ENCODING_MISSING",
        ),
    ] {
        for path in [ONE, MANY] {
            let status = send_bytes(&peer, path, bytes.clone()).await;
            assert_eq!(status.code(), code, "{what}: {status:?}");
            assert_refused(&status, code, reason);
        }
    }
}

#[tokio::test]
async fn an_encoding_that_is_not_spoken_is_named() {
    let peer = Mount::default().in_memory(Probe::new());
    let body = Body::new(Full::new(Bytes::from(frame(1, &[1, 2, 3]))));
    let status = send(&peer, ONE, &[("grpc-encoding", "gzip")], body).await;
    assert_refused(&status, Code::Unimplemented, "ENCODING_UNKNOWN");
}

#[tokio::test]
async fn a_malformed_deadline_is_refused() {
    let peer = Mount::default().in_memory(Probe::new());
    for value in ["soon", "5", "-1S", "123456789S", ""] {
        let body = Body::new(Full::new(Bytes::from(frame(0, b""))));
        let status = send(&peer, ONE, &[("grpc-timeout", value)], body).await;
        assert_refused(&status, Code::InvalidArgument, "DEADLINE_MALFORMED");
    }
}

#[tokio::test]
async fn a_message_up_to_the_limit_passes_and_one_byte_more_does_not() {
    let peer = Mount::default().in_memory(Probe::new());
    // A text of more than 127 bytes has three bytes of protobuf around it.
    let fits = "x".repeat(MOST_BYTES - 3);
    assert_eq!(one(&peer.link(), &fits).await.unwrap().into_inner(), fits);
    let status = one(&peer.link(), &format!("{fits}x")).await.unwrap_err();
    assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
}

#[tokio::test]
async fn a_message_that_says_it_is_too_large_is_refused_unread() {
    let peer = Mount::default().in_memory(Probe::new());
    // Five bytes, and then nothing: who waited for the body would wait for ever.
    let prefix = frame(0, &[0; MOST_BYTES + 1])[..5].to_vec();
    let frames =
        futures_util::stream::iter([Ok::<_, Status>(http_body::Frame::data(Bytes::from(prefix)))])
            .chain(futures_util::stream::pending());
    let refused = send(&peer, ONE, &[], Body::new(StreamBody::new(frames)));
    let status = tokio::time::timeout(Duration::from_secs(5), refused)
        .await
        .expect("an answer");
    assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
}

#[tokio::test]
async fn what_follows_a_message_is_refused_and_not_read_for_ever() {
    let peer = Mount::default().in_memory(Probe::new());
    // It says that it has three bytes, dribbles them, and never ends.
    let message = frame(0, &[0x0a, 1, b'a'])
        .into_iter()
        .map(|byte| vec![byte]);
    let endless = message.chain(std::iter::repeat_with(|| vec![b'x'; 100]));
    let mut two = frame(0, &[0x0a, 1, b'a']);
    two.extend(frame(0, &[0x0a, 1, b'b']));
    let chunks = |chunks: Box<dyn Iterator<Item = Vec<u8>> + Send>| {
        let frames = futures_util::stream::iter(chunks)
            .map(|chunk| Ok::<_, Status>(http_body::Frame::data(Bytes::from(chunk))));
        Body::new(StreamBody::new(frames))
    };
    for body in [
        chunks(Box::new(endless)),
        chunks(Box::new([two].into_iter())),
    ] {
        let refused = send(&peer, ONE, &[], body);
        let status = tokio::time::timeout(Duration::from_secs(5), refused)
            .await
            .expect("an answer");
        // How far it was read before it was refused decides what it is called.
        match status.code() {
            Code::ResourceExhausted => {
                assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
            }
            Code::Unimplemented => {
                assert_refused(&status, Code::Unimplemented, "ONE_MESSAGE_NEEDED");
            }
            _ => assert_refused(&status, Code::InvalidArgument, "MALFORMED_MESSAGE"),
        }
    }
    assert_eq!(
        one(&peer.link(), "next").await.unwrap().into_inner(),
        "next"
    );
}

#[tokio::test]
async fn a_message_in_many_small_pieces_is_one_message() {
    let peer = Mount::default().in_memory(Probe::new());
    let pieces = frame(0, &[0x0a, 3, b'a', b'b', b'c']).into_iter();
    let frames = futures_util::stream::iter(pieces)
        .map(|byte| Ok::<_, Status>(http_body::Frame::data(Bytes::from(vec![byte]))));
    let mut link = peer.link();
    let request = http::Request::post(format!("http://in-memory{ONE}"))
        .header("content-type", "application/grpc")
        .body(Body::new(StreamBody::new(frames)))
        .unwrap();
    let response = link.ready().await.unwrap().call(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(body.to_bytes(), frame(0, &[0x0a, 3, b'a', b'b', b'c']));
}

#[tokio::test]
async fn a_handlers_own_errors_keep_their_code_and_hide_their_insides() {
    let probe = Probe::new().one(|request| async move {
        Err(match request.into_inner().as_str() {
            "internal" => Status::internal("/home/ana/secret.db is locked"),
            "unknown" => Status::unknown("/home/ana/secret.db is locked"),
            "not found" => Status::not_found("no such picture"),
            _ => Status::from(atelier_kit::fault::Fault::not_found("voice")),
        })
    });
    let peer = Mount::default().in_memory(probe);
    for text in ["internal", "unknown"] {
        let status = one(&peer.link(), text).await.unwrap_err();
        assert_refused(&status, Code::Internal, "INTERNAL");
        assert!(!format!("{status:?}").contains("ana"), "{status:?}");
    }
    let status = one(&peer.link(), "not found").await.unwrap_err();
    assert_refused(&status, Code::NotFound, "NOT_FOUND");
    assert_eq!(status.message(), "no such picture");
    assert_refused(
        &one(&peer.link(), "").await.unwrap_err(),
        Code::NotFound,
        "NOT_FOUND",
    );
}

#[tokio::test]
async fn an_error_within_a_stream_is_dressed_as_well() {
    let probe = Probe::new().many(|request| {
        let error = match request.into_inner().as_str() {
            "internal" => Status::internal("/home/ana/secret.db is locked"),
            _ => Status::from(atelier_kit::fault::Fault::not_found("voice")),
        };
        futures_util::stream::iter([Ok("first".to_owned()), Err(error)])
    });
    let peer = Mount::default().in_memory(probe);
    let mut stream = many(&peer.link(), Request::new("internal".into()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stream.message().await.unwrap().as_deref(), Some("first"));
    let status = stream.message().await.unwrap_err();
    assert_error(&status, Code::Internal, "INTERNAL");
    assert!(!format!("{status:?}").contains("ana"), "{status:?}");
    let mut stream = many(&peer.link(), Request::new(String::new()))
        .await
        .unwrap()
        .into_inner();
    stream.message().await.unwrap();
    assert_error(
        &stream.message().await.unwrap_err(),
        Code::NotFound,
        "NOT_FOUND",
    );
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_server_goes_on() {
    let probe = Probe::new()
        .one(|request| async move {
            assert!(
                request.get_ref() != "panic",
                "this test wants a panic: /home/ana"
            );
            Ok(request.into_inner())
        })
        .many(|_| {
            futures_util::stream::unfold(0, |n| async move {
                if n > 0 {
                    // After the first message has left: what is ready at once leaves in one piece.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    panic!("this test wants a panic: /home/ana");
                }
                Some((Ok("first".to_owned()), n + 1))
            })
        });
    let peer = Mount {
        places: 1,
        ..Mount::default()
    }
    .in_memory(probe);
    let link = peer.link();
    for _ in 0..3 {
        let status = one(&link, "panic").await.unwrap_err();
        assert_refused(&status, Code::Internal, "INTERNAL");
        assert!(!format!("{status:?}").contains("ana"), "{status:?}");
        let mut stream = many(&link, Request::new(String::new()))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(stream.message().await.unwrap().as_deref(), Some("first"));
        let status = stream.message().await.unwrap_err();
        assert_error(&status, Code::Internal, "INTERNAL");
        drop(stream);
        // The only place is free again, and the connection is the same.
        assert_eq!(one(&link, "well").await.unwrap().into_inner(), "well");
    }
}

#[tokio::test]
async fn a_full_service_says_so_at_once_and_a_dropped_stream_frees_its_place() {
    let told = Arc::new(Semaphore::new(0));
    let alive = told.clone();
    let probe = Probe::new().many(move |_| {
        futures_util::stream::unfold((Alive::new(&alive), true), |(alive, first)| async move {
            if !first {
                std::future::pending::<()>().await;
            }
            Some((Ok("first".to_owned()), (alive, false)))
        })
    });
    let peer = Mount {
        places: 2,
        ..Mount::default()
    }
    .in_memory(probe);
    let link = peer.link();
    let first = many(&link, Request::new(String::new())).await.unwrap();
    let second = many(&link, Request::new(String::new())).await.unwrap();
    for _ in 0..3 {
        let status = one(&link, "x").await.unwrap_err();
        assert_refused(&status, Code::Unavailable, "OVERLOADED");
        use tonic_types::StatusExt as _;
        assert!(
            status
                .get_details_retry_info()
                .unwrap()
                .retry_delay
                .is_some()
        );
    }
    drop(first);
    dropped(&told, 1).await;
    atelier_kit::testing::eventually("a place is free", || async {
        one(&link, "x").await.is_ok()
    })
    .await;
    drop(second);
}

#[tokio::test]
async fn the_calls_under_way_are_counted_down_however_they_end() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // The test runs on one thread, so the recorder of this thread hears the server too.
    let _guard = metrics::set_default_local_recorder(&recorder);
    let told = Arc::new(Semaphore::new(0));
    let alive = told.clone();
    let probe = Probe::new().one(move |request| {
        let alive = Alive::new(&alive);
        async move {
            if request.get_ref() == "wait" {
                std::future::pending::<()>().await;
            }
            drop(alive);
            Ok(String::new())
        }
    });
    let peer = Mount::default().in_memory(probe);
    let link = peer.link();
    one(&link, "x").await.unwrap();
    dropped(&told, 1).await;
    // A caller that goes away before there is an answer.
    let gone = tokio::time::timeout(Duration::from_millis(100), one(&link, "wait")).await;
    assert!(gone.is_err());
    dropped(&told, 1).await;
    let count = || {
        handle
            .render()
            .lines()
            .find(|line| line.starts_with("atelier_rpc_in_flight"))
            .map(str::to_owned)
    };
    assert_eq!(
        count().as_deref(),
        Some("atelier_rpc_in_flight{service=\"probe\"} 0")
    );
}

//! What a hop carries and what it makes of a peer that is away, slow, lost or back again.

mod probe;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use atelier_kit::call::{Call, Trace};
use atelier_kit::identity::{Caller, Role, ServiceTokens};
use atelier_kit::link::{Link, Links, Route, pipe};
use atelier_kit::testing::{eventually, secret};
use futures_util::StreamExt as _;
use probe::*;
use tokio::net::{TcpListener, TcpStream};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

fn links(routes: &[(&str, &Route)], role: &str) -> Links {
    let routes: BTreeMap<_, _> = routes
        .iter()
        .map(|(role, route)| ((*role).to_owned(), (*route).clone()))
        .collect();
    Links::new(&routes, Some(ServiceTokens::new(&secret(), role))).unwrap()
}

/// Tells what it knows of a call, one fact a line.
fn witness() -> Probe {
    Probe::new().one(|request| async move {
        let call = Call::of(&request)?;
        let caller = match &call.caller {
            Caller::Nobody => "nobody".to_owned(),
            Caller::Account(account) => format!("account {}", account.id),
            Caller::Service(role) => format!("service {role}"),
        };
        let parent = request
            .metadata()
            .get("traceparent")
            .map_or("", |value| value.to_str().unwrap());
        Ok(format!(
            "{caller}\n{}\n{}\n{:032x}\n{parent}",
            call.id,
            call.remaining().as_millis(),
            call.trace.trace_id
        ))
    })
}

/// Passes its call on to the role `inner`.
fn outer(links: &Links) -> Probe {
    let link = links.to("inner");
    Probe::new().one(move |request| {
        let link = link.clone();
        async move {
            let request = Call::of(&request)?.request(String::new());
            Ok(call(&link, FOR_INTERNAL, request).await?.into_inner())
        }
    })
}

#[tokio::test]
async fn a_hop_carries_deadline_trace_and_request_id_and_the_services_own_identity() {
    let inner = Mount {
        role: "inner",
        ..Mount::default()
    }
    .in_memory(witness());
    let over_tcp = Mount {
        role: "inner",
        ..Mount::default()
    }
    .on_loopback(witness(), 0)
    .await;
    for peer in [&inner, &over_tcp] {
        let links = links(&[("inner", &peer.route)], "outer");
        let first = Mount {
            role: "outer",
            ..Mount::default()
        }
        .in_memory(outer(&links));
        let trace = Trace::begin();
        let mut request = issuer().sign("ana", Role::User, String::new());
        request.set_timeout(Duration::from_secs(8));
        request
            .metadata_mut()
            .insert("x-request-id", "story-1".parse().unwrap());
        request
            .metadata_mut()
            .insert("traceparent", trace.header().parse().unwrap());
        let link = links_to_self(&first);
        let answer = call(&link, FOR_USER, request).await.unwrap().into_inner();
        let [caller, id, remaining, trace_id, parent] = answer.split('\n').collect::<Vec<_>>()[..]
        else {
            panic!("{answer}");
        };
        assert_eq!((caller, id), ("service outer", "story-1"));
        let remaining: u64 = remaining.parse().unwrap();
        assert!((5_000..8_000).contains(&remaining), "{remaining}");
        assert_eq!(trace_id, format!("{:032x}", trace.trace_id));
        // The hop is a step of its own in the trace.
        let parent = Trace::parse(parent).unwrap();
        assert_eq!(parent.trace_id, trace.trace_id);
        assert_ne!(parent.span_id, trace.span_id);
    }
}

/// A link without any tokens, as the edge has.
fn links_to_self(peer: &Peer) -> Link {
    Link::new("outer", &peer.route, None).unwrap()
}

#[tokio::test]
async fn the_remaining_time_shrinks_from_hop_to_hop_and_the_outer_deadline_ends_the_inner_call() {
    let (gone, ended) = tokio::sync::oneshot::channel::<()>();
    let gone = std::sync::Mutex::new(Some(gone));
    let slow = Probe::new().one(move |_| {
        let held = gone.lock().unwrap().take();
        async move {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            drop(held);
            Ok(String::new())
        }
    });
    let inner = Mount {
        role: "inner",
        deadline: Duration::from_secs(7200),
        ..Mount::default()
    }
    .in_memory(slow);
    let links = links(&[("inner", &inner.route)], "outer");
    let first = Mount {
        role: "outer",
        ..Mount::default()
    }
    .in_memory(outer(&links));
    let begun = Instant::now();
    let status = call(
        &links_to_self(&first),
        ONE,
        within(Duration::from_millis(300)),
    )
    .await
    .unwrap_err();
    assert_error(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(begun.elapsed() < Duration::from_secs(3));
    let ended = tokio::time::timeout(Duration::from_secs(3), ended).await;
    assert!(ended.expect("the inner handler was dropped").is_err());
}

#[tokio::test]
async fn a_call_whose_time_is_over_is_not_sent() {
    let peer = Mount::default().in_memory(witness());
    let call_over = Call {
        deadline: Instant::now(),
        ..Call::background(Duration::ZERO)
    };
    let status = call(&peer.link(), ONE, call_over.request(String::new()))
        .await
        .unwrap_err();
    assert_error(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn background_work_speaks_for_its_service() {
    let peer = Mount::default().in_memory(witness());
    let request = Call::background(Duration::from_secs(3)).request(String::new());
    let answer = call(&peer.link(), FOR_INTERNAL, request)
        .await
        .unwrap()
        .into_inner();
    assert!(answer.starts_with("service tester\n"), "{answer}");
    // A plain request says nothing of its own about who calls.
    let answer = one(&peer.link(), "").await.unwrap().into_inner();
    assert!(answer.starts_with("nobody\n"), "{answer}");
}

#[tokio::test]
async fn a_token_for_one_role_does_not_open_another() {
    let peer = Mount {
        role: "inner",
        ..Mount::default()
    }
    .in_memory(witness());
    // A link that thinks it leads to `users` arrives at `inner`.
    let links = links(&[("users", &peer.route)], "outer");
    let request = Call::background(Duration::from_secs(3)).request(String::new());
    let status = call(&links.to("users"), FOR_INTERNAL, request)
        .await
        .unwrap_err();
    assert_refused(&status, Code::Unauthenticated, "TOKEN_INVALID");
}

#[tokio::test]
async fn a_role_without_an_address_is_unavailable() {
    let links = links(&[], "outer");
    for _ in 0..2 {
        let status = one(&links.to("users"), "x").await.unwrap_err();
        assert_error(&status, Code::Unavailable, "ROLE_UNKNOWN");
        assert!(status.message().contains("users"), "{status:?}");
    }
}

#[track_caller]
fn assert_away(status: &Status) {
    assert_error(status, Code::Unavailable, "PEER_UNREACHABLE");
    let wait = status
        .get_details_retry_info()
        .expect("a RetryInfo")
        .retry_delay;
    assert!(wait.is_some_and(|wait| wait > Duration::ZERO), "{status:?}");
}

#[tokio::test]
async fn a_peer_that_is_away_is_unavailable_and_may_be_asked_again() {
    let (near, far) = pipe();
    drop(far);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    for route in [Route::Memory(near), Route::Url(url.parse().unwrap())] {
        let link = Link::new(ROLE, &route, None).unwrap();
        for _ in 0..3 {
            assert_away(&one(&link, "x").await.unwrap_err());
            assert_away(&many(&link, Request::new(String::new())).await.unwrap_err());
        }
    }
}

#[tokio::test]
async fn a_peer_that_does_not_speak_our_protocol_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stranger = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            use tokio::io::AsyncWriteExt as _;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let link = Link::new(ROLE, &Route::Url(url.parse().unwrap()), None).unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(5), one(&link, "x"))
        .await
        .expect("an answer");
    assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
    stranger.abort();
}

#[tokio::test]
async fn a_peer_that_stops_and_returns_is_found_by_the_same_link() {
    let mut peer = Mount::default().on_loopback(Probe::new(), 0).await;
    let Route::Url(url) = &peer.route else {
        unreachable!("it is on loopback")
    };
    let port = url.port().unwrap();
    let link = peer.link();
    for round in 0..3 {
        let text = format!("round {round}");
        assert_eq!(one(&link, &text).await.unwrap().into_inner(), text);
        peer.closing.cancel();
        let served = std::mem::replace(&mut peer.served, tokio::spawn(async {}));
        tokio::time::timeout(Duration::from_secs(5), served)
            .await
            .expect("it ends")
            .unwrap();
        // However it is found out, it is UNAVAILABLE.
        for _ in 0..3 {
            let status = one(&link, "x").await.unwrap_err();
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            assert!(status.get_details_error_info().is_some(), "{status:?}");
        }
        peer = Mount::default().on_loopback(Probe::new(), port).await;
    }
}

/// A wire to a socket that can be cut.
async fn wire(to: SocketAddr) -> (Route, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut open = tokio::task::JoinSet::new();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(to).await.unwrap();
            open.spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (Route::Url(url.parse().unwrap()), task)
}

#[tokio::test]
async fn a_connection_that_breaks_is_unavailable_for_a_stream_and_for_a_call_under_way() {
    let probe = Probe::new()
        .one(|_| async {
            std::future::pending::<()>().await;
            Ok(String::new())
        })
        .many(|_| {
            futures_util::stream::iter([Ok("first".to_owned())])
                .chain(futures_util::stream::pending())
        });
    let peer = Mount::default().on_loopback(probe, 0).await;
    let Route::Url(url) = &peer.route else {
        unreachable!("it is on loopback")
    };
    let (route, wire) = wire(SocketAddr::from(([127, 0, 0, 1], url.port().unwrap()))).await;
    let link = Link::new(ROLE, &route, None).unwrap();
    let mut stream = many(&link, Request::new(String::new()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stream.message().await.unwrap().as_deref(), Some("first"));
    let waiting = tokio::spawn({
        let link = link.clone();
        async move { one(&link, "x").await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    wire.abort();
    let lost = tokio::time::timeout(Duration::from_secs(5), stream.message())
        .await
        .expect("it is noticed");
    assert_error(&lost.unwrap_err(), Code::Unavailable, "PEER_LOST");
    let lost = tokio::time::timeout(Duration::from_secs(5), waiting)
        .await
        .expect("it is noticed");
    let status = lost.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.get_details_error_info().is_some(), "{status:?}");
}

#[tokio::test]
async fn many_calls_at_once_share_a_link() {
    let peer = Mount {
        places: 500,
        ..Mount::default()
    }
    .in_memory(Probe::new());
    let link = peer.link();
    let calls = (0..200).map(|n| {
        let link = link.clone();
        async move {
            let text = n.to_string();
            one(&link, &text).await.unwrap().into_inner() == text
        }
    });
    assert!(
        futures_util::future::join_all(calls)
            .await
            .into_iter()
            .all(|same| same)
    );
    eventually("the link is still good", || async {
        one(&link, "x").await.is_ok()
    })
    .await;
}

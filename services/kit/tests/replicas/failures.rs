//! What it costs when some replicas are dead, silent, killed or broken.

use std::time::{Duration, Instant};

use atelier_kit::testing::eventually;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tonic::Code;

use crate::probe::assert_error;
use crate::stage::*;

#[tokio::test]
async fn one_dead_replica_beside_a_live_one_costs_no_call() {
    let live = Replica::start().await;
    let link = link(at(&[dead().await, live.address]));
    let callers = (0..4).map(|_| answers(&link, 250));
    futures_util::future::join_all(callers).await;
    assert_eq!(live.count(), 1000);
}

#[tokio::test]
async fn one_that_takes_connections_and_says_nothing_costs_no_call() {
    let live = Replica::start().await;
    let (nobody, _listener) = silent().await;
    let link = link(at(&[nobody, live.address]));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(2500) {
        let called = tokio::time::timeout(Duration::from_millis(900), answered_by(&link));
        assert_eq!(called.await.expect("an answer").unwrap(), live.name());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_replica_that_is_killed_ends_its_streams_and_costs_no_call_after_them() {
    let mut replicas = [
        Replica::start().await,
        Replica::start().await,
        Replica::start().await,
    ];
    let link = link(at(&[
        replicas[0].address,
        replicas[1].address,
        replicas[2].address,
    ]));
    eventually("all three answer", || async {
        answers(&link, 30).await.len() == 3
    })
    .await;
    let mut open = Vec::new();
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    let unlucky = loop {
        let (name, stream) = stream(&link).await;
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        let is_enough = *count == 50;
        open.push((name.clone(), stream));
        if is_enough {
            break name;
        }
    };
    let unlucky = replicas
        .iter_mut()
        .find(|replica| replica.name() == unlucky)
        .unwrap();
    let (hit, spared): (Vec<_>, Vec<_>) = open
        .into_iter()
        .partition(|(name, _)| *name == unlucky.name());
    unlucky.kill().await;
    assert_eq!(hit.len(), 50);
    for (_, mut stream) in hit {
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.message());
        let status = ended.await.expect("it is noticed").unwrap_err();
        assert_error(&status, Code::Unavailable, "PEER_LOST");
    }
    let before = unlucky.count();
    let callers = (0..4).map(|_| answers(&link, 250));
    futures_util::future::join_all(callers).await;
    assert_eq!(unlucky.count(), before);
    for (name, mut stream) in spared {
        let next = tokio::time::timeout(Duration::from_millis(1), stream.message()).await;
        assert!(next.is_err(), "a stream of {name} ended too: {next:?}");
    }
    // It comes back, and takes its part again.
    unlucky.begin().await;
    let begun = Instant::now();
    eventually("it gets calls again", || async {
        answers(&link, 4).await;
        unlucky.count() > before
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn when_all_are_dead_a_call_is_refused_at_once_and_the_first_to_return_is_found() {
    let mut replicas = [Replica::start().await, Replica::start().await];
    let link = link(at(&[replicas[0].address, replicas[1].address]));
    answers(&link, 10).await;
    for replica in &mut replicas {
        replica.kill().await;
    }
    for _ in 0..20 {
        let begun = Instant::now();
        let status = answered_by(&link).await.unwrap_err();
        let took = begun.elapsed();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(took < Duration::from_millis(100), "{took:?}");
        if let Some(wait) = retry_delay(&status) {
            assert!(wait > Duration::ZERO);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let status = answered_by(&link).await.unwrap_err();
    assert_error(&status, Code::Unavailable, "PEER_UNREACHABLE");
    assert!(retry_delay(&status).is_some_and(|wait| wait > Duration::ZERO));
    // However long it was away, so that it is not tried often any more.
    tokio::time::sleep(Duration::from_secs(2)).await;
    replicas[1].begin().await;
    let back = Instant::now();
    while answered_by(&link).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        back.elapsed() < Duration::from_secs(2),
        "{:?}",
        back.elapsed()
    );
    assert_eq!(answers(&link, 200).await[&replicas[1].name()], 200);
}

#[tokio::test]
async fn a_machine_that_is_lost_without_a_word_gets_no_calls_after_some_seconds() {
    let replicas = [Replica::start().await, Replica::start().await];
    let wire = Wire::to(replicas[0].address).await;
    let link = link(at(&[wire.address, replicas[1].address]));
    eventually("both answer", || async {
        answers(&link, 20).await.len() == 2
    })
    .await;
    wire.freeze();
    let lost = Instant::now();
    let (mut failed, mut last) = (0, Duration::ZERO);
    while lost.elapsed() < Duration::from_secs(7) {
        let called = tokio::time::timeout(Duration::from_millis(400), answered_by(&link));
        match called.await {
            Ok(answer) => assert_eq!(answer.unwrap(), replicas[1].name()),
            Err(_) => (failed, last) = (failed + 1, lost.elapsed()),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(last < Duration::from_secs(6), "{last:?}");
    // A call that waited in vain is a slow answer, so that most go to the other long before that.
    assert!(failed < 8, "{failed} calls waited in vain");
}

/// A server that is healthy as far as it says, and resets every call.
async fn breaks_every_call() -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let answer = hyper::service::service_fn(|request: http::Request<_>| async move {
                let _: &hyper::body::Incoming = request.body();
                if !request.uri().path().starts_with("/grpc.health") {
                    return Err("it breaks");
                }
                let mut unimplemented = http::Response::new(String::new());
                let headers = unimplemented.headers_mut();
                headers.insert("content-type", "application/grpc".parse().unwrap());
                headers.insert("grpc-status", "12".parse().unwrap());
                Ok(unimplemented)
            });
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(socket), answer),
            );
        }
    });
    (address, serving)
}

#[tokio::test]
async fn a_replica_whose_calls_break_again_and_again_is_left_out_for_a_while() {
    let live = Replica::start().await;
    let (broken, serving) = breaks_every_call().await;
    let replicas = at(&[broken, live.address]).left_out_for(Duration::from_secs(1));
    let link = link(replicas);
    // Left out: no call of half a second fails. Without that, every second one would.
    let mut failed = 0;
    let mut last_failure = Instant::now();
    let begun = Instant::now();
    while failed == 0 || last_failure.elapsed() < Duration::from_millis(500) {
        if let Err(status) = answered_by(&link).await {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            failed += 1;
            last_failure = Instant::now();
        }
        assert!(
            begun.elapsed() < Duration::from_secs(8),
            "it is never left out"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(failed >= 5, "it was left out after {failed} calls");
    // It is tried again after a while, and left out for longer after a single one.
    let before = failed;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        failed += usize::from(answered_by(&link).await.is_err());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(failed > before, "it is never tried again");
    assert!(failed - before < 10, "{} calls broke", failed - before);
    serving.abort();
}

#[tokio::test]
async fn one_of_three_that_breaks_every_call_costs_less_than_one_in_a_hundred_after_ten_seconds() {
    let live = [Replica::start().await, Replica::start().await];
    let (broken, serving) = breaks_every_call().await;
    let link = link(at(&[live[0].address, broken, live[1].address]));
    let begun = Instant::now();
    let (mut failed, mut calls, mut failed_later) = (0, 0, 0);
    while begun.elapsed() < Duration::from_secs(15) {
        let is_later = begun.elapsed() > Duration::from_secs(10);
        let has_failed = answered_by(&link).await.is_err();
        failed += usize::from(has_failed);
        if is_later {
            calls += 1;
            failed_later += usize::from(has_failed);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    serving.abort();
    assert!(failed >= 5, "{failed} calls broke before it was left out");
    assert!(calls > 100, "{calls} calls are no load");
    assert!(failed_later * 100 < calls, "{failed_later} of {calls}");
}

#[tokio::test]
async fn no_more_than_half_are_left_out() {
    let live = Replica::start().await;
    let (broken, first) = breaks_every_call().await;
    let (other, second) = breaks_every_call().await;
    let link = link(at(&[broken, other, live.address]));
    // One of the two is left out, and the other still gets its part.
    let begun = Instant::now();
    let mut failures = Vec::new();
    while begun.elapsed() < Duration::from_secs(4) {
        if answered_by(&link).await.is_err() {
            failures.push(begun.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let late = |at: &&Duration| **at > Duration::from_secs(3);
    assert!(failures.iter().filter(late).count() > 5, "{failures:?}");
    first.abort();
    second.abort();
}

/// A server that tells of every call but those that ask how it is that it has not looked at it.
async fn refuses_every_call() -> (
    std::net::SocketAddr,
    std::sync::Arc<std::sync::atomic::AtomicUsize>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let refused = std::sync::Arc::<std::sync::atomic::AtomicUsize>::default();
    let counted = refused.clone();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let counted = counted.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(socket).await.unwrap();
                while let Some(Ok((request, mut answer))) = connection.accept().await {
                    if request.uri().path().starts_with("/grpc.health") {
                        let unimplemented = http::Response::builder()
                            .header("content-type", "application/grpc")
                            .header("grpc-status", "12");
                        let _ = answer.send_response(unimplemented.body(()).unwrap(), true);
                        continue;
                    }
                    counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    answer.send_reset(h2::Reason::REFUSED_STREAM);
                }
            });
        }
    });
    (address, refused)
}

#[tokio::test]
async fn a_call_that_was_refused_unseen_goes_to_another() {
    let live = Replica::start().await;
    let (refusing, refused) = refuses_every_call().await;
    let link = link(at(&[refusing, live.address]));
    eventually("both are asked", || async {
        assert_eq!(answers(&link, 10).await[&live.name()], 10);
        refused.load(std::sync::atomic::Ordering::SeqCst) > 10
    })
    .await;
    // With nobody else there it is told, and not for ever tried.
    let (alone, _) = refuses_every_call().await;
    let alone = crate::stage::link(at(&[alone]));
    let status = answered_by(&alone).await.unwrap_err();
    assert_error(&status, Code::Unavailable, "PEER_UNREACHABLE");
}

#[tokio::test]
async fn when_all_break_they_are_tried_all_the_same() {
    let (broken, serving) = breaks_every_call().await;
    let link = link(at(&[broken]));
    for _ in 0..30 {
        let begun = Instant::now();
        let status = answered_by(&link).await.unwrap_err();
        assert_error(&status, Code::Unavailable, "PEER_UNREACHABLE");
        assert!(retry_delay(&status).is_some());
        assert!(begun.elapsed() < Duration::from_millis(500));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    serving.abort();
}

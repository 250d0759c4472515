//! Deadlines hold: over memory and over a socket, for a handler that sleeps, a stream that drips, and a reader that does not read.

mod probe;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atelier_kit::call::Call;
use futures_util::StreamExt as _;
use probe::*;
use tokio::sync::Semaphore;
use tonic::{Code, Request};

const SHORT: Duration = Duration::from_millis(50);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(1500);

/// A probe whose handlers never end by themselves, and what is told when they are dropped.
fn endless() -> (Probe, Arc<Semaphore>) {
    let told = Arc::new(Semaphore::new(0));
    let (one, many) = (told.clone(), told.clone());
    let probe = Probe::new()
        .one(move |_| {
            let alive = Alive::new(&one);
            async move {
                pending::<()>().await;
                drop(alive);
                Ok(String::new())
            }
        })
        .many(move |_| {
            let alive = Alive::new(&many);
            futures_util::stream::unfold(alive, |alive| async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Some((Ok("drip".to_owned()), alive))
            })
        });
    (probe, told)
}

async fn deadlines_hold(peer: Peer, told: Arc<Semaphore>) {
    let link = peer.link();
    // The connection is made first, so that its making is not measured.
    let _ = call(&link, FOR_USER, Request::new(String::new())).await;
    for _ in 0..5 {
        let begun = Instant::now();
        let status = call(&link, ONE, within(SHORT)).await.unwrap_err();
        let took = begun.elapsed();
        assert_error(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        assert!(took > SHORT / 2 && took < SHORT + SLACK, "{took:?}");
        dropped(&told, 1).await;
    }
    for _ in 0..5 {
        let begun = Instant::now();
        let mut stream = many(&link, within(SHORT)).await.unwrap().into_inner();
        let mut heard = 0;
        let status = loop {
            match stream.message().await {
                Ok(Some(_)) => heard += 1,
                Ok(None) => panic!("the stream ended well"),
                Err(status) => break status,
            }
        };
        let took = begun.elapsed();
        assert_error(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        assert!(heard > 0, "nothing arrived before the deadline");
        assert!(took > SHORT / 2 && took < SHORT + SLACK, "{took:?}");
        dropped(&told, 1).await;
    }
}

#[tokio::test]
async fn deadlines_hold_in_memory() {
    let (probe, told) = endless();
    deadlines_hold(Mount::default().in_memory(probe), told).await;
}

#[tokio::test]
async fn deadlines_hold_over_a_socket() {
    let (probe, told) = endless();
    deadlines_hold(Mount::default().on_loopback(probe, 0).await, told).await;
}

#[tokio::test]
async fn the_policys_deadline_caps_a_longer_one() {
    let (probe, told) = endless();
    let peer = Mount {
        deadline: Duration::from_millis(200),
        ..Mount::default()
    }
    .in_memory(probe);
    for request in [
        within(Duration::from_secs(3600)),
        Request::new(String::new()),
    ] {
        let begun = Instant::now();
        let status = call(&peer.link(), ONE, request).await.unwrap_err();
        assert_refused(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        assert!(begun.elapsed() < Duration::from_millis(200) + SLACK);
        dropped(&told, 1).await;
    }
}

#[tokio::test]
async fn a_call_knows_its_deadline() {
    let probe = Probe::new().one(|request| async move {
        let call = Call::of(&request)?;
        Ok(call.remaining().as_millis().to_string())
    });
    let peer = Mount {
        deadline: Duration::from_secs(10),
        ..Mount::default()
    }
    .in_memory(probe);
    let remaining = async |request| -> u64 {
        call(&peer.link(), ONE, request)
            .await
            .unwrap()
            .into_inner()
            .parse()
            .unwrap()
    };
    let millis = remaining(within(Duration::from_secs(4))).await;
    assert!((2_500..4_000).contains(&millis), "{millis}");
    let millis = remaining(within(Duration::from_secs(60))).await;
    assert!((8_500..=10_000).contains(&millis), "{millis}");
}

#[tokio::test]
async fn a_deadline_that_is_over_on_arrival_is_told_and_not_a_hang() {
    let (probe, _told) = endless();
    let peer = Mount::default().in_memory(probe);
    for limit in [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_millis(1),
    ] {
        let status = call(&peer.link(), ONE, within(limit)).await.unwrap_err();
        assert_error(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_neither_the_stream_nor_its_place() {
    let told = Arc::new(Semaphore::new(0));
    let alive = told.clone();
    let made = Arc::new(AtomicUsize::new(0));
    let making = made.clone();
    let probe = Probe::new().many(move |_| {
        let making = making.clone();
        // More than any window holds, so that the writer has to wait for its reader.
        futures_util::stream::unfold((Alive::new(&alive), making), |held| async {
            held.1.fetch_add(1, Ordering::Relaxed);
            Some((Ok("x".repeat(256 * 1024)), held))
        })
    });
    let peer = Mount {
        places: 1,
        ..Mount::default()
    }
    .in_memory(probe);
    let link = peer.link();
    let unread = many(&link, within(Duration::from_secs(1))).await.unwrap();
    let after = async |millis| {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        made.load(Ordering::Relaxed)
    };
    // The writer stands still long before the deadline.
    assert_eq!(after(500).await, after(200).await);
    dropped(&told, 1).await;
    atelier_kit::testing::eventually("the place is free", || async {
        one(&link, "x").await.is_ok()
    })
    .await;
    // Once it reads, it learns why.
    let mut unread = unread.into_inner();
    let status = loop {
        match unread.message().await {
            Ok(message) => assert!(message.is_some(), "the stream ended well"),
            Err(status) => break status,
        }
    };
    assert_error(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_stream_that_always_has_something_to_say_ends_at_its_deadline_as_well() {
    let told = Arc::new(Semaphore::new(0));
    let alive = told.clone();
    let probe = Probe::new().many(move |_| {
        futures_util::stream::unfold(Alive::new(&alive), |alive| async {
            Some((Ok(String::new()), alive))
        })
    });
    let peer = Mount::default().in_memory(probe);
    let begun = Instant::now();
    let mut stream = many(&peer.link(), within(SHORT))
        .await
        .unwrap()
        .into_inner();
    let status = loop {
        match stream.message().await {
            Ok(message) => assert!(message.is_some(), "the stream ended well"),
            Err(status) => break status,
        }
        assert!(begun.elapsed() < SHORT + SLACK);
    };
    assert_error(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    dropped(&told, 1).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_handler() {
    let (probe, told) = endless();
    let peer = Mount::default().in_memory(probe);
    let link = peer.link();
    let gone = tokio::time::timeout(Duration::from_millis(100), one(&link, "x")).await;
    assert!(gone.is_err());
    dropped(&told, 1).await;
    let mut stream = many(&link, Request::new(String::new()))
        .await
        .unwrap()
        .into_inner();
    assert!(stream.next().await.unwrap().is_ok());
    drop(stream);
    dropped(&told, 1).await;
}

//! Replicas behind a name: they come and go without a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atelier_kit::testing::eventually;
use metrics_exporter_prometheus::PrometheusBuilder;
use tonic::Code;

use crate::probe::assert_error;
use crate::stage::*;

const EVERY: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_replica_that_comes_gets_calls_and_one_that_goes_keeps_its_streams() {
    let talkative = Manner {
        says: Duration::from_millis(50),
        ..Manner::default()
    };
    let old = Replica::with(talkative).await;
    let new = Replica::start().await;
    let names = Arc::new(Names::default());
    names.are(&[old.address]);
    let link = link(named(&names, "http", EVERY));
    assert_eq!(answers(&link, 50).await[&old.name()], 50);
    let (_, mut open) = stream(&link).await;

    names.are(&[old.address, new.address]);
    let came = Instant::now();
    while new.count() == 0 {
        answers(&link, 4).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = came.elapsed();
    // The interval, its jitter, and a connection.
    assert!(took < EVERY * 2, "{took:?}");

    names.are(&[new.address]);
    let went = Instant::now();
    eventually("the old one gets no more calls", || async {
        !answers(&link, 30).await.contains_key(&old.name())
    })
    .await;
    assert!(went.elapsed() < EVERY * 3, "{:?}", went.elapsed());
    for _ in 0..5 {
        assert_eq!(open.message().await.unwrap().as_deref(), Some("more"));
    }
}

#[tokio::test]
async fn a_name_server_that_is_away_or_knows_nobody_changes_nothing() {
    let replica = Replica::start().await;
    let names = Arc::new(Names::default());
    names.are(&[replica.address]);
    let link = link(named(&names, "http", Duration::from_millis(50)));
    answers(&link, 1).await;
    names.are_away();
    tokio::time::sleep(Duration::from_millis(300)).await;
    answers(&link, 50).await;
    names.are(&[]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    answers(&link, 50).await;
}

#[tokio::test]
async fn a_name_that_nobody_knows_yet_is_unavailable_until_somebody_does() {
    let replica = Replica::start().await;
    let names = Arc::new(Names::default());
    let link = link(named(&names, "http", Duration::from_secs(3600)));
    for _ in 0..3 {
        let begun = Instant::now();
        let status = answered_by(&link).await.unwrap_err();
        assert_error(&status, Code::Unavailable, "PEER_UNREACHABLE");
        assert!(retry_delay(&status).is_some());
        assert!(begun.elapsed() < Duration::from_millis(500));
    }
    names.are(&[replica.address]);
    // Calls have it looked up long before its time.
    eventually("it is found", || async { answered_by(&link).await.is_ok() }).await;
}

#[tokio::test]
async fn the_replicas_of_a_role_are_counted_by_their_state() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let told = recorder.handle();
    // This test has one thread.
    let _guard = metrics::set_default_local_recorder(&recorder);
    let replica = Replica::start().await;
    let leaving = Replica::start().await;
    leaving.says_that_it_serves(false).await;
    let link = link(at(&[replica.address, leaving.address, dead().await]));
    let is = |state: &str, count: usize| {
        let line = format!("atelier_link_endpoints{{role=\"probe\",state=\"{state}\"}} {count}\n");
        told.render().contains(&line)
    };
    eventually("each is in its state", || async {
        answers(&link, 1).await;
        is("serving", 1) && is("not_serving", 1) && is("away", 1)
    })
    .await;
    drop(link);
    eventually("none is counted any more", || async {
        tokio::task::yield_now().await;
        is("serving", 0) && is("not_serving", 0) && is("away", 0)
    })
    .await;
}

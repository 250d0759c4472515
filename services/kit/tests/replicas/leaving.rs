//! What it costs when replicas leave in an orderly way: nothing.

use std::time::{Duration, Instant};

use atelier_kit::testing::eventually;

use crate::stage::*;

fn talkative() -> Manner {
    Manner {
        says: Duration::from_millis(50),
        ..Manner::default()
    }
}

#[tokio::test]
async fn a_replica_that_leaves_finishes_its_streams_and_gets_no_more_calls() {
    let replicas = [
        Replica::with(talkative()).await,
        Replica::with(talkative()).await,
    ];
    let link = link(at(&[replicas[0].address, replicas[1].address]));
    eventually("both answer", || async {
        answers(&link, 20).await.len() == 2
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(stream(&link).await);
    }
    // All but one stream of whoever is going to leave end, so that it is the one that calls go to: the first of them
    // finds out that it has gone away.
    let mut kept = 0;
    open.retain(|(name, _)| {
        kept += usize::from(*name == replicas[0].name());
        *name != replicas[0].name() || kept == 1
    });
    assert!(kept > 0, "all streams are the other's");
    // Calls go on while it is told to leave.
    let calling = tokio::spawn({
        let link = link.clone();
        async move { answers(&link, 1000).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    replicas[0].leave();
    calling.await.unwrap();
    // Whatever was still on its way to it has arrived.
    let before = replicas[0].count();
    let counts = answers(&link, 200).await;
    assert_eq!(counts[&replicas[1].name()], 200, "{counts:?}");
    assert_eq!(replicas[0].count(), before);
    for (name, stream) in &mut open {
        for _ in 0..3 {
            let more = tokio::time::timeout(Duration::from_secs(2), stream.message());
            let more = more.await.expect("it goes on").unwrap();
            assert_eq!(more.as_deref(), Some("more"), "{name}");
        }
    }
}

#[tokio::test]
async fn a_replica_that_says_it_takes_no_calls_gets_none_until_it_says_otherwise() {
    let replicas = [Replica::start().await, Replica::start().await];
    let link = link(at(&[replicas[0].address, replicas[1].address]));
    eventually("both answer", || async {
        answers(&link, 20).await.len() == 2
    })
    .await;
    replicas[0].says_that_it_serves(false).await;
    // It is asked every second; a leaving role still takes calls for five.
    let told = Instant::now();
    while told.elapsed() < Duration::from_secs(3) {
        answers(&link, 5).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let before = replicas[0].count();
    answers(&link, 100).await;
    assert_eq!(replicas[0].count(), before);
    replicas[0].says_that_it_serves(true).await;
    eventually("it gets calls again", || async {
        answers(&link, 30).await.len() == 2
    })
    .await;
}

#[tokio::test]
async fn when_all_say_they_take_no_calls_they_get_them_all_the_same() {
    let replicas = [Replica::start().await, Replica::start().await];
    for replica in &replicas {
        replica.says_that_it_serves(false).await;
    }
    let link = link(at(&[replicas[0].address, replicas[1].address]));
    eventually("both answer", || async {
        answers(&link, 30).await.len() == 2
    })
    .await;
}

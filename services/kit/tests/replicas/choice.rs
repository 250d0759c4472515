//! Who gets a call while all are well.

use std::time::{Duration, Instant};

use atelier_kit::link::{Link, Replicas, Route};
use atelier_kit::testing::eventually;
use atelier_kit::tls::{Authority, MeshTls};
use tonic::Code;

use crate::probe::{ONE, ROLE, assert_error, call, within};
use crate::stage::*;

#[tokio::test]
async fn nothing_is_connected_before_the_first_call() {
    let replica = Replica::start().await;
    let wire = Wire::to(replica.address).await;
    let link = link(at(&[wire.address]));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(wire.made(), 0);
    assert_eq!(answers(&link, 1).await[&replica.name()], 1);
    assert_eq!(wire.made(), 1);
}

#[tokio::test]
async fn replicas_that_are_alike_share_the_calls() {
    // Long enough that a hiccup of the machine makes no great difference.
    let alike = || {
        Replica::with(Manner {
            thinks: Duration::from_millis(20),
            ..Manner::default()
        })
    };
    let replicas = [alike().await, alike().await, alike().await];
    let link = link(at(&[
        replicas[0].address,
        replicas[1].address,
        replicas[2].address,
    ]));
    everybody_is_there(&link, 3).await;
    let before = replicas.each_ref().map(Replica::count);
    let callers = (0..12).map(|_| answers(&link, 50));
    futures_util::future::join_all(callers).await;
    let counts = replicas.each_ref().map(Replica::count);
    let counts: Vec<usize> = counts
        .iter()
        .zip(before)
        .map(|(all, old)| all - old)
        .collect();
    assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
}

#[tokio::test]
async fn a_slow_replica_gets_fewer_calls() {
    let fast = Replica::with(Manner {
        thinks: Duration::from_millis(2),
        ..Manner::default()
    })
    .await;
    let slow = Replica::with(Manner {
        thinks: Duration::from_millis(400),
        ..Manner::default()
    })
    .await;
    let link = link(at(&[fast.address, slow.address]));
    everybody_is_there(&link, 2).await;
    let before = (fast.count(), slow.count());
    let callers = (0..4).map(|_| answers(&link, 40));
    let counts = futures_util::future::join_all(callers).await;
    assert_eq!(counts.len(), 4);
    let (fast, slow) = (fast.count() - before.0, slow.count() - before.1);
    assert_eq!(fast + slow, 160);
    assert!(slow * 3 < fast, "{fast} and {slow}");
}

#[tokio::test]
async fn streams_count_for_as_long_as_they_last() {
    let replicas = [Replica::start().await, Replica::start().await];
    let link = link(at(&[replicas[0].address, replicas[1].address]));
    everybody_is_there(&link, 2).await;
    let mut open = Vec::new();
    for _ in 0..40 {
        open.push(stream(&link).await);
    }
    let of = |replica: &Replica| {
        open.iter()
            .filter(|(name, _)| *name == replica.name())
            .count()
    };
    let (first, second) = (of(&replicas[0]), of(&replicas[1]));
    assert!(first >= 4 && second >= 4, "{first} and {second}");
    // Those of the first one end; whoever comes next goes where fewer are.
    open.retain(|(name, _)| *name != replicas[0].name());
    eventually("their end is noticed", || async {
        answers(&link, 10).await.get(&replicas[0].name()) == Some(&10)
    })
    .await;
}

#[tokio::test]
async fn a_deadline_holds_whoever_is_called_and_whoever_is_not_there() {
    let hanging = || {
        Replica::with(Manner {
            thinks: Duration::from_secs(3600),
            ..Manner::default()
        })
    };
    let replicas = [hanging().await, hanging().await];
    let (nobody, _listener) = silent().await;
    for addresses in [vec![replicas[0].address, replicas[1].address], vec![nobody]] {
        let link = link(at(&addresses));
        for _ in 0..2 {
            let begun = Instant::now();
            let request = within(Duration::from_millis(300));
            let status = call(&link, ONE, request).await.unwrap_err();
            assert_error(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
            let took = begun.elapsed();
            assert!((200..2000).contains(&took.as_millis()), "{took:?}");
        }
    }
}

#[tokio::test]
async fn each_replica_has_one_connection_and_the_last_link_closes_them() {
    let mut replicas = [Replica::start().await, Replica::start().await];
    let wires = [
        Wire::to(replicas[0].address).await,
        Wire::to(replicas[1].address).await,
    ];
    let link = link(at(&[wires[0].address, wires[1].address]));
    everybody_is_there(&link, 2).await;
    let callers = (0..20).map(|_| answers(&link, 50));
    futures_util::future::join_all(callers).await;
    assert_eq!((wires[0].open(), wires[1].open()), (1, 1));
    assert_eq!((wires[0].made(), wires[1].made()), (1, 1));
    for _ in 0..3 {
        replicas[0].kill().await;
        // A call on its way to it may be lost, until that is known.
        eventually("its end is noticed", || async { wires[0].open() == 0 }).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        answers(&link, 50).await;
        replicas[0].begin().await;
        let before = replicas[0].count();
        eventually("it is used again", || async {
            answers(&link, 4).await;
            replicas[0].count() > before
        })
        .await;
    }
    assert_eq!((wires[0].open(), wires[1].open()), (1, 1));
    let open = stream(&link).await;
    drop(link);
    eventually("all but the stream's is closed", || async {
        wires[0].open() + wires[1].open() == 1
    })
    .await;
    drop(open);
    eventually("all is closed", || async {
        wires[0].open() + wires[1].open() == 0
    })
    .await;
}

#[tokio::test]
async fn certificates_are_checked_for_the_role_at_every_address() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::in_folder(folder.path()).unwrap();
    for role in [ROLE, "tester", "impostor"] {
        authority.issue(role, &[], 30).unwrap();
    }
    let of = |role| MeshTls::read(folder.path(), role).unwrap();
    let as_role = |role| {
        Replica::with(Manner {
            tls: Some(of(role)),
            ..Manner::default()
        })
    };
    let (one, other) = (as_role(ROLE).await, as_role(ROLE).await);
    let impostor = as_role("impostor").await;
    let urls = [&one, &other, &impostor].map(|replica| {
        let url = format!("https://{}", replica.address);
        url.parse().unwrap()
    });
    let replicas = Replicas::at(urls.to_vec())
        .asked_for(SERVICE)
        .with_certificates(of("tester"));
    let link = link(replicas);
    everybody_is_there(&link, 2).await;
    answers(&link, 100).await;
    assert!(one.count() > 0 && other.count() > 0);
    assert_eq!(impostor.count(), 0);
}

#[test]
fn addresses_that_cannot_be_used_are_told_with_their_role() {
    for urls in [
        vec![],
        vec!["ftp://127.0.0.1"],
        vec!["http://127.0.0.1", "redis://h"],
    ] {
        let urls = urls.iter().map(|url| url.parse().unwrap()).collect();
        let error = Link::new(ROLE, &Route::Replicas(Replicas::at(urls)), None).unwrap_err();
        assert!(error.to_string().contains(ROLE), "{error}");
    }
}

/// Waits until so many have answered.
async fn everybody_is_there(link: &Link, count: usize) {
    let seen = std::sync::Mutex::new(std::collections::BTreeSet::new());
    eventually("everybody has answered", || async {
        let name = answered_by(link).await.unwrap();
        let mut seen = seen.lock().unwrap();
        seen.insert(name);
        seen.len() == count
    })
    .await;
}

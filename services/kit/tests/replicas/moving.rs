//! Replicas whose URLs become others while a link leads to them: no call and no stream ends for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use atelier_kit::link::{Link, Replicas};
use atelier_kit::testing::eventually;
use tokio::sync::watch;

use crate::stage::*;

/// A link that goes where it is told to, and who tells it.
fn guided(at: &[SocketAddr]) -> (Link, watch::Sender<Vec<url::Url>>) {
    let (told, heard) = watch::channel(urls(at));
    let replicas = Replicas::following(heard).asked_for(SERVICE);
    (link(replicas), told)
}

fn urls(at: &[SocketAddr]) -> Vec<url::Url> {
    at.iter().copied().map(url).collect()
}

fn talkative() -> Manner {
    Manner {
        says: Duration::from_millis(50),
        ..Manner::default()
    }
}

#[tokio::test]
async fn calls_go_where_the_link_is_told_to_and_streams_end_where_they_began() {
    let old = [
        Replica::with(talkative()).await,
        Replica::with(talkative()).await,
    ];
    let new = [Replica::start().await, Replica::start().await];
    let (link, told) = guided(&[old[0].address, old[1].address]);
    let (name, mut open) = stream(&link).await;
    assert!(old.iter().any(|replica| replica.name() == name));
    // Not one of those that are made meanwhile may fail.
    let calling = tokio::spawn({
        let link = link.clone();
        async move { answers(&link, 2000).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    told.send_replace(urls(&[new[0].address, new[1].address]));
    eventually("the new ones get all calls", || async {
        let counts = answers(&link, 30).await;
        counts.len() == 2 && new.iter().all(|one| counts.contains_key(&one.name()))
    })
    .await;
    calling.await.unwrap();
    let before = old[0].count() + old[1].count();
    answers(&link, 200).await;
    assert_eq!(old[0].count() + old[1].count(), before);
    for _ in 0..5 {
        let more = tokio::time::timeout(Duration::from_secs(2), open.message());
        let more = more.await.expect("it goes on").unwrap();
        assert_eq!(more.as_deref(), Some("more"));
    }
}

#[tokio::test]
async fn those_that_are_left_stay_until_one_that_is_named_takes_calls() {
    let old = Replica::start().await;
    let mut new = Replica::start().await;
    new.kill().await;
    let (link, told) = guided(&[old.address]);
    answers(&link, 10).await;
    told.send_replace(urls(&[new.address]));
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        assert_eq!(answers(&link, 5).await[&old.name()], 5);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    new.begin().await;
    eventually("the new one gets all calls", || async {
        answers(&link, 10).await.get(&new.name()) == Some(&10)
    })
    .await;
    // And back, while nobody is lost.
    told.send_replace(urls(&[old.address]));
    eventually("the old one gets them again", || async {
        answers(&link, 10).await.get(&old.name()) == Some(&10)
    })
    .await;
}

#[tokio::test]
async fn a_link_that_was_never_used_begins_where_it_was_told_last() {
    let (old, new) = (Replica::start().await, Replica::start().await);
    let (link, told) = guided(&[old.address]);
    told.send_replace(urls(&[new.address]));
    assert_eq!(answers(&link, 20).await[&new.name()], 20);
    assert_eq!(old.count(), 0);
    // Nobody is left who could tell anything else.
    drop(told);
    assert_eq!(answers(&link, 20).await[&new.name()], 20);
}

#[tokio::test]
async fn a_name_takes_the_place_of_an_address_and_no_call_falls_between() {
    let (old, new) = (Replica::start().await, Replica::start().await);
    let names = Arc::new(Names::default());
    let (told, heard) = watch::channel(urls(&[old.address]));
    let replicas = Replicas::following(heard)
        .asked_for(SERVICE)
        .found_by(names.clone(), Duration::from_millis(50));
    let link = link(replicas);
    answers(&link, 10).await;
    // At first nobody knows the name.
    told.send_replace(vec!["http://probe.test:7000".parse().unwrap()]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(answers(&link, 50).await[&old.name()], 50);
    names.are(&[new.address]);
    eventually("the new one gets all calls", || async {
        answers(&link, 10).await.get(&new.name()) == Some(&10)
    })
    .await;
}

#[tokio::test]
async fn urls_that_cannot_be_used_change_nothing() {
    let replica = Replica::start().await;
    let (link, told) = guided(&[replica.address]);
    answers(&link, 10).await;
    told.send_replace(Vec::new());
    tokio::time::sleep(Duration::from_millis(300)).await;
    answers(&link, 50).await;
    told.send_replace(vec!["ftp://probe.test".parse().unwrap()]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    answers(&link, 50).await;
}

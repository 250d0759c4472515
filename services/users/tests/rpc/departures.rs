//! Deletions that nobody waits for: of accounts that nobody uses, by several processes, and over the end of one.

use std::time::Duration;

use atelier_kit::testing::eventually;
use atelier_proto::users::v1 as pb;
use tonic::Code;

use crate::house::{House, PASSWORD};
use crate::leaving::{DAY, EMAIL, MINUTE, Town, delete, deletion, eager, everything};
use crate::peers::{Peers, ROLES};

#[tokio::test]
async fn an_anonymous_account_needs_nothing_and_expires_by_itself() {
    let town = Town::new(eager()).await;
    let house = &town.house;
    let (gone, tokens) = house.anonymous().await;
    let token = delete(house, &tokens, "", "").await.unwrap().deletion_token;
    town.done(&token).await;
    assert_eq!(town.peers.asked(&gone.id).len(), 4);

    let (idle, _) = house.anonymous().await;
    let (used, mut tokens) = house.anonymous().await;
    let (registered, _) = house.register(EMAIL).await;
    house.clock.pass(20 * DAY);
    tokens = house.refresh(&tokens.refresh_token).await.unwrap();
    house.clock.pass(10 * DAY - MINUTE);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(town.peers.asked(&idle.id).is_empty(), "deleted too early");
    house.clock.pass(2 * MINUTE);
    eventually("the idle one is erased everywhere", || async {
        house.clock.pass(1);
        town.peers.asked(&idle.id).len() == 4
    })
    .await;
    assert!(town.peers.asked(&used.id).is_empty() && town.peers.asked(&registered.id).is_empty());
    assert_eq!(house.me(&tokens).await.unwrap().id, used.id);
    let rows = everything(house).await;
    let acts = rows.iter().filter(|text| {
        text.starts_with("audit_events.action") && text.ends_with("account.deleted")
    });
    assert_eq!(acts.count(), 2);
}

#[tokio::test]
async fn two_processes_on_one_file_keep_each_receipt_once() {
    let (peers, folder) = (Peers::start(), tempfile::tempdir().unwrap());
    let one = House::among(folder.path(), eager(), &peers.routes).await;
    let two = House::among(folder.path(), eager(), &peers.routes).await;
    let mut tokens = Vec::new();
    for number in 0..8 {
        let (user, pair) = one.register(&format!("ana-{number}@x.org")).await;
        let answer = delete(&one, &pair, PASSWORD, "").await.unwrap();
        tokens.push((user.id, answer.deletion_token));
    }
    for (user_id, token) in &tokens {
        eventually("both see it done", || async {
            one.clock.pass(1);
            two.clock.pass(1);
            let done = |deletion: pb::Deletion| deletion.done_time.is_some();
            done(deletion(&one, token).await.unwrap()) && done(deletion(&two, token).await.unwrap())
        })
        .await;
        let told = deletion(&two, token).await.unwrap();
        assert_eq!(told, deletion(&one, token).await.unwrap());
        assert_eq!(told.receipts.len(), 5);
        assert_eq!(peers.asked(user_id).len(), 4);
    }
}

#[tokio::test]
async fn a_deletion_outlives_the_process_that_began_it() {
    let (peers, folder) = (Peers::start(), tempfile::tempdir().unwrap());
    for role in ROLES {
        peers.fail(role, Some(Code::Unavailable));
    }
    let house = House::among(folder.path(), eager(), &peers.routes).await;
    let (user, tokens) = house.register(EMAIL).await;
    let token = delete(&house, &tokens, PASSWORD, "")
        .await
        .unwrap()
        .deletion_token;
    eventually("all were asked", || async {
        peers.asked(&user.id).len() == 4
    })
    .await;
    house.close().await;
    for role in ROLES {
        peers.fail(role, None);
    }
    let house = House::among(folder.path(), eager(), &peers.routes).await;
    eventually("it is done", || async {
        house.clock.pass(1);
        deletion(&house, &token).await.unwrap().done_time.is_some()
    })
    .await;
    let done = deletion(&house, &token).await.unwrap();
    // The first receipt that came is the one that stays, whatever is asked later.
    assert!(
        done.receipts
            .iter()
            .all(|receipt| receipt.service == "users" || receipt.erased["things"] > 1)
    );
}

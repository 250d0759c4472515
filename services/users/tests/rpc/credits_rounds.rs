//! What happens by itself: credits that expire, and reservations that nobody has settled in their time.

use std::time::Duration;

use atelier_kit::testing::eventually;
use atelier_proto::generation::v1::{Standing, State};
use atelier_proto::users::v1 as pb;
use atelier_users::Config;
use tonic::Code;

use crate::bank::{Bank, PICTURE, PLANS, SECOND, picture, usage, with_plans};
use crate::keys::internal;
use crate::peers::Peers;

const DOLLAR: i64 = 1_000_000;
/// How long a reservation is kept before somebody is asked.
const LEASE: i64 = 15 * 60 * SECOND;

struct Town {
    peers: Peers,
    bank: Bank,
}

impl Town {
    async fn new() -> Self {
        let peers = Peers::start();
        let config = Config {
            rounds_every: Duration::from_millis(10),
            ..with_plans(PLANS)
        };
        let bank = Bank::among(config, &peers.routes).await;
        Self { peers, bank }
    }

    /// How a generation stands from now on.
    fn stands(&self, id: &str, state: State, images: Option<i64>) {
        let standing = Standing {
            state: state.into(),
            charge: images.map(usage),
        };
        let mut notes = self.peers.notes.lock().unwrap();
        notes.standings.insert(id.to_owned(), standing);
    }

    /// Who was asked about a generation.
    fn asked(&self, id: &str) -> Vec<&'static str> {
        let notes = self.peers.notes.lock().unwrap();
        let asked = notes.inspected.iter().filter(|(_, of)| of == id);
        asked.map(|(role, _)| *role).collect()
    }

    async fn asked_times(&self, id: &str, times: usize) {
        eventually("it is asked about", || {
            std::future::ready(self.asked(id).len() >= times)
        })
        .await;
        // A round more, which must not ask again.
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(self.asked(id).len(), times);
    }

    async fn money_becomes(&self, tokens: &pb::TokenPair, money: (i64, i64)) {
        eventually("the money is there", || async {
            self.bank.money(tokens).await == money
        })
        .await;
    }
}

#[tokio::test]
async fn what_nobody_settled_ends_as_its_service_says() {
    let town = Town::new().await;
    let bank = &town.bank;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    bank.set_plan(&user, "plus").await.unwrap();
    let all = 6 * DOLLAR;
    for id in ["done", "failed", "unknown", "open"] {
        let request = pb::ReserveRequest {
            worst_case: Some(usage(2)),
            ..picture(id, &user.id)
        };
        bank.reserve(request).await.unwrap();
    }
    town.stands("done", State::Completed, Some(1));
    town.stands("failed", State::Failed, None);
    town.stands("open", State::Running, None);
    let begun = bank.now();
    // Nobody is asked before the time is over.
    bank.house.clock.set(begun + LEASE - 1);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(town.peers.notes.lock().unwrap().inspected.is_empty());
    assert_eq!(bank.money(&tokens).await, (all - 8 * PICTURE, 8 * PICTURE));

    bank.house.clock.set(begun + LEASE);
    town.money_becomes(&tokens, (all - 3 * PICTURE, 2 * PICTURE))
        .await;
    assert_eq!(town.asked("done"), ["text-image"], "whoever reserved it");
    assert_eq!(
        bank.settle("done", 2).await.unwrap(),
        PICTURE,
        "it was settled"
    );
    // The one at work is kept for another lease.
    town.asked_times("open", 1).await;
    bank.house.clock.set(begun + 2 * LEASE - 1);
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(town.asked("open").len(), 1);
    town.stands("open", State::Cancelled, Some(2));
    bank.house.clock.set(begun + 2 * LEASE);
    town.money_becomes(&tokens, (all - 3 * PICTURE, 0)).await;
}

#[tokio::test]
async fn while_a_service_is_away_its_reservations_are_kept() {
    let town = Town::new().await;
    let bank = &town.bank;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    let held = (DOLLAR - PICTURE, PICTURE);
    bank.picture("g1", &user).await.unwrap();
    for code in [Code::Unavailable, Code::Internal, Code::DeadlineExceeded] {
        town.peers.fail("text-image", Some(code));
        let times = town.asked("g1").len() + 1;
        bank.house.clock.pass(3_600);
        town.asked_times("g1", times).await;
        assert_eq!(bank.money(&tokens).await, held);
    }
    town.peers.fail("text-image", None);
    // It is back: nothing of it is known there.
    bank.house.clock.pass(60);
    town.money_becomes(&tokens, (DOLLAR, 0)).await;
}

#[tokio::test]
async fn one_service_that_is_away_keeps_no_other_from_its_end() {
    let town = Town::new().await;
    let bank = &town.bank;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    bank.picture("g1", &user).await.unwrap();
    let mut speech = bank.house.credits_as("tts");
    let request = pb::ReserveRequest {
        medium: pb::Medium::Speech.into(),
        ..picture("g2", &user.id)
    };
    speech.reserve(internal(request)).await.unwrap();
    // A role that no roster has: nobody can be asked, and so it is kept.
    let mut stranger = bank.house.credits_as("tester");
    stranger
        .reserve(internal(picture("g3", &user.id)))
        .await
        .unwrap();
    town.peers.fail("text-image", Some(Code::Unavailable));
    bank.house.clock.pass(3_600);
    town.money_becomes(&tokens, (DOLLAR - 2 * PICTURE, 2 * PICTURE))
        .await;
    assert_eq!(town.asked("g2"), ["tts"]);
    assert!(town.asked("g3").is_empty());
}

#[tokio::test]
async fn figures_that_cannot_be_keep_no_other_from_its_end() {
    let town = Town::new().await;
    let bank = &town.bank;
    let (user, tokens) = bank.house.register("ana@x.org").await;
    bank.picture("g1", &user).await.unwrap();
    bank.house.clock.pass(1);
    bank.picture("g2", &user).await.unwrap();
    town.stands("g1", State::Completed, Some(-1));
    bank.house.clock.pass(3_600);
    eventually("the other one is released", || async {
        bank.money(&tokens).await.1 <= PICTURE
    })
    .await;
    assert_eq!(town.asked("g2"), ["text-image"]);
}

#[tokio::test]
async fn expired_credits_are_taken_without_anybody_asking() {
    let town = Town::new().await;
    let bank = &town.bank;
    let (_, tokens) = bank.house.register("ana@x.org").await;
    bank.balance(&tokens).await;
    assert_eq!(bank.house_account("expired").await, 0);
    bank.house.clock.pass(11 * 24 * 3_600);
    let root = bank.house.login("root@x.org", crate::house::PASSWORD).await;
    root.unwrap();
    eventually("they are taken", || async {
        bank.house_account("expired").await == DOLLAR
    })
    .await;
}

//! The exchange of refresh tokens: lost answers lose nobody, and reuse ends the family.

use atelier_kit::sql;
use std::time::Duration;

use atelier_proto::users::v1 as pb;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tonic::Code;

use crate::house::{House, bad_field, refused};

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_a_new_pair_of_the_same_session() {
    let house = House::new().await;
    let (user, first) = house.anonymous().await;
    let begun = house.sessions(&first).await.remove(0);
    house.clock.pass(600);
    let second = house.refresh(&first.refresh_token).await.unwrap();
    assert_ne!(second.refresh_token, first.refresh_token);
    assert_ne!(second.access_token, first.access_token);
    assert_eq!(house.me(&second).await.unwrap(), user);
    let now = house.sessions(&second).await.remove(0);
    assert_eq!((&now.id, now.current), (&begun.id, true));
    assert_eq!(
        now.last_use_time.unwrap().seconds - begun.last_use_time.unwrap().seconds,
        600
    );
    assert_eq!(
        now.expire_time.unwrap().seconds - begun.expire_time.unwrap().seconds,
        600
    );
    assert_eq!(now.expire_time, second.refresh_expire_time);
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let house = House::new().await;
    let (_, tokens) = house.anonymous().await;
    bad_field(house.refresh("").await, "refresh_token");
    bad_field(house.refresh(&"x".repeat(513)).await, "refresh_token");
    for bad in ["nonsense", &"x".repeat(512), "é\u{0}"] {
        refused(
            house.refresh(bad).await,
            Code::Unauthenticated,
            "INVALID_REFRESH_TOKEN",
        );
    }
    let changed = format!("{}A", &tokens.refresh_token[..42]);
    if changed != tokens.refresh_token {
        refused(
            house.refresh(&changed).await,
            Code::Unauthenticated,
            "INVALID_REFRESH_TOKEN",
        );
    }
}

#[tokio::test]
async fn a_spent_token_gets_the_identical_pair_for_sixty_seconds() {
    let house = House::new().await;
    let (_, first) = house.anonymous().await;
    let second = house.refresh(&first.refresh_token).await.unwrap();
    for _ in 0..2 {
        assert_eq!(house.refresh(&first.refresh_token).await.unwrap(), second);
    }
    house.clock.pass(59);
    assert_eq!(house.refresh(&first.refresh_token).await.unwrap(), second);
    house.clock.pass(1);
    let late = house.refresh(&first.refresh_token).await;
    refused(late, Code::Unauthenticated, "REFRESH_TOKEN_REUSED");
    // The whole family has ended: the live token, its access token, and the spent one.
    refused(
        house.refresh(&second.refresh_token).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    refused(
        house.refresh(&first.refresh_token).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
    refused(
        house.me(&second).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
}

#[tokio::test]
async fn ten_seconds_after_its_successor_was_used_a_token_is_spent_for_good() {
    let house = House::new().await;
    let (_, first) = house.anonymous().await;
    let second = house.refresh(&first.refresh_token).await.unwrap();
    house.clock.pass(5);
    let third = house.refresh(&second.refresh_token).await.unwrap();
    house.clock.pass(9);
    assert_eq!(house.refresh(&first.refresh_token).await.unwrap(), second);
    assert_eq!(house.refresh(&second.refresh_token).await.unwrap(), third);
    house.clock.pass(1);
    refused(
        house.refresh(&first.refresh_token).await,
        Code::Unauthenticated,
        "REFRESH_TOKEN_REUSED",
    );
    refused(
        house.refresh(&third.refresh_token).await,
        Code::Unauthenticated,
        "SESSION_ENDED",
    );
}

#[tokio::test]
async fn reuse_in_one_family_leaves_the_others_alone() {
    let house = House::new().await;
    let (_, mine) = house.register("ana@x.org").await;
    let other = house
        .login("ana@x.org", crate::house::PASSWORD)
        .await
        .unwrap()
        .tokens
        .unwrap();
    house.refresh(&mine.refresh_token).await.unwrap();
    house.clock.pass(61);
    refused(
        house.refresh(&mine.refresh_token).await,
        Code::Unauthenticated,
        "REFRESH_TOKEN_REUSED",
    );
    house.refresh(&other.refresh_token).await.unwrap();
}

#[tokio::test]
async fn twenty_at_once_get_one_identical_pair() {
    let house = House::new().await;
    let (_, first) = house.anonymous().await;
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let mut client = house.client.clone();
            let request = pb::RefreshSessionRequest {
                refresh_token: first.refresh_token.clone(),
            };
            tokio::spawn(async move { client.refresh_session(request).await })
        })
        .collect();
    let mut pairs = Vec::new();
    for call in calls {
        pairs.push(call.await.unwrap().unwrap().into_inner().tokens.unwrap());
    }
    assert!(pairs.iter().all(|pair| *pair == pairs[0]));
    assert_eq!(unspent(&house, &first).await, 1);
    house.refresh(&pairs[0].refresh_token).await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_cut_off_anywhere_can_be_made_again() {
    let house = House::new().await;
    let (_, mut tokens) = house.anonymous().await;
    let whole = std::time::Instant::now();
    tokens = house.refresh(&tokens.refresh_token).await.unwrap();
    let whole = whole.elapsed();
    for part in 0..16 {
        let cut =
            tokio::time::timeout(whole * part / 12, house.refresh(&tokens.refresh_token)).await;
        let again = house.refresh(&tokens.refresh_token).await.unwrap();
        if let Ok(first) = cut {
            assert_eq!(first.unwrap(), again);
        }
        assert_eq!(unspent(&house, &tokens).await, 1);
        tokens = again;
    }
}

#[tokio::test]
async fn the_sealed_pair_is_erased_by_the_next_touch_after_the_grace() {
    let house = House::new().await;
    let (_, first) = house.anonymous().await;
    let second = house.refresh(&first.refresh_token).await.unwrap();
    assert_eq!(sealed_pairs(&house).await, 1);
    house.clock.pass(60);
    house.refresh(&second.refresh_token).await.unwrap();
    assert_eq!(sealed_pairs(&house).await, 1, "the new one alone");
    let (_, another) = house.anonymous().await;
    house.refresh(&another.refresh_token).await.unwrap();
    assert_eq!(sealed_pairs(&house).await, 2);
    // Revoking a family erases all of its pairs.
    refused(
        house.refresh(&first.refresh_token).await,
        Code::Unauthenticated,
        "REFRESH_TOKEN_REUSED",
    );
    assert_eq!(sealed_pairs(&house).await, 1);
}

async fn sealed_pairs(house: &House) -> i64 {
    let (count,): (i64,) =
        sql::query_as("SELECT COUNT(*) FROM refresh_tokens WHERE successor IS NOT NULL")
            .fetch_one(house.database().await.read())
            .await
            .unwrap();
    count
}

/// How many unspent tokens the live session of these tokens has.
async fn unspent(house: &House, tokens: &pb::TokenPair) -> i64 {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(tokens.refresh_token.as_bytes());
    let (count,): (i64,) = sql::query_as(
        "SELECT COUNT(*) FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id \
         WHERE t.use_time IS NULL AND s.revoke_time IS NULL \
         AND s.id = (SELECT session_id FROM refresh_tokens WHERE token_hash = $1)",
    )
    .bind(&hash[..])
    .fetch_one(house.database().await.read())
    .await
    .unwrap();
    count
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Presents the token so many before the newest that was ever given out; 0 is the newest. A lost answer is
    /// a 0 followed by a 1.
    Present(usize),
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..4).prop_map(Step::Present),
        3 => proptest::sample::select(vec![1, 4, 5, 9, 10, 11, 49, 50, 59, 60, 61]).prop_map(Step::Pass),
        1 => proptest::sample::select(vec![3_600, 29 * 86_400, 30 * 86_400]).prop_map(Step::Pass),
    ]
}

/// What the contract says, written without a look at the service.
struct Model {
    now: i64,
    /// Every pair of the session, and when its refresh token was exchanged.
    pairs: Vec<(pb::TokenPair, Option<i64>)>,
    expires: i64,
    ended: bool,
}

impl Model {
    async fn present(&mut self, house: &House, back: usize) {
        let at = self.pairs.len() - 1 - back.min(self.pairs.len() - 1);
        let answer = house.refresh(&self.pairs[at].0.refresh_token).await;
        if self.ended || self.now >= self.expires {
            refused(answer, Code::Unauthenticated, "SESSION_ENDED");
            return;
        }
        let Some(exchanged) = self.pairs[at].1 else {
            let pair = answer.expect("the live token is exchanged");
            assert!(
                self.pairs
                    .iter()
                    .all(|(known, _)| known.refresh_token != pair.refresh_token)
            );
            self.pairs[at].1 = Some(self.now);
            self.pairs.push((pair, None));
            self.expires = self.now + 30 * 86_400;
            return;
        };
        let (successor, used) = &self.pairs[at + 1];
        let grace = (exchanged + 60).min(used.map_or(i64::MAX, |used| used + 10));
        if self.now < grace {
            assert_eq!(answer.expect("within the grace"), *successor);
        } else {
            refused(answer, Code::Unauthenticated, "REFRESH_TOKEN_REUSED");
            self.ended = true;
        }
    }
}

#[test]
fn however_calls_replays_and_time_interleave_the_rules_hold() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let house = runtime.block_on(House::new());
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&proptest::collection::vec(step(), 1..24), |steps| {
            runtime.block_on(async {
                let (_, first) = house.anonymous().await;
                let mut model = Model {
                    now: 0,
                    pairs: vec![(first.clone(), None)],
                    expires: 30 * 86_400,
                    ended: false,
                };
                for step in steps {
                    match step {
                        Step::Pass(seconds) => {
                            model.now += seconds;
                            house.clock.pass(seconds);
                        }
                        Step::Present(back) => model.present(&house, back).await,
                    }
                    let leaves = unspent(&house, &first).await;
                    assert_eq!(leaves, i64::from(!model.ended), "live leaves of the family");
                }
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(10), house.close())
            .await
            .unwrap()
    });
}

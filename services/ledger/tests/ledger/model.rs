//! The book against a model of a few lines: whatever is asked in whatever order, both say the same.

use std::collections::BTreeMap;

use atelier_kit::moment::Micros;
use atelier_ledger::{Error, Ledger as _, NewGrant, Refusal};
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::audit::audit;
use crate::stage::{Book, HOUR, NOW, ask, grant, pictures, refund, terms};

/// Priority, when it expires, id, and what is left: in the order of spending.
type Part = (u8, Micros, String, i64);

/// What the book is to be like.
#[derive(Default)]
struct Model {
    grants: Vec<Part>,
    holds: BTreeMap<usize, Vec<Part>>,
    /// What was charged, and what of it was given back.
    charged: BTreeMap<usize, (i64, i64)>,
}

impl Model {
    fn expire(&mut self, now: Micros) {
        self.grants.retain(|part| part.1 > now && part.3 > 0);
        self.grants.sort();
    }

    fn available(&self) -> i64 {
        self.grants.iter().map(|part| part.3).sum()
    }

    fn reserve(&mut self, id: usize, most: i64, now: Micros) -> Result<(), i64> {
        self.expire(now);
        if most > self.available() {
            return Err(self.available());
        }
        self.holds.insert(id, split(&mut self.grants, most));
        Ok(())
    }

    fn settle(&mut self, id: usize, used: i64, now: Micros) -> i64 {
        let mut held = self.holds.remove(&id).unwrap_or_default();
        let charged = split(&mut held, used).iter().map(|part| part.3).sum();
        for rest in held {
            let known = self.grants.iter_mut().find(|part| part.2 == rest.2);
            match known {
                Some(part) => part.3 += rest.3,
                None => self.grants.push(rest),
            }
        }
        self.expire(now);
        charged
    }
}

/// Takes an amount, or all that there is, out of these parts in their order.
fn split(parts: &mut [Part], mut amount: i64) -> Vec<Part> {
    let mut taken = Vec::new();
    for part in parts {
        let some = part.3.min(amount);
        (part.3, amount) = (part.3 - some, amount - some);
        taken.push((part.0, part.1, part.2.clone(), some));
    }
    taken
}

/// What may be asked; a number says which of the generations that were begun.
#[derive(Clone, Debug)]
enum Step {
    Grant(u8, Option<u8>, i64),
    Reserve(i64),
    Again(usize),
    Settle(usize, i64),
    Release(usize),
    Refund(usize, Option<i64>),
    Expire(u32),
    Wait(u8),
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_u8, prop::option::of(1..10_u8), 1..60_i64).prop_map(|(p, e, a)| Step::Grant(p, e, a)),
        5 => (0..90_i64).prop_map(Step::Reserve),
        1 => any::<usize>().prop_map(Step::Again),
        4 => (any::<usize>(), 0..100_i64).prop_map(|(which, used)| Step::Settle(which, used)),
        2 => any::<usize>().prop_map(Step::Release),
        2 => (any::<usize>(), prop::option::of(1..50_i64)).prop_map(|(which, amount)| Step::Refund(which, amount)),
        1 => (1..4_u32).prop_map(Step::Expire),
        3 => (1..4_u8).prop_map(Step::Wait),
        2 => Just(Step::Look),
    ]
}

/// Lives these steps in both.
async fn live(steps: Vec<Step>) {
    let (book, _folder) = Book::new().await;
    let ledger = &book.ledger;
    let mut model = Model::default();
    let mut now = NOW;
    // What each that was begun can cost at most.
    let mut begun: Vec<i64> = Vec::new();
    for (number, step) in steps.into_iter().enumerate() {
        let which = |which: usize, begun: &[i64]| which % begun.len().max(1);
        match step {
            Step::Grant(priority, expires, amount) => {
                let expire_time = expires.map(|hours| now + i64::from(hours) * HOUR);
                let new = NewGrant {
                    priority,
                    expire_time,
                    ..grant("ana", &number.to_string(), amount)
                };
                let id = ledger.grant(&new, now).await.unwrap().id;
                let expire_time = expire_time.unwrap_or(Micros::MAX);
                model.grants.push((priority, expire_time, id, amount));
            }
            Step::Reserve(most) => {
                let id = begun.len();
                let told = ledger
                    .reserve(&ask(&id.to_string(), "ana", most), &terms(), now)
                    .await;
                match model.reserve(id, most, now) {
                    Ok(()) => {
                        assert_eq!(told.unwrap().amount, most);
                        begun.push(most);
                    }
                    Err(available) => {
                        let missing = Refusal::Insufficient {
                            needed: most,
                            available,
                        };
                        assert!(
                            matches!(&told, Err(Error::Refused(why)) if *why == missing),
                            "{told:?}"
                        );
                    }
                }
            }
            Step::Again(of) => {
                let id = which(of, &begun);
                let Some(most) = begun.get(id) else { continue };
                let told = ledger
                    .reserve(&ask(&id.to_string(), "ana", *most), &terms(), now)
                    .await;
                if model.holds.contains_key(&id) || model.charged.contains_key(&id) {
                    assert_eq!(told.unwrap().amount, *most);
                } else {
                    assert!(
                        matches!(told, Err(Error::Refused(Refusal::Ended))),
                        "{told:?}"
                    );
                }
            }
            Step::Settle(of, used) => {
                let id = which(of, &begun);
                let Some(most) = begun.get(id) else { continue };
                let told = ledger
                    .settle(&id.to_string(), &pictures(used), now)
                    .await
                    .unwrap();
                let open = model.holds.contains_key(&id);
                if open {
                    let charged = model.settle(id, used, now);
                    assert_eq!(told.shortfall, (used - most).max(0));
                    model.charged.insert(id, (charged, 0));
                }
                // Again, or after a release: what it was.
                let charged = model.charged.get(&id).map_or(0, |(charged, _)| *charged);
                assert_eq!(told.charged, charged);
            }
            Step::Release(of) => {
                let id = which(of, &begun);
                if begun.is_empty() {
                    continue;
                }
                ledger.release(&id.to_string(), now).await.unwrap();
                model.settle(id, 0, now);
            }
            Step::Refund(of, amount) => {
                let id = which(of, &begun);
                let told = ledger
                    .refund(
                        &refund(&id.to_string(), &format!("back {number}"), amount),
                        now,
                    )
                    .await;
                let charged = model
                    .charged
                    .get_mut(&id)
                    .filter(|(charged, _)| *charged > 0);
                match (charged, told) {
                    (None, Err(Error::Unknown)) => assert!(begun.is_empty()),
                    (None, Err(Error::NotCharged)) => {}
                    (Some((charged, refunded)), told) => {
                        let left = *charged - *refunded;
                        let wanted = amount.unwrap_or(left);
                        match told {
                            Ok(grant) => {
                                assert!(0 < wanted && wanted <= left);
                                assert_eq!(grant.given.amount, wanted);
                                *refunded += wanted;
                                model.grants.push((0, Micros::MAX, grant.id, wanted));
                            }
                            Err(Error::RefundTooHigh(told)) => {
                                assert_eq!(told, left);
                                assert!(wanted > left || left == 0);
                            }
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                    (None, told) => panic!("{told:?}"),
                }
            }
            Step::Expire(limit) => {
                let told = ledger.expire(now, limit).await.unwrap();
                assert!(told <= limit);
            }
            Step::Wait(hours) => now += i64::from(hours) * HOUR,
            Step::Look => {
                model.expire(now);
                let told = ledger.balance("ana", &[], now).await.unwrap();
                let held: i64 = model.holds.values().flatten().map(|part| part.3).sum();
                assert_eq!((told.available, told.reserved), (model.available(), held));
                let left = told
                    .grants
                    .into_iter()
                    .map(|grant| (grant.id, grant.available));
                let known = model.grants.iter().map(|part| (part.2.clone(), part.3));
                assert_eq!(left.collect::<Vec<_>>(), known.collect::<Vec<_>>());
            }
        }
        audit(&book.database).await;
    }
    book.database.close().await;
}

proptest! {
    #![proptest_config(Config { cases: 64, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_book_does_as_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live(steps));
    }
}

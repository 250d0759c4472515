//! The breaker under any sequence of calls.

use proptest::prelude::*;

use super::*;

fn open(breaker: &mut Breaker, now: Instant) {
    for _ in 0..LEAST_CALLS {
        assert_eq!(breaker.enter(now), Some(false));
        breaker.failed(false, now);
    }
    assert!(matches!(breaker.standing(now), Standing::Open(_)));
}

fn until(breaker: &Breaker, now: Instant) -> Instant {
    match breaker.standing(now) {
        Standing::Open(until) => until,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_opens_at_half_of_enough_calls_and_forgets_what_is_old() {
    let now = Instant::now();
    let mut breaker = Breaker::new(now);
    for _ in 0..5 {
        breaker.succeeded(false, now);
        breaker.failed(false, now);
    }
    assert!(
        matches!(breaker.standing(now), Standing::Open(_)),
        "half of ten"
    );

    let mut breaker = Breaker::new(now);
    for _ in 0..9 {
        breaker.failed(false, now);
    }
    assert_eq!(breaker.standing(now), Standing::Closed, "nine are too few");
    let later = now + WINDOW;
    breaker.failed(false, later);
    assert_eq!(
        breaker.standing(later),
        Standing::Closed,
        "they are forgotten"
    );

    let mut breaker = Breaker::new(now);
    for _ in 0..11 {
        breaker.succeeded(false, now);
    }
    for _ in 0..10 {
        breaker.failed(false, now);
    }
    assert_eq!(breaker.standing(now), Standing::Closed, "less than half");
}

#[test]
fn one_at_a_time_tries_whether_it_is_well_and_each_relapse_doubles_the_rest() {
    let now = Instant::now();
    let mut breaker = Breaker::new(now);
    open(&mut breaker, now);
    let mut at = now;
    for rest in [5, 10, 20, 40, 60, 60] {
        let till = until(&breaker, at);
        assert_eq!(till - at, Duration::from_secs(rest));
        assert_eq!(breaker.enter(till - Duration::from_millis(1)), None);
        at = till;
        assert_eq!(breaker.enter(at), Some(true));
        assert_eq!(breaker.enter(at), None, "only one");
        breaker.left(true);
        assert_eq!(breaker.enter(at), Some(true), "who left makes room");
        // What began before it opened says nothing.
        breaker.succeeded(false, at);
        breaker.failed(false, at);
        assert_eq!(breaker.standing(at), Standing::HalfOpen { free: false });
        breaker.failed(true, at);
    }
    at = until(&breaker, at);
    for _ in 0..WELL {
        assert_eq!(breaker.enter(at), Some(true));
        breaker.succeeded(true, at);
    }
    assert_eq!(breaker.standing(at), Standing::Closed);
    open(&mut breaker, at);
    assert_eq!(
        until(&breaker, at) - at,
        FIRST_REST,
        "it was well in between"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Enter,
    /// How one of those who are in ends: well, badly, or without a word.
    End(prop::sample::Index, Option<bool>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..15_000).prop_map(Step::Pass),
        Just(Step::Enter),
        Just(Step::Enter),
        (
            any::<prop::sample::Index>(),
            prop::option::weighted(0.9, prop::bool::weighted(0.3))
        )
            .prop_map(|(at, well)| Step::End(at, well)),
        (
            any::<prop::sample::Index>(),
            prop::option::weighted(0.9, prop::bool::weighted(0.3))
        )
            .prop_map(|(at, well)| Step::End(at, well)),
    ]
}

proptest! {
    /// Nobody is let in while it is open, never more than one tries, and it never stays shut for good.
    #[test]
    fn any_sequence_of_calls_keeps_the_rules(steps in prop::collection::vec(step(), 0..300)) {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(now);
        let mut inside: Vec<bool> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(millis) => now += Duration::from_millis(millis),
                Step::Enter => {
                    let before = breaker.standing(now);
                    let entered = breaker.enter(now);
                    prop_assert_eq!(entered, match before {
                        Standing::Closed => Some(false),
                        Standing::HalfOpen { free: true } => Some(true),
                        Standing::HalfOpen { free: false } | Standing::Open(_) => None,
                    });
                    inside.extend(entered);
                }
                Step::End(at, well) if !inside.is_empty() => {
                    let tries = inside.swap_remove(at.index(inside.len()));
                    match well {
                        Some(true) => breaker.succeeded(tries, now),
                        Some(false) => breaker.failed(tries, now),
                        None => breaker.left(tries),
                    }
                }
                Step::End(..) => {}
            }
            prop_assert!(inside.iter().filter(|tries| **tries).count() <= 1);
            if let Standing::Open(until) = breaker.standing(now) {
                prop_assert!(until > now && until - now <= LONGEST_REST);
            }
        }
        // When everybody has gone and the rest is over, somebody is let in.
        for tries in inside {
            breaker.left(tries);
        }
        prop_assert!(breaker.enter(now + LONGEST_REST).is_some());
    }
}

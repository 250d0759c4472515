//! Which of several equal endpoints a call goes to: of two by chance the less busy one (power of two choices), among those
//! that are well.

use super::breaker::Standing;

/// An endpoint as it is chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) standing: Standing,
    pub(super) cost: f64,
    /// Whether the same call failed here before.
    pub(super) was_tried: bool,
}

/// Chooses; `None` when all are left alone.
pub(super) fn choose(candidates: &[Candidate], rng: &mut fastrand::Rng) -> Option<usize> {
    let which = |fits: &dyn Fn(&Candidate) -> bool| -> Vec<usize> {
        let all = candidates.iter().enumerate();
        all.filter(|(_, candidate)| fits(candidate))
            .map(|(at, _)| at)
            .collect()
    };
    // One whose rest is over gets a call at once, or it would stay away as long as others are well.
    let free = Standing::HalfOpen { free: true };
    let resting = which(&|it| it.standing == free && !it.was_tried);
    if let Some(at) = resting.first() {
        return Some(*at);
    }
    let fresh = which(&|it| it.standing == Standing::Closed && !it.was_tried);
    let well = match fresh.is_empty() {
        false => fresh,
        true => which(&|it| it.standing == Standing::Closed),
    };
    match well.as_slice() {
        [] => which(&|it| it.standing == free).first().copied(),
        [one] => Some(*one),
        all => {
            let first = rng.usize(..all.len());
            let second = (first + rng.usize(1..all.len())) % all.len();
            let (first, second) = (all[first], all[second]);
            let dearer = candidates[first].cost > candidates[second].cost;
            Some(if dearer { second } else { first })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;

    fn candidate() -> impl Strategy<Value = Candidate> {
        let standing = prop_oneof![
            Just(Standing::Closed),
            Just(Standing::HalfOpen { free: true }),
            Just(Standing::HalfOpen { free: false }),
            Just(Standing::Open(Instant::now())),
        ];
        (standing, 0.0..10.0, any::<bool>()).prop_map(|(standing, cost, was_tried)| Candidate {
            standing,
            cost,
            was_tried,
        })
    }

    proptest! {
        #[test]
        fn never_one_that_is_left_alone_and_always_one_that_is_not(
            candidates in prop::collection::vec(candidate(), 0..6), seed: u64,
        ) {
            let chosen = choose(&candidates, &mut fastrand::Rng::with_seed(seed));
            let called = |it: &Candidate| matches!(it.standing, Standing::Closed | Standing::HalfOpen { free: true });
            prop_assert_eq!(chosen.is_some(), candidates.iter().any(called));
            let Some(chosen) = chosen.map(|at| candidates[at]) else { return Ok(()) };
            prop_assert!(called(&chosen));
            // Where one is left that was not tried, the call does not go where it failed.
            prop_assert!(!chosen.was_tried || !candidates.iter().any(|it| called(it) && !it.was_tried));
            // Of two that are well the busier one is never chosen.
            let well: Vec<_> = candidates.iter().filter(|it| it.standing == Standing::Closed && !it.was_tried).collect();
            if let ([one, other], Standing::Closed, false) = (well.as_slice(), chosen.standing, chosen.was_tried) {
                prop_assert!(chosen.cost <= one.cost.min(other.cost));
            }
        }
    }

    #[test]
    fn many_share_the_calls() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut calls = [0_u32; 4];
        for _ in 0..4000 {
            let candidates = calls.map(|had| Candidate {
                standing: Standing::Closed,
                cost: f64::from(had),
                was_tried: false,
            });
            calls[choose(&candidates, &mut rng).unwrap()] += 1;
        }
        assert!(
            calls.iter().all(|had| (950..=1050).contains(had)),
            "{calls:?}"
        );
    }
}

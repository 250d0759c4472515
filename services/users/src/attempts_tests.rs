//! The rule of attempts against a plain model of it, and what it promises to owners and to guessers.

use proptest::prelude::*;

use super::*;

/// Fails `times` as soon as the rule lets, from `now` on; returns when the last one was let.
fn fail_on(rule: &Rule, tally: &mut Tally, times: usize, mut now: Micros) -> Micros {
    for _ in 0..times {
        now += rule.wait(*tally, now);
        *tally = rule.fail(*tally, now);
    }
    now
}

#[test]
fn five_failures_are_free_and_each_further_one_doubles_the_wait_up_to_a_quarter_of_an_hour() {
    let mut tally = Tally::default();
    let now = fail_on(&PAIR, &mut tally, 4, 1_000 * SECOND);
    assert_eq!(PAIR.wait(tally, now), 0);
    let mut now = fail_on(&PAIR, &mut tally, 1, now);
    for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900] {
        assert_eq!(PAIR.wait(tally, now), seconds * SECOND);
        now = fail_on(&PAIR, &mut tally, 1, now);
    }
}

#[test]
fn failures_are_forgiven_one_after_the_other() {
    let mut tally = Tally::default();
    let now = fail_on(&PAIR, &mut tally, 5, 1_000 * SECOND);
    // Two are forgiven: three more are free, and then the fourth is not.
    let now = now + 2 * PAIR.forgive;
    let now = fail_on(&PAIR, &mut tally, 1, now);
    assert_eq!(PAIR.wait(tally, now), 0);
    let now = fail_on(&PAIR, &mut tally, 1, now);
    assert_eq!(PAIR.wait(tally, now), 2 * SECOND);
    assert_eq!(PAIR.wait(tally, tally.forget_time), 0);
}

#[test]
fn a_success_takes_back_what_it_counted_to_its_network_and_no_more() {
    let now = 1_000_000 * SECOND;
    let mut tally = Tally::default();
    for _ in 0..NETWORK.most() {
        tally = NETWORK.fail(tally, now);
    }
    // At the most, one more moves nothing, so that there is nothing to take back.
    assert_eq!(NETWORK.moved(tally, now), 0);
    assert_eq!(NETWORK.moved(tally, now + SECOND), SECOND);
    assert_eq!(NETWORK.moved(Tally::default(), now), NETWORK.forgive);
}

#[test]
fn the_owner_does_not_wait_for_what_strangers_did() {
    let now = 1_000 * SECOND;
    let mut standing = Standing::default();
    for _ in 0..1_000 {
        standing = standing.fail(now);
    }
    assert_eq!(standing.wait(now), 900 * SECOND);
    let elsewhere = Standing {
        pair: Tally::default(),
        network: Tally::default(),
        ..standing
    };
    assert_eq!(elsewhere.wait(now), 4 * SECOND);
    let owner = Standing {
        pair: Tally::default(),
        known: true,
        ..standing
    };
    assert_eq!(owner.wait(now), 0);
}

/// What the rule is, said in another way: a list of all failures, of which the oldest is forgiven every so often.
struct Model {
    left: Vec<Micros>,
    last: Micros,
}

impl Model {
    fn settle(&mut self, now: Micros) {
        self.left.retain(|until| *until > now);
    }

    fn wait(&self, rule: &Rule, now: Micros) -> Micros {
        let at_last = self.left.iter().filter(|until| **until > self.last).count();
        let mut wait = 2 * SECOND;
        match at_last.checked_sub(usize::try_from(rule.free).unwrap()) {
            None => return 0,
            Some(over) => {
                for _ in 0..over {
                    wait = (wait * 2).min(rule.longest);
                }
            }
        }
        (self.last + wait.min(rule.longest) - now).max(0)
    }

    fn fail(&mut self, rule: &Rule, now: Micros) {
        self.settle(now);
        let begin = self.left.last().copied().unwrap_or(now);
        let most = now + rule.most() * rule.forgive;
        let until = (begin + rule.forgive).min(most);
        self.left.push(until);
        // No more than the most are remembered.
        while self.left.len() > usize::try_from(rule.most()).unwrap() {
            self.left.remove(0);
        }
        self.last = now;
    }
}

fn rules() -> impl Strategy<Value = Rule> {
    prop_oneof![Just(PAIR), Just(NETWORK), Just(ACCOUNT)]
}

proptest! {
    #[test]
    fn the_rule_is_its_model(rule in rules(), pauses in prop::collection::vec(0..2_000_i64, 1..300)) {
        let mut now = 1_000_000 * SECOND;
        let mut tally = Tally::default();
        let mut model = Model { left: Vec::new(), last: 0 };
        for pause in pauses {
            // Most tries come quickly one after the other.
            now += if pause < 1_500 { pause * SECOND / 1_000 } else { pause * SECOND };
            let wait = rule.wait(tally, now);
            prop_assert_eq!(wait, model.wait(&rule, now));
            prop_assert!((0..=rule.longest).contains(&wait));
            if wait == 0 {
                tally = rule.fail(tally, now);
                model.fail(&rule, now);
            }
        }
    }

    #[test]
    fn nobody_waits_longer_than_told_and_a_guesser_gets_few_tries(pauses in prop::collection::vec(1..600_i64, 1..500)) {
        let begin = 1_000_000 * SECOND;
        let (mut now, mut tally, mut tries) = (begin, Tally::default(), 0);
        for pause in pauses {
            now += pause * SECOND;
            let wait = PAIR.wait(tally, now);
            prop_assert_eq!(PAIR.wait(tally, now + wait), 0);
            if wait == 0 {
                tally = PAIR.fail(tally, now);
                tries += 1;
            }
        }
        // What is free, one for each doubling, and then one for each longest wait.
        let allowed = PAIR.most() + 1 + (now - begin) / PAIR.longest;
        prop_assert!(tries <= allowed, "{tries} of {allowed}");
    }
}

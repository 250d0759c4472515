//! What a lane promises, whatever comes, leaves and ends in whichever order.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::Priority;
use super::{Id, Lane};

const OWNERS: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    Come(usize),
    Done(usize),
    Leave(usize),
    Resize(usize, usize),
}

fn step(resizes: bool) -> impl Strategy<Value = Step> {
    let resize = if resizes { 1 } else { 0 };
    prop_oneof![
        6 => (0..OWNERS).prop_map(Step::Come),
        4 => any::<usize>().prop_map(Step::Done),
        1 => any::<usize>().prop_map(Step::Leave),
        resize => (1_usize..8, 1_usize..8).prop_map(|(bound, cap)| Step::Resize(bound, cap)),
    ]
}

/// What a lane should know, kept in the plainest way.
struct Model {
    lane: Lane,
    bound: usize,
    cap: usize,
    weights: Vec<u8>,
    names: Vec<Arc<str>>,
    waiting: Vec<VecDeque<Id>>,
    at_work: Vec<(usize, Id)>,
    made: usize,
    /// For each owner that could be served and was not yet: how often each other was since.
    passed: HashMap<usize, BTreeMap<usize, usize>>,
}

impl Model {
    fn new(bound: usize, cap: usize, weights: Vec<u8>) -> Self {
        let mut lane = Lane::default();
        assert!(lane.resize(bound, cap).is_empty());
        Self {
            lane,
            bound,
            cap,
            weights,
            names: (0..OWNERS).map(|at| format!("owner-{at}").into()).collect(),
            waiting: vec![VecDeque::new(); OWNERS],
            at_work: Vec::new(),
            made: 0,
            passed: HashMap::new(),
        }
    }

    fn working(&self, owner: usize) -> usize {
        self.at_work.iter().filter(|(of, _)| *of == owner).count()
    }

    fn take(&mut self, step: &Step) {
        let served = match *step {
            Step::Come(owner) => {
                let id: Id = format!("{:06}", self.made).into();
                self.made += 1;
                self.waiting[owner].push_back(id.clone());
                let weight = Priority::of_weight(self.weights[owner].into());
                self.lane.come(&self.names[owner], &id, weight)
            }
            Step::Done(_) if self.at_work.is_empty() => Vec::new(),
            Step::Done(at) => {
                let (owner, _) = self.at_work.remove(at % self.at_work.len());
                self.lane.done(&self.names[owner])
            }
            Step::Leave(at) => {
                let all: Vec<(usize, usize)> = (0..OWNERS)
                    .flat_map(|owner| (0..self.waiting[owner].len()).map(move |at| (owner, at)))
                    .collect();
                if !all.is_empty() {
                    let (owner, at) = all[at % all.len()];
                    let id = self.waiting[owner].remove(at).unwrap();
                    self.lane.leave(&self.names[owner], &id);
                }
                Vec::new()
            }
            Step::Resize(bound, cap) => {
                (self.bound, self.cap) = (bound, cap);
                self.lane.resize(bound, cap)
            }
        };
        self.serve(served);
        self.check();
    }

    fn serve(&mut self, served: Vec<Id>) {
        for id in served {
            let owner = (0..OWNERS)
                .find(|owner| self.waiting[*owner].front() == Some(&id))
                .expect("the oldest of an owner is served, once, and nobody who left");
            self.waiting[owner].pop_front();
            self.at_work.push((owner, id));
            assert!(
                self.at_work.len() <= self.bound,
                "more than may are at work"
            );
            assert!(self.working(owner) <= self.cap, "more of an owner than may");
            self.passed.remove(&owner);
            for (waits, others) in &mut self.passed {
                let times = others.entry(owner).or_default();
                *times += 1;
                let fair = usize::from(self.weights[owner] / self.weights[*waits]) + 1;
                assert!(
                    *times <= fair,
                    "{owner} went {times} times before {waits}: {:?}",
                    self.weights
                );
            }
        }
    }

    fn check(&mut self) {
        let waiting: usize = self.waiting.iter().map(VecDeque::len).sum();
        assert_eq!(self.lane.waiting(), waiting);
        for owner in 0..OWNERS {
            let may = !self.waiting[owner].is_empty() && self.working(owner) < self.cap;
            assert!(
                !may || self.at_work.len() >= self.bound,
                "a turn is free and {owner} waits"
            );
            if may {
                self.passed.entry(owner).or_default();
            } else {
                self.passed.remove(&owner);
            }
            assert_eq!(
                self.lane.waiting_of(&self.names[owner]),
                self.waiting[owner].len()
            );
        }
        assert_eq!(self.lane.is_idle(), waiting == 0 && self.at_work.is_empty());
        self.lane.tidy();
    }
}

fn weights() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(1_u8), Just(2), Just(4), Just(6)], OWNERS)
}

proptest! {
    #[test]
    fn bounds_hold_no_turn_is_idle_and_nobody_starves(
        bound in 1_usize..8,
        cap in 1_usize..8,
        weights in weights(),
        steps in prop::collection::vec(step(false), 1..400),
    ) {
        let mut model = Model::new(bound, cap, weights);
        for step in &steps {
            model.take(step);
        }
        // And all are served in the end.
        while !model.at_work.is_empty() {
            model.take(&Step::Done(0));
        }
        prop_assert!(model.lane.is_idle());
    }

    #[test]
    fn bounds_may_change_at_any_time(
        weights in weights(),
        steps in prop::collection::vec(step(true), 1..300),
    ) {
        let mut model = Model::new(2, 1, weights);
        for step in &steps {
            // Turns that were given before a bound fell end by themselves: until then it is not held.
            let before = model.at_work.len();
            model.take(step);
            prop_assert!(model.at_work.len() <= before.max(model.bound));
            // Fairness is shown above; here a cap that rises makes owners wait who were not counted.
            model.passed.clear();
        }
    }

    #[test]
    fn the_order_told_is_the_order_served(
        weights in weights(),
        comes in prop::collection::vec(0..OWNERS, 1..60),
    ) {
        let mut model = Model::new(1, 1, weights);
        for owner in comes {
            model.take(&Step::Come(owner));
        }
        let told = model.lane.order(usize::MAX);
        let mut served = Vec::new();
        while !model.at_work.is_empty() {
            model.take(&Step::Done(0));
            served.extend(model.at_work.first().map(|(_, id)| id.clone()));
        }
        prop_assert_eq!(told, served);
    }
}

#[test]
fn turns_are_shared_by_weight_however_many_somebody_has_waiting() {
    let mut model = Model::new(1, 1, vec![1, 4, 2, 1, 1, 1]);
    for _ in 0..400 {
        model.take(&Step::Come(0));
    }
    for _ in 0..100 {
        model.take(&Step::Come(1));
        model.take(&Step::Come(2));
    }
    let mut turns = [0; OWNERS];
    for _ in 0..70 {
        model.take(&Step::Done(0));
        turns[model.at_work[0].0] += 1;
    }
    assert_eq!(turns[..3], [10, 40, 20]);
}

//! One lane: who works, who waits, and who is next. Pure rules: nothing here waits, and nothing knows what a turn is for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use super::Priority;

/// The virtual time that a turn of weight 1 takes: a multiple of all weights up to 10, so that none is rounded.
const TURN: u64 = 2520;

/// Where a turn stands in its lane.
pub(crate) type Id = Arc<str>;

/// The waiting and the working of one provider.
///
/// The order is start-time fair queueing: a turn of an owner moves the owner's tag on by `TURN / weight`, the lowest tag is
/// served first, and whoever comes begins where the lane is. So among owners who wait, each gets turns by its weight, however many
/// it has waiting; within an owner the oldest id goes first, which is the order of coming, also after a restart.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// How many work at once.
    bound: usize,
    /// How many of one owner work at once.
    cap: usize,
    at_work: usize,
    waiting: usize,
    owners: HashMap<Arc<str>, Owner>,
    /// Owners that wait and are below their cap, by tag; the id of their oldest breaks a tie.
    ready: BTreeSet<(u64, Id, Arc<str>)>,
    /// The tag that was served last.
    clock: u64,
}

#[derive(Debug, Default)]
struct Owner {
    tag: u64,
    at_work: usize,
    waiting: BTreeMap<Id, Priority>,
}

impl Owner {
    /// Its entry among the ready, where it belongs there.
    fn entry(&self, name: &Arc<str>, cap: usize) -> Option<(u64, Id, Arc<str>)> {
        let (oldest, _) = self.waiting.first_key_value()?;
        (self.at_work < cap).then(|| (self.tag, oldest.clone(), name.clone()))
    }
}

fn cost(priority: Priority) -> u64 {
    (TURN / u64::from(priority.weight())).max(1)
}

impl Lane {
    /// Sets the bounds; they may change while turns wait. Returns whose turn it is by now.
    pub(crate) fn resize(&mut self, bound: usize, cap: usize) -> Vec<Id> {
        let (bound, cap) = (bound.max(1), cap.max(1));
        if (bound, cap) == (self.bound, self.cap) {
            return Vec::new();
        }
        (self.bound, self.cap) = (bound, cap);
        for owner in self.owners.values_mut() {
            owner.tag = owner.tag.max(self.clock);
        }
        self.ready = self
            .owners
            .iter()
            .filter_map(|(name, owner)| owner.entry(name, cap))
            .collect();
        self.serve()
    }

    /// Somebody comes. Returns whose turn it is by now: perhaps this one's.
    pub(crate) fn come(&mut self, owner: &Arc<str>, id: &Id, priority: Priority) -> Vec<Id> {
        self.change(owner, |owner, clock| {
            if owner.waiting.is_empty() {
                owner.tag = owner.tag.max(clock);
            }
            owner.waiting.insert(id.clone(), priority);
        });
        self.waiting += 1;
        self.serve()
    }

    /// Somebody who waited goes away.
    pub(crate) fn leave(&mut self, owner: &Arc<str>, id: &str) {
        let left = self.change(owner, |owner, _| owner.waiting.remove(id).is_some());
        self.waiting -= usize::from(left);
    }

    /// A turn is over. Returns whose it is now.
    pub(crate) fn done(&mut self, owner: &Arc<str>) -> Vec<Id> {
        self.change(owner, |owner, clock| {
            owner.at_work = owner.at_work.saturating_sub(1);
            // What it could not use for its cap is not made up for later.
            owner.tag = owner.tag.max(clock);
        });
        self.at_work = self.at_work.saturating_sub(1);
        self.serve()
    }

    /// Changes an owner and what the lane knows of it with it.
    fn change<T>(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Owner, u64) -> T) -> T {
        let (clock, cap) = (self.clock, self.cap);
        let owner = self.owners.entry(name.clone()).or_default();
        if let Some(entry) = owner.entry(name, cap) {
            self.ready.remove(&entry);
        }
        let changed = change(owner, clock);
        self.ready.extend(owner.entry(name, cap));
        changed
    }

    fn serve(&mut self) -> Vec<Id> {
        let mut served = Vec::new();
        while self.at_work < self.bound
            && let Some((tag, id, name)) = self.ready.first().cloned()
        {
            self.clock = self.clock.max(tag);
            self.change(&name, |owner, _| {
                let priority = owner.waiting.remove(&id).unwrap_or_default();
                owner.tag += cost(priority);
                owner.at_work += 1;
            });
            self.at_work += 1;
            self.waiting -= 1;
            served.push(id);
        }
        served
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many of an owner wait.
    pub(crate) fn waiting_of(&self, owner: &str) -> usize {
        self.owners
            .get(owner)
            .map_or(0, |owner| owner.waiting.len())
    }

    /// Forgets owners that nothing here is to be remembered of.
    pub(crate) fn tidy(&mut self) {
        let clock = self.clock;
        self.owners
            .retain(|_, owner| owner.at_work > 0 || !owner.waiting.is_empty() || owner.tag > clock);
    }

    /// Whether nobody is here.
    pub(crate) fn is_idle(&self) -> bool {
        self.at_work == 0 && self.waiting == 0
    }

    /// The first so many who wait, in the order in which they will be served if nobody comes, nobody leaves and no owner
    /// reaches its cap.
    pub(crate) fn order(&self, limit: usize) -> Vec<Id> {
        let mut queues: HashMap<&Arc<str>, _> = HashMap::new();
        let mut heads = BinaryHeap::new();
        for (name, owner) in &self.owners {
            let mut queue = owner.waiting.iter();
            if let Some((id, priority)) = queue.next() {
                heads.push(Reverse((owner.tag, id, *priority, name)));
                queues.insert(name, queue);
            }
        }
        let mut order = Vec::new();
        while order.len() < limit
            && let Some(Reverse((tag, id, priority, name))) = heads.pop()
        {
            order.push(id.clone());
            if let Some((next, weight)) = queues.get_mut(name).and_then(Iterator::next) {
                heads.push(Reverse((tag + cost(priority), next, *weight, name)));
            }
        }
        order
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;

//! The queue for a turn at work: a lane for each provider, fair between owners, bounded for each of them.

mod lane;
mod terms;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use lane::{Id, Lane};

pub use terms::{AtOnce, OWNER_SHARE, OWNER_WAITING, Owners, Priority, SETTINGS, Turns};

/// Of how many positions the change is told exactly; those further back are told in larger steps.
const NEAR: u32 = 100;
/// In a queue that is longer, one who comes is told how many wait, and a second later how many of them are served before.
const SHORT: usize = 1000;
/// Of how many the order is worked out. Those behind them are told once they are among them.
const FAR: usize = 5000;

/// The queue of one process. Clones are the same.
#[derive(Clone)]
pub(crate) struct Queue {
    turns: Turns,
    lanes: Arc<Mutex<Lanes>>,
}

#[derive(Default)]
struct Lanes {
    by_provider: HashMap<Arc<str>, Lane>,
    tickets: HashMap<Id, watch::Sender<Place>>,
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// So many are before it, as far as is known.
    Waiting(u32),
    /// It is its turn.
    Turn,
}

/// One owner has as many waiting as may be.
#[derive(Debug)]
pub(crate) struct Full;

/// A place in the queue, and then the turn; given up when it is dropped.
pub(crate) struct Ticket {
    queue: Queue,
    provider: Arc<str>,
    owner: Arc<str>,
    id: Id,
    place: watch::Receiver<Place>,
}

impl Queue {
    pub(crate) fn new(turns: Turns) -> Self {
        Self {
            turns,
            lanes: Arc::default(),
        }
    }

    /// Takes a ticket, unless the owner has as many waiting as may be. An id is in the queue once at a time.
    pub(crate) fn take(
        &self,
        provider: &str,
        owner: &str,
        id: &str,
        priority: Priority,
    ) -> Result<Ticket, Full> {
        let lanes = self.lanes();
        let waiting: usize = lanes
            .by_provider
            .values()
            .map(|lane| lane.waiting_of(owner))
            .sum();
        if waiting >= self.turns.owners.waiting.max(1) {
            return Err(Full);
        }
        Ok(self.put(lanes, provider, owner, id, priority))
    }

    /// Takes a ticket for what was accepted before: by an owner that is gone.
    pub(crate) fn readmit(
        &self,
        provider: &str,
        owner: &str,
        id: &str,
        priority: Priority,
    ) -> Ticket {
        self.put(self.lanes(), provider, owner, id, priority)
    }

    fn put(
        &self,
        mut lanes: MutexGuard<'_, Lanes>,
        provider: &str,
        owner: &str,
        id: &str,
        priority: Priority,
    ) -> Ticket {
        let (provider, owner, id): (Arc<str>, Arc<str>, Id) =
            (provider.into(), owner.into(), id.into());
        let (tell, place) = watch::channel(Place::Waiting(0));
        let (bound, cap) = self.turns.bounds(&provider);
        lanes.tickets.insert(id.clone(), tell);
        let lane = lanes.by_provider.entry(provider.clone()).or_default();
        let mut served = lane.resize(bound, cap);
        served.extend(lane.come(&owner, &id, priority));
        if !served.contains(&id) {
            let all = lane.waiting();
            let order = if all > SHORT {
                Vec::new()
            } else {
                lane.order(all)
            };
            let before = order.iter().position(|other| *other == id);
            let before = before.unwrap_or(all.saturating_sub(1));
            lanes.tell(&id, Place::Waiting(position(before)));
        }
        lanes.serve(&served);
        Ticket {
            queue: self.clone(),
            provider,
            owner,
            id,
            place,
        }
    }

    /// Tells those who wait where they stand by now. Of those far back only a change by a tenth is told, so that a queue of
    /// thousands does not make thousands of events whenever it moves.
    pub(crate) fn tell_positions(&self) {
        let mut lanes = self.lanes();
        let mut orders = Vec::new();
        lanes.by_provider.retain(|provider, lane| {
            lane.tidy();
            if lane.waiting() > 0 {
                orders.push((provider.clone(), lane.order(FAR)));
            }
            !lane.is_idle()
        });
        for (_, order) in orders {
            for (at, id) in order.iter().enumerate() {
                lanes.tell(id, Place::Waiting(position(at)));
            }
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    fn serve(&mut self, served: &[Id]) {
        for id in served {
            self.tell(id, Place::Turn);
        }
    }

    fn tell(&self, id: &str, place: Place) {
        if let Some(ticket) = self.tickets.get(id) {
            ticket.send_if_modified(|known| {
                let told = is_news(*known, place);
                if told {
                    *known = place;
                }
                told
            });
        }
    }
}

/// Whether a place is worth telling to somebody who knows this one.
fn is_news(known: Place, now: Place) -> bool {
    match (known, now) {
        (Place::Waiting(known), Place::Waiting(now)) => {
            let step = if now < NEAR { 1 } else { now / 10 };
            known.abs_diff(now) >= step
        }
        (Place::Waiting(_), Place::Turn) => true,
        (Place::Turn, _) => false,
    }
}

fn position(before: usize) -> u32 {
    u32::try_from(before).unwrap_or(u32::MAX)
}

impl Ticket {
    /// Where it stands.
    pub(crate) fn place(&self) -> Place {
        *self.place.borrow()
    }

    /// Returns when it stands elsewhere than was last seen.
    pub(crate) async fn moved(&mut self) -> Place {
        // The other half is in the queue for as long as the ticket is there.
        let _ = self.place.changed().await;
        *self.place.borrow_and_update()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut lanes = self.queue.lanes();
        lanes.tickets.remove(&self.id);
        // Read under the lock: nobody gives it a turn any more.
        let place = *self.place.borrow();
        let Some(lane) = lanes.by_provider.get_mut(&self.provider) else {
            return;
        };
        match place {
            Place::Turn => {
                let served = lane.done(&self.owner);
                lanes.serve(&served);
            }
            Place::Waiting(_) => lane.leave(&self.owner, &self.id),
        }
    }
}

#[cfg(test)]
mod tests;

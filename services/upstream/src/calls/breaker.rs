//! Whether an endpoint is left alone for a while: closed, open, and half open; a machine of plain values that reads no clock.
//!
//! It is our own because the crate that would serve wraps a service and judges what that returns. Here it must be read
//! before an endpoint is chosen, told to those who run the mesh, judged again when a body breaks off, and a
//! caller who goes away while it tries whether an endpoint is well must leave that place to the next.

use std::time::Duration;

use tokio::time::Instant;

/// The time whose calls count, and in how many slots it is counted.
const WINDOW: Duration = Duration::from_secs(20);
const SLOTS: usize = 10;
/// Of fewer calls nothing is concluded.
const LEAST_CALLS: u32 = 10;
/// How long an endpoint is left alone at first. Twice as long with every time that it is found no better, up to a bound.
const FIRST_REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// How many calls must go well, one after the other, until it is called by everybody again.
const WELL: u32 = 2;

/// Whether an endpoint is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// By everybody.
    Closed,
    /// By one at a time, to see whether it is well again; `free` while nobody does.
    HalfOpen { free: bool },
    /// By nobody until then.
    Open(Instant),
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    HalfOpen { tried: bool, well: u32 },
    Open { until: Instant },
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    number: u64,
    calls: u32,
    failures: u32,
}

#[derive(Debug)]
pub(super) struct Breaker {
    began: Instant,
    state: State,
    slots: [Slot; SLOTS],
    /// How often it opened since it was well.
    openings: u32,
}

impl Breaker {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            state: State::Closed,
            slots: [Slot::default(); SLOTS],
            openings: 0,
        }
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        match self.state {
            State::Closed => Standing::Closed,
            State::HalfOpen { tried, .. } => Standing::HalfOpen { free: !tried },
            State::Open { until } if until <= now => Standing::HalfOpen { free: true },
            State::Open { until } => Standing::Open(until),
        }
    }

    /// Lets a call in, or does not. `Some(true)` is one that tries whether the endpoint is well: it must be told how that
    /// went, or that it was [left](Self::left).
    pub(super) fn enter(&mut self, now: Instant) -> Option<bool> {
        match self.standing(now) {
            Standing::Closed => Some(false),
            Standing::HalfOpen { free: true } => {
                let well = match self.state {
                    State::HalfOpen { well, .. } => well,
                    _ => 0,
                };
                self.state = State::HalfOpen { tried: true, well };
                Some(true)
            }
            Standing::HalfOpen { free: false } | Standing::Open(_) => None,
        }
    }

    /// A call ended without a word about the endpoint.
    pub(super) fn left(&mut self, tries: bool) {
        if let (true, State::HalfOpen { tried, .. }) = (tries, &mut self.state) {
            *tried = false;
        }
    }

    /// A call went well.
    pub(super) fn succeeded(&mut self, tries: bool, now: Instant) {
        match &mut self.state {
            State::Closed => self.count(false, now),
            State::HalfOpen { tried, well } if tries => {
                *tried = false;
                *well += 1;
                if *well >= WELL {
                    *self = Self {
                        began: self.began,
                        ..Self::new(now)
                    };
                }
            }
            // Calls from before it opened say nothing of how it is now.
            State::HalfOpen { .. } | State::Open { .. } => {}
        }
    }

    /// A call failed by the endpoint's fault.
    pub(super) fn failed(&mut self, tries: bool, now: Instant) {
        match self.state {
            State::Closed => {
                self.count(true, now);
                let (calls, failures) = self.sum(now);
                if calls >= LEAST_CALLS && failures * 2 >= calls {
                    self.open(now);
                }
            }
            State::HalfOpen { .. } if tries => self.open(now),
            State::HalfOpen { .. } | State::Open { .. } => {}
        }
    }

    fn open(&mut self, now: Instant) {
        let rest = FIRST_REST * 2_u32.saturating_pow(self.openings.min(8));
        self.openings += 1;
        self.slots = [Slot::default(); SLOTS];
        self.state = State::Open {
            until: now + rest.min(LONGEST_REST),
        };
    }

    fn number(&self, now: Instant) -> u64 {
        let slot = WINDOW / SLOTS as u32;
        (now.saturating_duration_since(self.began).as_millis() / slot.as_millis()) as u64
    }

    fn count(&mut self, failure: bool, now: Instant) {
        let number = self.number(now);
        let slot = &mut self.slots[(number % SLOTS as u64) as usize];
        if slot.number != number {
            *slot = Slot {
                number,
                ..Slot::default()
            };
        }
        slot.calls += 1;
        slot.failures += u32::from(failure);
    }

    fn sum(&self, now: Instant) -> (u32, u32) {
        let number = self.number(now);
        self.slots
            .iter()
            .filter(|slot| slot.number + SLOTS as u64 > number)
            .fold((0, 0), |(calls, failures), slot| {
                (calls + slot.calls, failures + slot.failures)
            })
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;

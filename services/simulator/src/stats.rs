//! How the requests went: counted on this side, where nobody else's view of it counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::Room;

/// How requests went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// How many there were.
    pub requests: u64,
    /// How many are being answered now.
    pub open: u64,
    /// How many were answered to the end.
    pub served: u64,
    /// How many were refused with a status.
    pub refused: u64,
    /// How many ended as they were told to: cut off by the simulator.
    pub cut: u64,
    /// How many ended because their caller went first.
    pub dropped: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Stats {
    requests: AtomicU64,
    served: AtomicU64,
    refused: AtomicU64,
    cut: AtomicU64,
    dropped: AtomicU64,
}

impl Stats {
    /// A request has come.
    pub(crate) fn visit(self: &Arc<Self>) -> Visit {
        self.requests.fetch_add(1, Ordering::SeqCst);
        Visit {
            stats: self.clone(),
            ended: false,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
        // The ends before the beginnings, so that none that ends meanwhile is missing from both.
        let (served, refused) = (of(&self.served), of(&self.refused));
        let (cut, dropped) = (of(&self.cut), of(&self.dropped));
        let requests = of(&self.requests);
        Counts {
            requests,
            open: requests - served - refused - cut - dropped,
            served,
            refused,
            cut,
            dropped,
        }
    }
}

/// A request that is being answered. One that is dropped without an end was left by its caller.
pub(crate) struct Visit {
    stats: Arc<Stats>,
    ended: bool,
}

impl Visit {
    /// It was answered to the end.
    pub(crate) fn served(mut self) {
        self.end(|stats| &stats.served);
    }

    /// It was refused.
    pub(crate) fn refused(mut self) {
        self.end(|stats| &stats.refused);
    }

    /// It was cut off.
    pub(crate) fn cut(mut self) {
        self.end(|stats| &stats.cut);
    }

    fn end(&mut self, count: fn(&Stats) -> &AtomicU64) {
        self.ended = true;
        count(&self.stats).fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if !self.ended {
            self.end(|stats| &stats.dropped);
        }
    }
}

pub(crate) async fn tell(State(room): State<Arc<Room>>) -> Json<Counts> {
    Json(room.stats.counts())
}

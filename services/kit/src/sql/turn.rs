//! Who writes next, of one process: those who would wait for each other in PostgreSQL wait here, in the order in which they came, and
//! where waiting takes no connection away from those who read.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::lock::Lock;

/// How many names are remembered before those that nobody uses any more are forgotten.
const NAMES: usize = 1_000;

/// The turns of one schema.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    all: Arc<RwLock<()>>,
    names: Arc<std::sync::Mutex<HashMap<Lock, Weak<Mutex<()>>>>>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "they are there to be dropped")]
pub(super) enum Turn {
    /// Nobody else in this process writes.
    Alone(OwnedRwLockWriteGuard<()>),
    /// Only others of this kind do, and none that has one of the same names.
    Beside(Vec<OwnedMutexGuard<()>>, OwnedRwLockReadGuard<()>),
}

impl Turns {
    pub(super) async fn alone(&self) -> Turn {
        Turn::Alone(self.all.clone().write_owned().await)
    }

    /// The locks are in the order in which all take them.
    pub(super) async fn beside(&self, locks: &[Lock]) -> Turn {
        let all = self.all.clone().read_owned().await;
        let mut held = Vec::with_capacity(locks.len());
        for lock in locks {
            held.push(self.named(*lock).lock_owned().await);
        }
        Turn::Beside(held, all)
    }

    fn named(&self, lock: Lock) -> Arc<Mutex<()>> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(&lock).and_then(Weak::upgrade) {
            return known;
        }
        if names.len() >= NAMES {
            names.retain(|_, name| name.strong_count() > 0);
        }
        let new = Arc::default();
        names.insert(lock, Arc::downgrade(&new));
        new
    }
}

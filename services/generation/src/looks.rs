//! Looks at the record for all that is under way here: cancels of other processes, and the hearts of those who wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::{Generations, Inner};
use crate::ports::Lease;

/// How often it is asked whose end another process was asked for: a cancel reaches the provider within a second.
const CANCELS: Duration = Duration::from_millis(200);
/// How often it is asked while nobody answers.
const AWAY: Duration = Duration::from_secs(1);
/// How often places in the queue are worked out anew.
const PLACES: Duration = Duration::from_secs(1);
/// Hearts beat in transactions of so many, so that no writer waits long.
const BATCH: usize = 500;

/// The generations of one service, without keeping them.
#[derive(Clone)]
pub(crate) struct WeakGenerations(Weak<Inner>);

impl WeakGenerations {
    pub(crate) fn of(inner: &Arc<Inner>) -> Self {
        Self(Arc::downgrade(inner))
    }

    fn get(&self) -> Option<Generations> {
        self.0.upgrade().map(|inner| Generations { inner })
    }
}

/// Begins the looks, which end with the generations.
pub(crate) fn begin(engine: &Generations, tasks: &TaskTracker, busy: &Arc<Notify>) {
    tasks.spawn(cancels(engine.weak(), busy.clone()));
    let pace = (engine.lease() / 4).max(Duration::from_millis(10));
    tasks.spawn(beats(engine.weak(), pace));
}

async fn cancels(engine: WeakGenerations, busy: Arc<Notify>) {
    let mut told = Instant::now();
    while let Some(engine) = engine.get() {
        if engine.under_way() == 0 {
            drop(engine);
            // Nothing wakes an idle process up; one whose generations are gone is let go a little later.
            let _ = tokio::time::timeout(Duration::from_secs(30), busy.notified()).await;
            continue;
        }
        let mut pace = CANCELS;
        match engine.record().cancelled().await {
            Ok(ids) => engine.cancel_here(&ids),
            Err(error) => {
                tracing::warn!(
                    error = %atelier_kit::fault::chain(&error), "cancels of other processes are not heard"
                );
                pace = AWAY;
            }
        }
        if told.elapsed() >= PLACES {
            told = Instant::now();
            engine.queue().tell_positions();
        }
        drop(engine);
        tokio::time::sleep(pace).await;
    }
}

async fn beats(engine: WeakGenerations, pace: Duration) {
    loop {
        tokio::time::sleep(pace).await;
        let Some(engine) = engine.get() else { return };
        let leases = engine.waiting().leases();
        for leases in leases.chunks(BATCH) {
            match engine.record().beat(leases).await {
                Ok(lost) => engine.waiting().lose(&lost),
                Err(error) => tracing::warn!(
                    error = %atelier_kit::fault::chain(&error), "the hearts of waiting generations did not beat"
                ),
            }
        }
    }
}

/// Those who wait for their turn in this process.
#[derive(Clone, Default)]
pub(crate) struct Waiting(Arc<Mutex<HashMap<String, (i64, CancellationToken)>>>);

/// One of them, for as long as it waits.
pub(crate) struct Beaten {
    waiting: Waiting,
    id: String,
    lost: CancellationToken,
}

impl Waiting {
    /// From now on its heart beats with the others'.
    pub(crate) fn enter(&self, lease: &Lease) -> Beaten {
        let lost = CancellationToken::new();
        self.all()
            .insert(lease.id.clone(), (lease.epoch, lost.clone()));
        Beaten {
            waiting: self.clone(),
            id: lease.id.clone(),
            lost,
        }
    }

    fn leases(&self) -> Vec<Lease> {
        let all = self.all();
        all.iter()
            .map(|(id, (epoch, _))| Lease {
                id: id.clone(),
                epoch: *epoch,
            })
            .collect()
    }

    fn lose(&self, ids: &[String]) {
        let all = self.all();
        for (_, lost) in ids.iter().filter_map(|id| all.get(id)) {
            lost.cancel();
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, (i64, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beaten {
    /// Returns when its lease was found to be lost.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl Drop for Beaten {
    fn drop(&mut self) {
        self.waiting.all().remove(&self.id);
    }
}

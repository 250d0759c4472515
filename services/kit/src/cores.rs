//! A runtime for each core, for work that comes in connections: all that a call on one of them takes happens on one thread,
//! so that nobody is woken on another, no queue is shared, and memory is freed where it was allocated. With one runtime that
//! has a thread for each core, a call that is only passed on takes about a third more of the processor (`bench/edge`).
//!
//! What blocks its thread keeps all connections of the core waiting; this is no place for handlers that compute.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The cores of a process. Clones are the same; with the last one they end, and what runs there is dropped.
#[derive(Clone, Debug, Default)]
pub struct Cores(Arc<All>);

#[derive(Debug, Default)]
struct All {
    each: Vec<Core>,
    _end: Option<DropGuard>,
}

#[derive(Debug)]
struct Core {
    runtime: Handle,
    busy: Arc<AtomicUsize>,
}

/// Which one it is, among all that this process ever had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(usize);

thread_local! {
    static HERE: Cell<Option<Id>> = const { Cell::new(None) };
}

/// The core of this thread, if it is one's.
pub(crate) fn here() -> Option<Id> {
    HERE.get()
}

/// A place on a core, until it is dropped.
pub(crate) struct Seat {
    runtime: Handle,
    busy: Arc<AtomicUsize>,
}

impl Seat {
    /// Where to spawn.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Cores {
    /// Starts a runtime for each core that this process may use. An error when the system has no thread for it.
    pub fn start() -> io::Result<Self> {
        let end = CancellationToken::new();
        let count = std::thread::available_parallelism()?.get();
        let each = (0..count).map(|_| Core::start(end.clone()));
        let each = each.collect::<io::Result<_>>()?;
        let end = Some(end.drop_guard());
        Ok(Self(Arc::new(All { each, _end: end })))
    }

    /// None: all stays on the runtime that one is on.
    pub fn none() -> Self {
        Self::default()
    }

    /// Runs it on the core that has the fewest, or here when there is no core.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let Some(seat) = self.take() else {
            return tokio::spawn(work);
        };
        let runtime = seat.runtime().clone();
        runtime.spawn(async move {
            let done = work.await;
            drop(seat);
            done
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.each.len()
    }

    /// A place on the core that has the fewest; `None` when there is no core.
    pub(crate) fn take(&self) -> Option<Seat> {
        let idlest = |core: &&Core| core.busy.load(Ordering::Relaxed);
        let core = self.0.each.iter().min_by_key(idlest)?;
        core.busy.fetch_add(1, Ordering::Relaxed);
        Some(Seat {
            runtime: core.runtime.clone(),
            busy: core.busy.clone(),
        })
    }
}

impl Core {
    fn start(end: CancellationToken) -> io::Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name(format!("core-{id}"))
            .spawn(move || {
                HERE.set(Some(Id(id)));
                runtime.block_on(end.cancelled());
                // What blocks a thread of its own keeps nobody waiting for the end.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            runtime: handle,
            busy: Arc::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spread_and_those_that_are_given_back_are_taken_first() {
        let cores = Cores::start().unwrap();
        let count = cores.count();
        let busy = || -> Vec<usize> {
            let each = cores.0.each.iter();
            each.map(|core| core.busy.load(Ordering::Relaxed)).collect()
        };
        let mut seats: Vec<Seat> = (0..2 * count).filter_map(|_| cores.take()).collect();
        assert_eq!(busy(), vec![2; count]);
        seats.remove(count / 2);
        let _again = cores.take();
        assert_eq!(busy(), vec![2; count]);
        assert!(Cores::none().take().is_none());
    }

    #[tokio::test]
    async fn all_that_is_spawned_there_stays_there_and_ends_with_them() {
        let cores = Cores::start().unwrap();
        assert_eq!(here(), None);
        let task = cores.spawn(async {
            let outer = here();
            let inner = tokio::spawn(async { here() }).await.unwrap();
            (outer.is_some(), outer == inner)
        });
        assert_eq!(task.await.unwrap(), (true, true));
        let endless = cores.spawn(std::future::pending::<()>());
        drop(cores);
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}

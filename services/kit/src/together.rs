//! Work that costs the same for one as for many: whoever comes while it is under way is taken along the next time.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// Callers of one kind, each with an item. Nobody waits for company: who comes alone is served alone and at once. Those who
/// come meanwhile wait for the one before them, and are then served together, in the order in which they came, by the first
/// of them.
///
/// Nothing runs in the background. A caller whose future is dropped while it serves others leaves them without an answer,
/// which they are told.
pub struct Together<T, R> {
    most: usize,
    waiting: Mutex<VecDeque<Waiting<T, R>>>,
    turn: tokio::sync::Mutex<()>,
}

struct Waiting<T, R> {
    item: T,
    answer: oneshot::Sender<R>,
}

impl<T, R> Together<T, R> {
    /// At most so many are served together.
    pub fn at_most(most: usize) -> Self {
        Self {
            most: most.max(1),
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Joins with an item, and returns its answer. `apart` says of two items that they must not be served together: the later
    /// one, and all after it, wait for the next time. `serve` is given the items, and returns their answers in the same
    /// order; an item that it has no answer for, or whose server went away, gets `None`.
    pub async fn join<S, F>(&self, item: T, apart: fn(&T, &T) -> bool, serve: S) -> Option<R>
    where
        S: Fn(Vec<T>) -> F,
        F: Future<Output = Vec<R>>,
    {
        let (sender, mut answer) = oneshot::channel();
        self.waiting().push_back(Waiting {
            item,
            answer: sender,
        });
        loop {
            let _turn = tokio::select! {
                // Whoever has an answer needs no turn.
                biased;
                told = &mut answer => return told.ok(),
                turn = self.turn.lock() => turn,
            };
            // It may have come with the turn itself.
            match answer.try_recv() {
                Ok(told) => return Some(told),
                Err(oneshot::error::TryRecvError::Closed) => return None,
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            let (items, answers): (Vec<T>, Vec<_>) = self
                .take(apart)
                .into_iter()
                .map(|waiting| (waiting.item, waiting.answer))
                .unzip();
            for (answer, told) in answers.into_iter().zip(serve(items).await) {
                // Who has gone away wants no answer.
                let _ = answer.send(told);
            }
        }
    }

    /// Those who are next, in the order in which they came.
    fn take(&self, apart: fn(&T, &T) -> bool) -> Vec<Waiting<T, R>> {
        let mut waiting = self.waiting();
        let mut taken: Vec<Waiting<T, R>> = Vec::new();
        while taken.len() < self.most {
            let Some(next) = waiting.pop_front() else {
                break;
            };
            if taken.iter().any(|one| apart(&one.item, &next.item)) {
                waiting.push_front(next);
                break;
            }
            taken.push(next);
        }
        taken
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting<T, R>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    fn never(_: &u32, _: &u32) -> bool {
        false
    }

    #[tokio::test]
    async fn who_comes_alone_is_served_alone() {
        let together = Together::at_most(8);
        for item in 0..3 {
            let told = together
                .join(item, never, |items| async move {
                    assert_eq!(items.len(), 1);
                    items
                })
                .await;
            assert_eq!(told, Some(item));
        }
    }

    /// Ten that come while a first one is served; returns the sizes of the servings that followed.
    async fn crowd(most: usize, apart: fn(&u32, &u32) -> bool) -> Vec<usize> {
        let together = Arc::new(Together::at_most(most));
        let gate = Arc::new(Semaphore::new(0));
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let join = |item: u32| {
            let (together, gate, sizes) = (together.clone(), gate.clone(), sizes.clone());
            tokio::spawn(async move {
                let serve = |items: Vec<u32>| {
                    let (gate, sizes) = (gate.clone(), sizes.clone());
                    async move {
                        sizes.lock().unwrap().push(items.len());
                        gate.acquire().await.unwrap().forget();
                        items.into_iter().map(|item| item * 2).collect()
                    }
                };
                assert_eq!(together.join(item, apart, serve).await, Some(item * 2));
            })
        };
        let mut callers = vec![join(100)];
        while sizes.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        for item in 0..10 {
            callers.push(join(item));
            while together.waiting().len() <= item as usize {
                tokio::task::yield_now().await;
            }
        }
        gate.add_permits(100);
        for caller in callers {
            caller.await.unwrap();
        }
        let sizes = sizes.lock().unwrap();
        sizes[1..].to_vec()
    }

    #[tokio::test]
    async fn who_comes_meanwhile_is_served_together() {
        assert_eq!(crowd(100, never).await, [10]);
        assert_eq!(crowd(4, never).await, [4, 4, 2]);
        // Odd ones and even ones must not meet: each is served by itself, in the order in which they came.
        assert_eq!(crowd(100, |one, other| one % 2 != other % 2).await, [1; 10]);
    }

    #[tokio::test]
    async fn whose_server_goes_away_is_told() {
        let together = Arc::new(Together::<u32, u32>::at_most(8));
        let begun = Arc::new(AtomicUsize::new(0));
        let serve = |begun: Arc<AtomicUsize>| {
            move |_: Vec<u32>| {
                let begun = begun.clone();
                async move {
                    begun.fetch_add(1, Ordering::SeqCst);
                    std::future::pending().await
                }
            }
        };
        let first = {
            let (together, begun) = (together.clone(), begun.clone());
            tokio::spawn(async move { together.join(1, never, serve(begun)).await })
        };
        while begun.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let join = |item| {
            let (together, begun) = (together.clone(), begun.clone());
            tokio::spawn(async move { together.join(item, never, serve(begun)).await })
        };
        let second = join(2);
        while together.waiting().is_empty() {
            tokio::task::yield_now().await;
        }
        let third = join(3);
        while together.waiting().len() < 2 {
            tokio::task::yield_now().await;
        }
        first.abort();
        while begun.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        // The second serves both now. When it goes away too, the third is told.
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        assert_eq!(third.await.unwrap(), None);
    }
}

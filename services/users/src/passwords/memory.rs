//! The memory that argon2 works in: kept between hashes that follow each other, and given back soon after the last one.
//! What was hashed is not known here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::Block;

/// How long memory is kept after its last use. Fetching it from the system anew for each hash, page by page, takes as long
/// as the hash itself (measured by `bench/login`); kept for ever it would be most of what an idle process holds.
pub(super) const KEPT: Duration = Duration::from_secs(2);

/// Pieces of memory, each with the time of its last use.
type Pieces = Vec<(Vec<Block>, Instant)>;

/// Memory that nobody uses at the moment. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Spare(Arc<Mutex<Pieces>>);

impl Spare {
    /// Does something in memory of so many blocks, which hold anything.
    pub(super) fn with<T>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let spare = self.locked(|spare| spare.pop());
        let mut memory = spare.map_or_else(Vec::new, |(memory, _)| memory);
        memory.resize(blocks, Block::default());
        let done = work(&mut memory);
        self.locked(|spare| spare.push((memory, Instant::now())));
        done
    }

    /// Gives back, after so long, what has not been used until then.
    pub(super) fn give_back_after(&self, unused: Duration) {
        let spare = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(unused).await;
            spare.give_back(unused);
        });
    }

    /// Gives back what has not been used for so long.
    fn give_back(&self, unused: Duration) {
        self.locked(|spare| spare.retain(|(_, used)| used.elapsed() < unused));
    }

    fn locked<T>(&self, act: impl FnOnce(&mut Pieces) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_given_back() {
        let spare = Spare::default();
        let address = |memory: &mut [Block]| memory.as_ptr() as usize;
        let first = spare.with(64, address);
        assert_eq!(spare.with(64, address), first);
        spare.give_back(Duration::from_secs(60));
        assert_eq!(spare.locked(|spare| spare.len()), 1, "used just now");
        spare.give_back(Duration::ZERO);
        assert_eq!(spare.locked(|spare| spare.len()), 0);
        assert_eq!(spare.with(8, |memory| memory.len()), 8);
    }

    #[tokio::test]
    async fn who_hashes_no_more_holds_nothing() {
        let spare = Spare::default();
        spare.with(64, |_| {
            // Work of another one at the same time has memory of its own.
            spare.with(64, |_| ());
        });
        assert_eq!(spare.locked(|spare| spare.len()), 2);
        spare.give_back_after(Duration::from_millis(20));
        atelier_kit::testing::eventually("it is given back", || async {
            spare.locked(|spare| spare.is_empty())
        })
        .await;
    }
}

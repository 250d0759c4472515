//! Crashes at chosen points: a process that ends without a word between two statements of a writing transaction.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::campaign;

/// At which point of its writing transactions a process ends: 1 is the first. They are before each statement, `BEGIN` and `COMMIT`
/// among them, and after each `COMMIT`. Without it none does.
pub const AT: &str = "ATELIER_TEST_CRASH_AT";

/// How many points are left, this one included.
static LEFT: OnceLock<AtomicU64> = OnceLock::new();

/// Ends the process if this is the point.
pub(crate) fn point() {
    // More than there are in any life.
    let left = LEFT.get_or_init(|| AtomicU64::new(campaign::size(AT, u64::MAX)));
    if left.fetch_sub(1, Ordering::SeqCst) == 1 {
        std::process::abort();
    }
}

//! Who may write beside whom in PostgreSQL. A SQLite file has one writer at a time, and all rules were written for that.

use std::fmt::Write as _;

use crate::secret::digest;

/// Something that one transaction has for itself until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lock(i64);

impl Lock {
    /// The lock of this name in a schema.
    pub(super) fn of(schema: &str, name: &str) -> Self {
        let digest = digest(&[schema.as_bytes(), name.as_bytes()]);
        let mut number = [0; 8];
        number.copy_from_slice(&digest[..8]);
        Self(i64::from_be_bytes(number))
    }

    /// The locks of these names, in one order, so that two who take several never wait for each other.
    pub(super) fn all_of(schema: &str, names: &[&str]) -> Vec<Self> {
        let mut locks: Vec<Self> = names.iter().map(|name| Self::of(schema, name)).collect();
        locks.sort_unstable();
        locks.dedup();
        locks
    }

    pub(super) fn number(self) -> i64 {
        self.0
    }
}

/// Begins a transaction that nobody writes beside in this schema.
pub(super) fn alone(schema: &str) -> String {
    let all = Lock::of(schema, "").number();
    format!("BEGIN; SELECT pg_advisory_xact_lock({all})")
}

/// Begins one beside others of its kind: those that take none of these locks.
pub(super) fn beside(schema: &str, locks: &[Lock]) -> String {
    let all = Lock::of(schema, "").number();
    let mut sql = format!("BEGIN; SELECT pg_advisory_xact_lock_shared({all})");
    for lock in locks {
        // A string takes all that is written to it.
        let _ = write!(sql, "; SELECT pg_advisory_xact_lock({})", lock.number());
    }
    sql
}

//! What an engine's error means to those who wrote.

use sqlx::Error;

/// Whether an error says that a unique key is taken.
pub fn is_unique_violation(error: &Error) -> bool {
    matches!(error, Error::Database(database) if database.is_unique_violation())
}

/// Whether an error says that the engine is too busy, full, or away: nothing was written that was told, and the same may be
/// tried again.
pub fn is_busy(error: &Error) -> bool {
    if is_away(error) {
        return true;
    }
    let Error::Database(database) = error else {
        return false;
    };
    let Some(code) = database.code() else {
        return false;
    };
    // SQLite's are numbers. SQLITE_BUSY, and SQLITE_FULL or SQLITE_IOERR where the disk is; in the low byte of extended codes too.
    if let Some(postgres) = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return is_passing(postgres.code());
    }
    code.parse::<i32>()
        .is_ok_and(|code| matches!(code & 0xff, 5 | 10 | 13))
}

/// Whether an error says that another transaction was in the way of this one, which goes well as soon as that one is over. The
/// engine is there: others need not hear of it.
pub fn is_race(error: &Error) -> bool {
    let Error::Database(database) = error else {
        return false;
    };
    database
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .is_some_and(|error| matches!(error.code(), "40001" | "40P01"))
}

/// PostgreSQL's conditions that pass: a lost race or deadlock, too few resources (a full disk, too many connections), a lock
/// or a statement that took too long, and a server that starts or stops.
fn is_passing(code: &str) -> bool {
    matches!(code, "40001" | "40P01" | "55P03" | "57014")
        || code.starts_with("53")
        || is_leaving(code)
}

fn is_leaving(code: &str) -> bool {
    // 25P03: it ended a transaction that idled; 25006: it only reads, as one that follows another does.
    matches!(
        code,
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006"
    ) || code.starts_with("08")
}

/// Whether an error says that there is nobody at the other end.
pub(super) fn is_away(error: &Error) -> bool {
    match error {
        Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed
        | Error::Io(_)
        | Error::Tls(_) => true,
        // What comes half from a server that was killed.
        Error::Protocol(_) => true,
        Error::Database(database) => database
            .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
            .is_some_and(|error| is_leaving(error.code())),
        _ => false,
    }
}

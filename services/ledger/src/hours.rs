//! Hours and days of UTC, as numbers since the epoch.

use atelier_kit::moment::Micros;

const HOUR: Micros = 3_600_000_000;
const HOURS_OF_A_DAY: i64 = 24;

/// The hour of a time.
pub(crate) fn hour(time: Micros) -> i64 {
    time.div_euclid(HOUR)
}

/// The day of a time.
pub(crate) fn day(time: Micros) -> i64 {
    hour(time).div_euclid(HOURS_OF_A_DAY)
}

/// The hours of a day.
pub(crate) fn hours_of(day: i64) -> std::ops::Range<i64> {
    let first = day.saturating_mul(HOURS_OF_A_DAY);
    first..first.saturating_add(HOURS_OF_A_DAY)
}

/// When the hour after that of a time begins.
pub(crate) fn next_hour(time: Micros) -> Micros {
    hour(time).saturating_add(1).saturating_mul(HOUR)
}

/// When the day after that of a time begins.
pub(crate) fn next_day(time: Micros) -> Micros {
    hours_of(day(time)).end.saturating_mul(HOUR)
}

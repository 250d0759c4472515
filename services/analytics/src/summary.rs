//! Summaries: time buckets in UTC, windows and their bounds; integers alone, and no time zone.

use atelier_kit::moment::Micros;

use crate::error::Error;
use crate::ports::UsageStore;
use crate::usage::Counts;

/// An hour in microseconds.
pub const HOUR: Micros = 3_600_000_000;
/// A day in microseconds.
pub const DAY: Micros = 24 * HOUR;
/// The most rows of one summary.
pub const MAX_ROWS: usize = 10_000;

/// How long a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// An hour.
    Hour,
    /// A day in UTC.
    Day,
}

impl Width {
    /// In microseconds.
    pub fn micros(self) -> Micros {
        match self {
            Width::Hour => HOUR,
            Width::Day => DAY,
        }
    }

    /// The longest window that may be asked for, in days.
    pub fn longest_days(self) -> i64 {
        match self {
            Width::Hour => 31,
            Width::Day => 366,
        }
    }
}

/// What a summary is divided by, beside time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Division {
    /// By service.
    pub service: bool,
    /// By model.
    pub model: bool,
    /// By account.
    pub user: bool,
}

/// A span of time: its beginning is the beginning of a bucket, its end is exclusive and can be any moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first bucket's beginning.
    pub start: Micros,
    /// The moment before which an event must lie.
    pub end: Micros,
}

/// Why a window was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowError {
    /// The end is not after the beginning.
    Empty,
    /// It is longer than its buckets allow.
    TooLong,
}

impl Window {
    /// The window that was asked for: the end defaults to `now`, the beginning to 30 days before the end.
    pub fn new(
        start: Option<Micros>,
        end: Option<Micros>,
        width: Width,
        now: Micros,
    ) -> Result<Self, WindowError> {
        let end = end.unwrap_or(now);
        let start = start.unwrap_or_else(|| end.saturating_sub(30 * DAY));
        if end <= start {
            return Err(WindowError::Empty);
        }
        if end.saturating_sub(start) > width.longest_days() * DAY {
            return Err(WindowError::TooLong);
        }
        Ok(Self {
            start: floor(start, width.micros()),
            end,
        })
    }
}

/// What is asked of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryQuery {
    /// When.
    pub window: Window,
    /// How long a bucket is.
    pub width: Width,
    /// What to divide by.
    pub division: Division,
    /// Whose usage; `None` is everybody's.
    pub user_id: Option<String>,
}

/// One row of a summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRow {
    /// When the bucket begins.
    pub bucket_start: Micros,
    /// The service, where divided by it; else empty.
    pub service: String,
    /// The model, where divided by it; else empty.
    pub model: String,
    /// The account, where divided by it; else empty.
    pub user_id: String,
    /// What was counted.
    pub counts: Counts,
}

/// Sums up: the rows, at most [`MAX_ROWS`], and whether there were more.
pub async fn summarize(
    store: &dyn UsageStore,
    query: &SummaryQuery,
) -> Result<(Vec<SummaryRow>, bool), Error> {
    let mut rows = store.summarize(query, MAX_ROWS as i64 + 1).await?;
    let truncated = rows.len() > MAX_ROWS;
    rows.truncate(MAX_ROWS);
    Ok((rows, truncated))
}

/// A time, rounded down to a multiple of `width`, before the epoch too.
pub fn floor(time: Micros, width: Micros) -> Micros {
    time.saturating_sub(time.rem_euclid(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Micros = 1_790_000_000 / 86_400 * DAY + 12 * HOUR;

    #[test]
    fn a_window_without_bounds_is_the_last_thirty_days() {
        let window = Window::new(None, None, Width::Day, NOON).unwrap();
        assert_eq!(
            window,
            Window {
                start: NOON - 12 * HOUR - 30 * DAY,
                end: NOON
            }
        );
        let window = Window::new(None, None, Width::Hour, NOON + 1).unwrap();
        assert_eq!(
            window,
            Window {
                start: NOON - 30 * DAY,
                end: NOON + 1
            }
        );
    }

    #[test]
    fn the_beginning_is_rounded_down_and_the_end_is_not() {
        let window = Window::new(Some(NOON + 5), Some(NOON + 6), Width::Hour, 0).unwrap();
        assert_eq!(
            window,
            Window {
                start: NOON,
                end: NOON + 6
            }
        );
        assert_eq!(floor(-1, DAY), -DAY);
    }

    #[test]
    fn a_window_is_neither_empty_nor_too_long() {
        let new = |length, width| Window::new(Some(NOON), Some(NOON + length), width, 0);
        assert_eq!(new(0, Width::Day), Err(WindowError::Empty));
        assert_eq!(new(-1, Width::Day), Err(WindowError::Empty));
        assert!(new(366 * DAY, Width::Day).is_ok());
        assert_eq!(new(366 * DAY + 1, Width::Day), Err(WindowError::TooLong));
        assert!(new(31 * DAY, Width::Hour).is_ok());
        assert_eq!(new(31 * DAY + 1, Width::Hour), Err(WindowError::TooLong));
    }
}

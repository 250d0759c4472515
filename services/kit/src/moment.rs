//! Times: microseconds since the epoch in tables, `Timestamp` on the wire; nothing here reads a time zone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch.
pub type Micros = i64;

/// Now.
pub fn now() -> Micros {
    micros(SystemTime::now())
}

/// A system time as microseconds; times before the epoch are 0.
pub fn micros(time: SystemTime) -> Micros {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}

/// A span as microseconds.
pub fn span(duration: Duration) -> Micros {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Microseconds as the wire's timestamp.
pub fn timestamp(micros: Micros) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

/// The wire's timestamp as microseconds; `None` when it is not a valid one.
pub fn from_timestamp(time: &prost_types::Timestamp) -> Option<Micros> {
    // The bounds that google.protobuf.Timestamp states: years 1 to 9999.
    if !(-62_135_596_800..=253_402_300_799).contains(&time.seconds)
        || !(0..1_000_000_000).contains(&time.nanos)
    {
        return None;
    }
    Some(time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000)
}

/// Microseconds as the wire's duration.
pub fn duration(micros: Micros) -> prost_types::Duration {
    prost_types::Duration {
        seconds: micros / 1_000_000,
        nanos: i32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0),
    }
}

/// The wire's duration as microseconds; `None` when it is negative or out of range.
pub fn from_duration(value: &prost_types::Duration) -> Option<Micros> {
    if !(0..=315_576_000_000).contains(&value.seconds) || !(0..1_000_000_000).contains(&value.nanos)
    {
        return None;
    }
    Some(value.seconds * 1_000_000 + i64::from(value.nanos) / 1_000)
}

/// A new id: a UUIDv7, so that ids sort by the time they were made.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_round_trip_before_and_after_the_epoch() {
        for micros in [
            -1,
            0,
            1,
            999_999,
            1_000_000,
            -1_000_001,
            1_790_000_000_123_456,
        ] {
            assert_eq!(from_timestamp(&timestamp(micros)), Some(micros));
        }
    }

    #[test]
    fn impossible_timestamps_are_none() {
        let bad = prost_types::Timestamp {
            seconds: i64::MAX,
            nanos: 0,
        };
        assert_eq!(from_timestamp(&bad), None);
        let bad = prost_types::Timestamp {
            seconds: 0,
            nanos: -1,
        };
        assert_eq!(from_timestamp(&bad), None);
    }
}

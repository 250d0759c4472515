//! Figures of the file: money without rounding, durations with a unit, dates that exist; it knows no field.

use std::time::Duration;

use atelier_kit::moment::Micros;
use jiff::civil;
use jiff::tz::TimeZone;
use toml::value::{Datetime, Offset};

/// The longest time that may be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A duration, as in `250ms`, `10s`, `5m` or `1h`.
pub(super) fn duration(written: &str) -> Result<Duration, String> {
    let wrong = || "must be a duration, as in \"250ms\", \"10s\" or \"5m\"".to_owned();
    let unit = written
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(wrong)?;
    let (count, unit) = written.split_at(unit);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let count: u64 = count.parse().map_err(|_| wrong())?;
    let duration = count
        .checked_mul(millis)
        .map(Duration::from_millis)
        .filter(|duration| !duration.is_zero() && *duration <= LONGEST);
    duration.ok_or_else(|| "must be more than nothing, and 24h at most".to_owned())
}

/// A date or a date with time and offset, as microseconds. A date alone is its beginning in UTC.
pub(super) fn time(written: &Datetime) -> Result<Micros, String> {
    const WRONG: &str = "must be a date that exists, as in 2027-01-31 or 2027-01-31T12:00:00Z";
    let wrong = || WRONG.to_owned();
    let date = written.date.ok_or_else(wrong)?;
    let small = |value: u8| i8::try_from(value).map_err(|_| wrong());
    let year = i16::try_from(date.year).map_err(|_| wrong())?;
    let date = civil::Date::new(year, small(date.month)?, small(date.day)?).map_err(|_| wrong())?;
    let (time, minutes) = match (written.time, written.offset) {
        (None, None) => (civil::Time::midnight(), 0),
        (Some(time), Some(offset)) => {
            let time = civil::Time::new(
                small(time.hour)?,
                small(time.minute)?,
                small(time.second.unwrap_or(0))?,
                0,
            )
            .map_err(|_| wrong())?;
            let minutes = match offset {
                Offset::Z => 0,
                Offset::Custom { minutes } => i64::from(minutes),
            };
            (time, minutes)
        }
        _ => return Err(format!("{WRONG}: a time needs its offset")),
    };
    let zoned = date
        .to_datetime(time)
        .to_zoned(TimeZone::UTC)
        .map_err(|_| wrong())?;
    let micros = zoned.timestamp().as_microsecond() - minutes * 60_000_000;
    if micros < 0 {
        return Err(wrong());
    }
    Ok(micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}") {
            let _ = duration(&text);
        }
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("24h"), Ok(LONGEST));
        for written in [
            "10",
            "s",
            "1.5s",
            "0s",
            "25h",
            "-1s",
            "10 s",
            "99999999999999999999h",
        ] {
            assert!(duration(written).is_err(), "{written}");
        }
    }

    #[test]
    fn a_date_exists() {
        let read = |text: &str| time(&text.parse::<Datetime>().unwrap());
        assert_eq!(read("1970-01-02"), Ok(86_400_000_000));
        assert_eq!(read("1970-01-02T01:00:00+01:00"), Ok(86_400_000_000));
        assert_eq!(read("1970-01-01T23:30:00-00:30"), Ok(86_400_000_000));
        for text in ["2026-10-23T12:00:00", "12:00:00", "1969-12-31"] {
            assert!(read(text).is_err(), "{text}");
        }
        // The TOML parser takes every day up to 31.
        if let Ok(parsed) = "2026-02-30".parse::<Datetime>() {
            assert!(time(&parsed).is_err());
        }
    }
}

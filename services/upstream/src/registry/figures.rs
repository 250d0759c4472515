//! Figures of the file: money without rounding, durations with a unit, dates that exist; it knows no field.

use std::time::Duration;

use atelier_kit::moment::Micros;
use jiff::civil;
use jiff::tz::TimeZone;
use toml::value::{Datetime, Offset};

/// The highest price of a unit: a billion of the currency.
const HIGHEST: i64 = 1_000_000_000_000_000;
/// The longest time that may be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A decimal, as it is written, in millionths: exact, or refused.
pub(super) fn micros(written: &str) -> Result<i64, String> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if written.starts_with('-') {
        return Err("must not be below 0".to_owned());
    }
    let (whole, part) = written.split_once('.').unwrap_or((written, "0"));
    if whole.is_empty() || part.is_empty() || !digits(whole) || !digits(part) {
        return Err("must be a decimal, as in 0.25".to_owned());
    }
    let part = part.trim_end_matches('0');
    if part.len() > 6 {
        return Err("may have six digits after the point: a millionth is the least".to_owned());
    }
    let too_high = || "is too high".to_owned();
    let whole: i64 = whole.parse().map_err(|_| too_high())?;
    let part: i64 = format!("{part:0<6}").parse().map_err(|_| too_high())?;
    whole
        .checked_mul(1_000_000)
        .and_then(|whole| whole.checked_add(part))
        .filter(|micros| *micros <= HIGHEST)
        .ok_or_else(too_high)
}

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

    #[test]
    fn money_is_exact_or_refused() {
        for (written, expected) in [
            ("0", 0),
            ("0.1", 100_000),
            ("0.30", 300_000),
            ("0.000001", 1),
            ("2.50000000000", 2_500_000),
            ("1000000000", HIGHEST),
            ("007", 7_000_000),
        ] {
            assert_eq!(micros(written), Ok(expected), "{written}");
        }
        for written in [
            "-1",
            "-0.5",
            "0.0000001",
            "1e3",
            "",
            ".",
            "1.",
            ".5",
            "1,5",
            "nan",
            "inf",
            "+1",
            "1 ",
            "1000000000.000001",
            "99999999999999999999",
        ] {
            assert!(micros(written).is_err(), "{written}");
        }
    }

    proptest! {
        #[test]
        fn every_millionth_comes_back(amount in 0..=HIGHEST) {
            let written = format!("{}.{:06}", amount / 1_000_000, amount % 1_000_000);
            prop_assert_eq!(micros(&written), Ok(amount));
            let short = written.trim_end_matches('0').trim_end_matches('.');
            prop_assert_eq!(micros(short), Ok(amount));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}") {
            let _ = micros(&text);
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

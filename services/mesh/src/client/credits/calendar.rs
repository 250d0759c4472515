//! Months, and times to come, as people write them; all of them UTC.

use atelier_kit::moment::Micros;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _, Zoned};

/// A month as the contract writes it.
pub fn month(text: &str) -> Result<String, String> {
    let first = format!("{text}-01");
    let sound = text.len() == "2026-11".len() && first.parse::<Date>().is_ok();
    sound
        .then(|| text.to_owned())
        .ok_or_else(|| "write it as 2026-11".to_owned())
}

/// The month it is.
pub fn this_month() -> String {
    now().strftime("%Y-%m").to_string()
}

/// A time to come: a day, whose end is meant, a time, or so long from now.
pub fn later(text: &str) -> Result<Micros, String> {
    let found = if let Ok(time) = text.parse::<Timestamp>() {
        time
    } else if let Ok(day) = text.parse::<Date>() {
        let next = day.checked_add(1.day()).map_err(|error| error.to_string());
        let next = next?.to_zoned(TimeZone::UTC);
        next.map_err(|error| error.to_string())?.timestamp()
    } else {
        let span: Span = text
            .parse()
            .map_err(|_| "write it as 2026-12-31, 2026-12-31T12:00:00Z or 30d".to_owned())?;
        let then = now().checked_add(span).map_err(|error| error.to_string())?;
        then.timestamp()
    };
    if found <= Timestamp::now() {
        return Err("it is a time to come".to_owned());
    }
    Ok(found.as_microsecond())
}

fn now() -> Zoned {
    Timestamp::now().to_zoned(TimeZone::UTC)
}

/// A time as a person reads it, to the minute.
pub fn shown(time: &prost_types::Timestamp) -> String {
    match Timestamp::new(time.seconds, 0) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => "at an unknown time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_year_and_a_month() {
        assert_eq!(month("2026-11"), Ok("2026-11".to_owned()));
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-1",
            "26-11",
            "2026-11-01",
            "2026-11 ",
        ] {
            assert!(month(text).is_err(), "{text}");
        }
        assert!(month(&this_month()).is_ok());
    }

    #[test]
    fn a_time_to_come_is_a_day_a_time_or_a_span() {
        // The last moment of that day is the first of the next.
        assert_eq!(later("2999-12-31"), later("3000-01-01T00:00:00Z"));
        assert_eq!(
            later("2999-01-01T01:00:00+01:00"),
            later("2999-01-01T00:00:00Z")
        );
        let month = later("30d").unwrap() - Timestamp::now().as_microsecond();
        assert!((30 * 86_400_000_000 - month).abs() < 60_000_000, "{month}");
        for text in [
            "",
            "never",
            "2020-01-01",
            "-30d",
            "0d",
            "1970-01-01T00:00:00Z",
        ] {
            assert!(later(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_shown_to_the_minute() {
        let time = |seconds| prost_types::Timestamp { seconds, nanos: 5 };
        assert_eq!(shown(&time(1_795_996_859)), "2026-11-30 00:00 UTC");
        assert_eq!(shown(&time(i64::MAX)), "at an unknown time");
    }
}

//! Hours, days and months of UTC.

use std::fmt;

use atelier_kit::moment::Micros;
use jiff::civil::Date;
use jiff::tz::Offset;

const HOUR: Micros = 3_600 * 1_000_000;
const DAY: Micros = 24 * HOUR;

/// The next full hour.
pub(crate) fn hour_after(now: Micros) -> Micros {
    (now.div_euclid(HOUR) + 1) * HOUR
}

/// The next midnight.
pub(crate) fn midnight_after(now: Micros) -> Micros {
    (now.div_euclid(DAY) + 1) * DAY
}

/// A month of a year, from 1970 to 9998.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MonthOfYear {
    year: i16,
    month: i8,
}

impl MonthOfYear {
    /// The first one.
    const FIRST: Self = Self {
        year: 1970,
        month: 1,
    };

    /// The month of a time.
    pub(crate) fn of(time: Micros) -> Self {
        jiff::Timestamp::from_microsecond(time).map_or(Self::FIRST, |time| {
            let date = Offset::UTC.to_datetime(time);
            Self {
                year: date.year().clamp(1970, 9998),
                month: date.month(),
            }
        })
    }

    /// The month that a text says, as in `2026-11`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
            return None;
        }
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        ((1970..=9998).contains(&year) && (1..=12).contains(&month)).then_some(Self { year, month })
    }

    /// The one after it.
    pub(crate) fn next(self) -> Self {
        match self.month {
            12 => Self {
                year: self.year + 1,
                month: 1,
            },
            month => Self {
                month: month + 1,
                ..self
            },
        }
    }

    /// Its first moment.
    pub(crate) fn begin(self) -> Micros {
        let first = Date::new(self.year, self.month, 1).ok();
        let first = first.and_then(|date| Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok());
        first.map_or(0, |time| time.as_microsecond())
    }
}

impl fmt::Display for MonthOfYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Micros {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn a_month_begins_and_ends_at_midnight_utc() {
        let december = MonthOfYear::read("2026-12").unwrap();
        assert_eq!(december.begin(), time("2026-12-01T00:00:00Z"));
        assert_eq!(december.next().begin(), time("2027-01-01T00:00:00Z"));
        assert_eq!(december.next().to_string(), "2027-01");
        for moment in ["2026-12-01T00:00:00Z", "2026-12-31T23:59:59.999999Z"] {
            assert_eq!(MonthOfYear::of(time(moment)), december, "{moment}");
        }
        let leap = MonthOfYear::read("2028-02").unwrap();
        assert_eq!(leap.next().begin() - leap.begin(), 29 * DAY);
    }

    #[test]
    fn nothing_else_is_a_month() {
        for text in [
            "",
            "2026",
            "2026-1",
            "2026-13",
            "2026-00",
            "26-01",
            "2026-+1",
            "1969-12",
            "9999-01",
            "2026-01-01",
            "２０２６-01",
        ] {
            assert_eq!(MonthOfYear::read(text), None, "{text}");
        }
    }

    #[test]
    fn an_hour_and_a_day_end_on_the_clock() {
        let noon = time("2026-11-29T12:00:00Z");
        assert_eq!(hour_after(noon), time("2026-11-29T13:00:00Z"));
        assert_eq!(hour_after(noon - 1), noon);
        assert_eq!(midnight_after(noon), time("2026-11-30T00:00:00Z"));
        assert_eq!(
            midnight_after(time("2026-11-30T00:00:00Z")),
            time("2026-12-01T00:00:00Z")
        );
    }
}

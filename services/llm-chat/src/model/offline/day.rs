//! A day of the Gregorian calendar: made from a date or read from text, counted with, and written down.

use super::words::{fold, tidy};

/// A day as days since 1 March of the year 0 in the Gregorian calendar, and the reckoning from and to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(pub(super) i64);

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MESES: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];
pub(super) const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
pub(super) const DIAS: [&str; 7] = [
    "lunes",
    "martes",
    "miércoles",
    "jueves",
    "viernes",
    "sábado",
    "domingo",
];

pub(super) fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Day {
    /// The day of a date, or nothing when there is no such date.
    pub(super) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        if !(1..=9999).contains(&year)
            || !(1..=12).contains(&month)
            || day < 1
            || day > length(year, month)
        {
            return None;
        }
        let (y, m) = if month > 2 {
            (year, month - 3)
        } else {
            (year - 1, month + 9)
        };
        Some(Self(
            y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1,
        ))
    }

    fn date(self) -> (i64, i64, i64) {
        let mut year = (self.0 * 400 / 146_097).clamp(1, 9999);
        let start = |year: i64| Self::new(year, 1, 1).map_or(i64::MAX, |day| day.0);
        while start(year) > self.0 && year > 1 {
            year -= 1;
        }
        while year < 9999 && start(year + 1) <= self.0 {
            year += 1;
        }
        let mut rest = self.0 - start(year);
        let mut month = 1;
        while month < 12 && rest >= length(year, month) {
            rest -= length(year, month);
            month += 1;
        }
        (year, month, rest + 1)
    }

    pub(super) fn weekday(self) -> usize {
        // Day 0 of this count, 1 March of the year 0, is a Wednesday.
        usize::try_from((self.0 + 2).rem_euclid(7)).unwrap_or(0)
    }

    pub(super) fn later(self, days: i64) -> Option<Self> {
        let day = Self(self.0.checked_add(days)?);
        (0..3_652_000).contains(&day.0).then_some(day)
    }

    pub(super) fn show(self, spanish: bool) -> String {
        let (year, month, day) = self.date();
        let at = usize::try_from(month - 1).unwrap_or(0).min(11);
        if spanish {
            format!("{} {day} de {} de {year}", DIAS[self.weekday()], MESES[at])
        } else {
            format!("{} {day} {} {year}", WEEKDAYS[self.weekday()], MONTHS[at])
        }
    }
}

/// Reads the first date in `text`; one without a year takes it from `around`.
pub(super) fn read(text: &str, around: Option<Day>) -> Option<Day> {
    let low = fold(text);
    let words: Vec<&str> = low
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty() && !matches!(*word, "of" | "the" | "de" | "del"))
        .take(60)
        .collect();
    let number = |at: usize| {
        let word = tidy(words.get(at)?);
        let digits = word
            .trim_end_matches("st")
            .trim_end_matches("nd")
            .trim_end_matches("rd")
            .trim_end_matches("th");
        digits
            .parse::<i64>()
            .ok()
            .filter(|n| (0..=9999).contains(n))
    };
    for (at, word) in words.iter().enumerate() {
        let word = tidy(word);
        let parts: Vec<&str> = word.split(['-', '/', '.']).collect();
        if let [a, b, c] = parts[..]
            && let (Ok(a), Ok(b), Ok(c)) = (a.parse::<i64>(), b.parse::<i64>(), c.parse::<i64>())
        {
            // Year first as ISO 8601 has it; otherwise day first, as most of the world writes.
            return if a > 31 {
                Day::new(a, b, c)
            } else {
                Day::new(c, b, a)
            };
        }
        let Some(month) = month(word) else { continue };
        let before = at
            .checked_sub(1)
            .and_then(number)
            .filter(|n| (1..=31).contains(n));
        let after = number(at + 1);
        let (day, year) = match (before, after) {
            (Some(day), Some(year)) if year > 31 => (day, Some(year)),
            (Some(day), _) => (day, None),
            (None, Some(day)) if day <= 31 => (day, number(at + 2).filter(|year| *year > 31)),
            _ => continue,
        };
        if let Some(year) = year {
            return Day::new(year, month, day);
        }
        let today = around?;
        let (this, _, _) = today.date();
        let near = Day::new(this, month, day)?;
        return if near < today {
            Day::new(this + 1, month, day)
        } else {
            Some(near)
        };
    }
    None
}

fn month(word: &str) -> Option<i64> {
    let find = |names: &[&str; 12]| {
        names.iter().position(|name| {
            let name = fold(name);
            name == word
                || (word.len() == 3 && word != "may" && name.starts_with(word))
                || (word == "sept" && name == "september")
        })
    };
    find(&MONTHS)
        .or_else(|| find(&MESES))
        .and_then(|at| i64::try_from(at + 1).ok())
}

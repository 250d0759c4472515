//! Reckons with dates that the conversation names; it has no clock and says so.

use super::day::{DIAS, Day, MONTHS, WEEKDAYS, leap, read};
use super::number::Number;
use super::talk::{Part, Talk};
use super::words::{Line, fold, tidy};

/// Answers a question about dates, or takes in what day it is.
pub(super) fn answer(talk: &mut Talk, line: &Line) -> Option<Part> {
    reckon(talk, line).map(Part::Answer)
}

fn reckon(talk: &mut Talk, line: &Line) -> Option<String> {
    let es = talk.spanish;
    let resolve = |talk: &Talk, text: &str| {
        match fold(tidy(text)).as_str() {
            "today" | "now" | "hoy" => return talk.today,
            "tomorrow" => return talk.today.and_then(|day| day.later(1)),
            "yesterday" => return talk.today.and_then(|day| day.later(-1)),
            "it" | "that" | "then" | "that day" | "that date" => return talk.last_day,
            "christmas" => return read("25 December", talk.today),
            "new year" | "new year's day" => return read("1 January", talk.today),
            "my birthday" => {
                let held = talk.facts.get(&super::memory::own("birthday"))?;
                return read(held, talk.today);
            }
            _ => {}
        }
        read(text, talk.today)
    };
    if !line.question
        && line.is(&["today|hoy is|es _", "it is *"])
        && line.has(&["today", "hoy"]) | read(line.body(), None).is_some()
        && let Some(day) = read(line.body(), talk.today)
    {
        talk.today = Some(day);
        talk.last_day = Some(day);
        return Some(if es {
            format!("Gracias, tomo nota: hoy es {}.", day.show(true))
        } else {
            format!(
                "Thanks, I have no clock of my own. So today is {}.",
                day.show(false)
            )
        });
    }
    if line.is(&[
        "what day|date|time|year|month is it ?today|now ?today",
        "what is the time|date|day ?today|now",
        "what is today's date",
        "what is today",
        "what day is today",
        "do you know what day|time it is",
        "what time|day it is",
    ]) {
        let time = line.has(&["time"]);
        return Some(match (talk.today, time, es) {
            (Some(day), false, true) => format!("Me dijiste que hoy es {}.", day.show(true)),
            (Some(day), false, false) => format!("You told me: today is {}.", day.show(false)),
            (_, _, true) => {
                "No tengo reloj. Si me dices «hoy es 3 de mayo de 2026», puedo contar con \
             ello."
                    .to_owned()
            }
            _ => talk.vary(&[
                "I have no clock, so I can't know. Tell me \"today is 3 May 2026\" and I \
             can reckon from there."
                    .to_owned(),
                "There's no clock in here. Give me today's date and I'll count days for you."
                    .to_owned(),
            ]),
        });
    }
    if let Some(found) = line.any(&["is|was|will * ?be a leap year"]) {
        let year: i64 = tidy(found[0])
            .parse()
            .ok()
            .filter(|year| (1..=9999).contains(year))?;
        return Some(if leap(year) {
            format!("Yes, {year} has 366 days.")
        } else {
            format!("No, {year} has 365 days.")
        });
    }
    if let Some(found) = line.any(&[
        "how many days|weeks ?are ?there between *",
        "how long ?is ?it between *",
        "days between *",
        "how many days|weeks ?are ?there from *",
        "what is the difference between *",
    ]) {
        let text = found[0];
        let (a, b) = text
            .split_once(" and ")
            .or_else(|| text.split_once(" to "))
            .or_else(|| text.split_once(" until "))?;
        let (a, b) = (resolve(talk, a)?, resolve(talk, b)?);
        return Some(apart(talk, a, b, line.has(&["weeks"])));
    }
    if let Some(found) = line.any(&[
        "how many days|weeks ?are ?there ?left until|till|to|before *",
        "how long ?is ?it until|till|to|before *",
        "how many days|weeks is it ?until|till|to *",
        "when is *",
    ]) {
        if line.is(&["when is _"]) {
            let birthday = line.is(&["when is my _"]);
            if birthday {
                return None;
            }
            let day = resolve(talk, found[0])?;
            return Some(format!("{}.", super::learning::capital(&day.show(es))));
        }
        let Some(today) = talk.today else {
            let datelike = resolve(talk, found[0]).is_some()
                || line.has(&["days", "weeks", "birthday", "christmas"]);
            return datelike.then(|| {
                "I have no clock: tell me today's date first (\"today is 3 May 2026\") \
             and I'll count."
                    .to_owned()
            });
        };
        let day = resolve(talk, found[0])?;
        return Some(apart(talk, today, day, line.has(&["weeks"])));
    }
    if let Some(found) = line.any(&[
        "what|which day|weekday ?of ?the ?week is|was|will ?it|be *",
        "what|which day|weekday of the week is|was *",
        "what|which day ?of ?the ?week does|did * fall|land ?on",
        "what|which weekday is|was *",
    ]) {
        let day = resolve(talk, found[0])?;
        talk.last_day = Some(day);
        let name = if es {
            DIAS[day.weekday()]
        } else {
            WEEKDAYS[day.weekday()]
        };
        return Some(if es {
            format!("Es {name}.")
        } else {
            talk.vary(&[
                format!("A {name}."),
                format!("That's a {name}."),
                format!("It falls on a {name}."),
            ])
        });
    }
    let moved = line
        .any(&["?what|which ?day|date ?is|was ?it * days|weeks|day|week after|from *"])
        .map(|found| (found[0], found[1], 1))
        .or_else(|| {
            line.any(&["?what|which ?day|date ?is|was ?it * days|weeks|day|week before *"])
                .map(|found| (found[0], found[1], -1))
        })
        .or_else(|| {
            line.any(&["?and ?what|which ?day|date ?is ?it ?will ?be in * days|weeks ?time"])
                .map(|found| (found[0], "today", 1))
        })
        .or_else(|| {
            line.any(&["?and * days|weeks later|after ?that"])
                .map(|found| (found[0], "it", 1))
        });
    if let Some((count, from, direction)) = moved {
        let count = Number::read(count)
            .and_then(Number::as_whole)
            .or_else(|| super::number::named(&fold(count)).map(|(n, _)| n))
            .or_else(|| matches!(fold(count).as_str(), "a" | "one").then_some(1))?;
        let count = i64::try_from(count)
            .ok()?
            .checked_mul(if line.has(&["weeks", "week"]) { 7 } else { 1 })?;
        let Some(start) = resolve(talk, from) else {
            return matches!(fold(from).as_str(), "today" | "now").then(|| {
                "I'd need to know what day it is: I have no clock. Tell me \"today is …\"."
                    .to_owned()
            });
        };
        let day = start.later(count.checked_mul(direction)?)?;
        talk.last_day = Some(day);
        return Some(format!("{}.", super::learning::capital(&day.show(es))));
    }
    if let Some(found) = line.any(&["what|which ?day|month comes|is after|before *"]) {
        let step = if line.has(&["before"]) { -1 } else { 1 };
        let name = fold(found[0]);
        for names in [&WEEKDAYS[..], &MONTHS[..]] {
            if let Some(at) = names.iter().position(|held| fold(held) == name) {
                let next = (at + names.len()).checked_add_signed(step)? % names.len();
                return names.get(next).map(|held| format!("{held}."));
            }
        }
    }
    if line.is(&[
        "what day|date is tomorrow",
        "what is tomorrow's date",
        "and tomorrow",
        "what is tomorrow",
    ]) {
        let day = talk.today?.later(1)?;
        return Some(format!("Tomorrow is {}.", day.show(false)));
    }
    None
}

fn apart(talk: &mut Talk, from: Day, to: Day, weeks: bool) -> String {
    let days = to.0 - from.0;
    let count = days.abs();
    talk.last_number = Some(Number::whole(i128::from(count)));
    talk.last_day = Some(to);
    let plural = |n: i64, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    if talk.spanish {
        return format!("{count} días (hasta el {}).", to.show(true));
    }
    let detail = if weeks || count >= 14 {
        let rest = count % 7;
        let tail = if rest == 0 {
            String::new()
        } else {
            format!(" and {}", plural(rest, "day"))
        };
        format!(", which is {}{tail}", plural(count / 7, "week"))
    } else {
        String::new()
    };
    if days < 0 {
        format!("{} back{detail}.", plural(count, "day"))
    } else {
        talk.vary(&[
            format!("{}{detail}.", plural(count, "day")),
            format!("It's {}{detail}.", plural(count, "day")),
        ])
    }
}

//! Converts measures (length, weight, volume, time, temperature, data); it keeps only the last measure asked about.

use super::number::Number;
use super::talk::{Part, Talk};
use super::words::{Line, fold};

/// A unit: its names (the last one is shown), what it measures, and its size in that kind's base unit.
struct Unit {
    names: &'static [&'static str],
    kind: char,
    size: f64,
}

const fn unit(names: &'static [&'static str], kind: char, size: f64) -> Unit {
    Unit { names, kind, size }
}

#[rustfmt::skip]
const UNITS: &[Unit] = &[
    unit(&["mm", "millimetre", "millimeter", "millimeters", "millimetres"], 'l', 0.001),
    unit(&["cm", "centimetre", "centimeter", "centimeters", "centimetros", "centimetres"], 'l', 0.01),
    unit(&["m", "metre", "meter", "meters", "metros", "metres"], 'l', 1.0),
    unit(&["km", "kms", "kilometre", "kilometer", "kilometers", "kilómetros", "kilometres"], 'l', 1000.0),
    unit(&["inch", "\"", "inches"], 'l', 0.0254),
    unit(&["ft", "foot", "pies", "feet"], 'l', 0.3048),
    unit(&["yd", "yard", "yards"], 'l', 0.9144),
    unit(&["mi", "mile", "millas", "miles"], 'l', 1609.344),
    unit(&["nautical-mile", "nautical-miles"], 'l', 1852.0),
    unit(&["mg", "milligram", "milligrams"], 'w', 0.000_001),
    unit(&["g", "gram", "gramme", "gramos", "grams"], 'w', 0.001),
    unit(&["kg", "kilo", "kilos", "kilogram", "kilograms"], 'w', 1.0),
    unit(&["t", "tonne", "tonnes"], 'w', 1000.0),
    unit(&["oz", "ounce", "ounces"], 'w', 0.028_349_523_125),
    unit(&["lb", "lbs", "pound", "libras", "pounds"], 'w', 0.453_592_37),
    unit(&["stone"], 'w', 6.350_293_18),
    unit(&["ml", "millilitre", "milliliter", "milliliters", "millilitres"], 'v', 0.001),
    unit(&["l", "litre", "liter", "liters", "litros", "litres"], 'v', 1.0),
    unit(&["gallon", "gal", "galones", "US gallons", "gallons"], 'v', 3.785_411_784),
    unit(&["pint", "pints"], 'v', 0.473_176_473),
    unit(&["cup", "cups"], 'v', 0.236_588_236_5),
    unit(&["tablespoon", "tbsp", "tablespoons"], 'v', 0.014_786_764_78),
    unit(&["teaspoon", "tsp", "teaspoons"], 'v', 0.004_928_921_59),
    unit(&["ms", "millisecond", "milliseconds"], 't', 0.001),
    unit(&["s", "sec", "second", "segundos", "seconds"], 't', 1.0),
    unit(&["min", "minute", "minutos", "minutes"], 't', 60.0),
    unit(&["h", "hr", "hour", "horas", "hours"], 't', 3600.0),
    unit(&["day", "días", "days"], 't', 86_400.0),
    unit(&["week", "semanas", "weeks"], 't', 604_800.0),
    unit(&["year", "años", "years"], 't', 31_557_600.0),
    unit(&["b", "byte", "bytes"], 'd', 1.0),
    unit(&["kb", "kilobyte", "kilobytes"], 'd', 1e3),
    unit(&["mb", "megabyte", "megabytes"], 'd', 1e6),
    unit(&["gb", "gigabyte", "gigabytes"], 'd', 1e9),
    unit(&["tb", "terabyte", "terabytes"], 'd', 1e12),
    unit(&["kib", "kibibyte", "kibibytes"], 'd', 1024.0),
    unit(&["mib", "mebibyte", "mebibytes"], 'd', 1_048_576.0),
    unit(&["gib", "gibibyte", "gibibytes"], 'd', 1_073_741_824.0),
    unit(&["kmh", "kph", "km/h"], 's', 1000.0 / 3600.0),
    unit(&["mph", "miles per hour"], 's', 0.447_04),
    unit(&["knot", "knots"], 's', 0.514_444_444),
    unit(&["c", "celsius", "centigrade", "°C"], 'c', 1.0),
    unit(&["f", "fahrenheit", "°F"], 'c', 2.0),
    unit(&["k", "kelvin", "K"], 'c', 3.0),
];

/// The measure a conversation spoke of last, for "and in feet?".
#[derive(Clone, Copy)]
pub(super) struct Measure {
    value: f64,
    unit: usize,
    into: usize,
}

fn find(name: &str) -> Option<usize> {
    let low = fold(name);
    let low = low
        .trim()
        .trim_start_matches("degrees ")
        .trim_start_matches('°')
        .trim_start_matches("us ");
    UNITS
        .iter()
        .position(|unit| unit.names.contains(&low))
        .or_else(|| {
            (low == "degrees")
                .then(|| UNITS.iter().position(|unit| unit.kind == 'c'))
                .flatten()
        })
}

/// Answers a conversion.
pub(super) fn answer(talk: &mut Talk, line: &Line) -> Option<Part> {
    let (value, from, into) = asked(talk, line)?;
    let (here, there) = (&UNITS[from], &UNITS[into]);
    talk.measure = Some(Measure {
        value,
        unit: from,
        into,
    });
    let name = |unit: &Unit| unit.names.last().copied().unwrap_or_default();
    if here.kind != there.kind {
        return Some(Part::Answer(if talk.spanish {
            format!(
                "No puedo pasar {} a {}: miden cosas distintas.",
                name(here),
                name(there)
            )
        } else {
            format!(
                "{} and {} measure different things, so one can't become the other.",
                super::learning::capital(name(here)),
                name(there)
            )
        }));
    }
    let result = if here.kind == 'c' {
        degrees(value, here.size, there.size)
    } else {
        value * here.size / there.size
    };
    if !result.is_finite() {
        return None;
    }
    let (given, got) = (neat(value), neat(result));
    talk.last_number = Some(exact(result));
    let one = |value: f64, unit: &'static Unit| {
        if (value - 1.0).abs() < 1e-12 && unit.kind != 'c' {
            singular(unit)
        } else {
            name(unit)
        }
    };
    let (a, b) = (one(value, here), one(result, there));
    Some(Part::Answer(if talk.spanish {
        format!("{given} {a} = {got} {b}.")
    } else {
        talk.vary(&[
            format!("{given} {a} is {got} {b}."),
            format!("{given} {a} comes to {got} {b}."),
            format!("That's {got} {b}."),
        ])
    }))
}

fn singular(unit: &Unit) -> &'static str {
    let plural = unit.names.last().copied().unwrap_or_default();
    unit.names
        .iter()
        .copied()
        .find(|name| {
            name.len() > 2
                && name.get(..2).is_some_and(|start| plural.starts_with(start))
                && plural.len() > name.len()
                && plural.ends_with('s')
        })
        .unwrap_or(match plural {
            "feet" => "foot",
            other => other,
        })
}

fn asked(talk: &Talk, line: &Line) -> Option<(f64, usize, usize)> {
    if let Some(found) = line.any(&[
        "how many|much * are|is ?there|it in|on *",
        "how many * in|make|makes *",
        "how many * are|is *",
    ]) && let Some(into) = find(found[0])
        && let Some((value, from)) = quantity(found[1])
    {
        return Some((value, from, into));
    }
    if let Some(found) = line.any(&[
        "convert|change|turn|put * to|into|in *",
        "what|how ?much is * in|to *",
        "* in|to|into|as *",
        "how much|many is * in *",
        "express * in *",
    ]) && let Some(into) = find(found[1])
    {
        if let Some((value, from)) = quantity(found[0]) {
            return Some((value, from, into));
        }
        if matches!(fold(found[0]).as_str(), "it" | "that" | "this") {
            let last = talk.measure?;
            return Some((last.value, last.unit, into));
        }
    }
    let last = talk.measure?;
    if let Some(found) = line.any(&["?what ?about in|to *", "how about in *", "?y en *"]) {
        if let Some(into) = find(found[0]) {
            return Some((last.value, last.unit, into));
        }
        let (value, from) = quantity(found[0])?;
        return (UNITS[from].kind == UNITS[last.into].kind).then_some((value, from, last.into));
    }
    if let Some(found) = line.any(&["?what|how ?about ?for *"]) {
        let (value, from) = quantity(found[0])?;
        return (UNITS[from].kind == UNITS[last.into].kind && from != last.into)
            .then_some((value, from, last.into));
    }
    None
}

/// "10 km", "5km", "a mile", "ten miles".
fn quantity(text: &str) -> Option<(f64, usize)> {
    let text = fold(text);
    let text = text.trim();
    let (negative, text) = match text
        .strip_prefix('-')
        .or_else(|| text.strip_prefix("minus "))
    {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','))
        .unwrap_or(text.len());
    let (value, name) = if end > 0 {
        (
            Number::read(text[..end].trim_end_matches(['.', ',']))?.float(),
            &text[end..],
        )
    } else {
        let (first, rest) = text.split_once(' ')?;
        let value = match first {
            "a" | "an" | "un" | "una" => 1.0,
            word => super::number::named(word)?.0 as f64,
        };
        (value, rest)
    };
    Some((if negative { -value } else { value }, find(name)?))
}

fn degrees(value: f64, from: f64, into: f64) -> f64 {
    let celsius = match from as u8 {
        2 => (value - 32.0) / 1.8,
        3 => value - 273.15,
        _ => value,
    };
    match into as u8 {
        2 => celsius * 1.8 + 32.0,
        3 => celsius + 273.15,
        _ => celsius,
    }
}

/// Four significant decimals at most, as an exact number where that is possible.
fn exact(value: f64) -> Number {
    let parts: i128 = if value.abs() >= 100.0 { 100 } else { 10_000 };
    let scaled = (value * parts as f64).round();
    if scaled.abs() < 1e15 && value.abs() >= 0.01 {
        Number::Exact(scaled as i128, parts)
            .plus(Number::whole(0))
            .unwrap_or(Number::About(value))
    } else {
        Number::About(value)
    }
}

fn neat(value: f64) -> String {
    exact(value).show()
}

//! Arithmetic in figures and words, with follow-ups on the last result; it knows no units and no dates.

use super::figures::lex;
use super::formula::{Trouble, arrange, arrange_any, show_all, solve};
use super::number::Number;
use super::talk::{Part, Talk};
use super::words::{Line, fold, tidy};

/// Answers a calculation.
pub(super) fn answer(talk: &mut Talk, line: &Line) -> Option<Part> {
    if let Some(said) = assign(talk, line).or_else(|| about_number(talk, line)) {
        return Some(Part::Answer(said));
    }
    let low = fold(signed_body(line));
    let own = own_numbers(talk, &low);
    let mut text =
        own.trim_matches(|c: char| c.is_whitespace() || matches!(c, '?' | '.' | '=' | '"'));
    loop {
        let shorter = [
            "what is ",
            "what's ",
            "whats ",
            "how much is ",
            "how much are ",
            "calculate ",
            "compute ",
            "work out ",
            "evaluate ",
            "solve ",
            "what about ",
            "how about ",
            "and ",
            "then ",
            "now ",
            "what do you get if you ",
            "what does ",
            "tell me ",
            "the ",
            "result of ",
            "what would be ",
            "if you ",
            "is it ",
            "give me ",
            "what are ",
            "so ",
            "cuánto es ",
            "cuánto son ",
            "y ",
            "please ",
            "ok ",
            "value of ",
            "what if i ",
        ]
        .iter()
        .find_map(|start| text.strip_prefix(start));
        match shorter {
            Some(rest) => text = rest.trim_start(),
            None => break,
        }
    }
    let tokens = lex(text, talk)?;
    let tokens = arrange(tokens, talk.last_number)?;
    let value = match solve(&tokens) {
        Ok(value) => value,
        Err(Trouble::Zero) => {
            return Some(Part::Answer(if talk.spanish {
                "No se puede dividir entre cero.".to_owned()
            } else {
                talk.vary(&[
                    "Dividing by zero has no answer, so I'll leave that one alone.".to_owned(),
                    "That divides by zero, which has no result.".to_owned(),
                ])
            }));
        }
        Err(Trouble::Unreadable) => return None,
    };
    let shown = show_all(&tokens);
    talk.last_number = Some(value);
    let result = value.show();
    let sign = if value.rounded() { "≈" } else { "=" };
    let figures = format!("{shown} {sign} {result}");
    let length_fits = figures.chars().count() < 200 && !shown.is_empty();
    Some(Part::Answer(if talk.spanish {
        if length_fits {
            talk.vary(&[
                format!("{figures}."),
                format!("Son {result} ({shown})."),
                format!("El resultado es {result}."),
            ])
        } else {
            format!("{result}.")
        }
    } else if length_fits {
        talk.vary(&[
            format!("{figures}."),
            format!("That's {result}: {figures}."),
            format!("{figures}, if I've read you right."),
        ])
    } else {
        format!("That comes to {result}.")
    }))
}

/// The clause from its first word, with the signs and brackets that stand before that word.
fn signed_body<'a>(line: &Line<'a>) -> &'a str {
    let start = line.words.first().map_or(0, |word| word.start);
    let before = line.raw.get(..start).unwrap_or_default();
    let kept = before
        .trim_end_matches(|c: char| c == ' ' || "+-−*×·/÷^%([√.".contains(c))
        .len();
    line.raw.get(kept..).unwrap_or_default()
}

/// "my lucky number" as the number it is known to be.
fn own_numbers(talk: &Talk, low: &str) -> String {
    let mut text = low.to_owned();
    for fact in talk.facts.all().iter().take(60) {
        if let super::memory::Key::Own(what) = &fact.key
            && Number::read(&fact.value).is_some()
        {
            text = text.replace(&format!("my {what}"), &fact.value);
        }
    }
    text
}

/// "let x be 5", "x = 5".
fn assign(talk: &mut Talk, line: &Line) -> Option<String> {
    let low = fold(signed_body(line));
    let low = tidy(&low);
    let rest = low
        .strip_prefix("let ")
        .or_else(|| low.strip_prefix("set "))
        .unwrap_or(low);
    let (name, value) = rest
        .split_once('=')
        .or_else(|| rest.split_once(" be "))
        .or_else(|| rest.split_once(" to "))?;
    let name = name.trim();
    if name.len() != 1 || !name.bytes().all(|b| b.is_ascii_lowercase()) || line.question {
        return None;
    }
    let tokens = arrange_any(lex(value.trim(), talk)?)?;
    let value = solve(&tokens).ok()?;
    talk.variables.retain(|(held, _)| held != name);
    talk.variables.push((name.to_owned(), value));
    Some(format!("{name} = {}, noted.", value.show()))
}

/// Questions about one number: prime, even, factors.
fn about_number(talk: &mut Talk, line: &Line) -> Option<String> {
    let number = |talk: &Talk, text: &str| {
        if matches!(fold(text).as_str(), "it" | "that" | "this" | "that number") {
            return talk.last_number;
        }
        Number::read(tidy(text))
    };
    if line.is(&["round ?it|that|this ?up|down|off ?to ?the|a ?nearest ?whole|integer ?number"]) {
        let value = talk.last_number?;
        let float = value.float();
        let whole = if line.has(&["up"]) {
            float.ceil()
        } else if line.has(&["down"]) {
            float.floor()
        } else {
            float.round()
        };
        if whole.abs() > 1e15 {
            return None;
        }
        let rounded = Number::whole(whole as i128);
        talk.last_number = Some(rounded);
        return Some(format!(
            "{} is {} in round figures.",
            value.show(),
            rounded.show()
        ));
    }
    if let Some(found) = line.any(&[
        "is * a ?prime prime|number",
        "is * prime",
        "is * a prime number",
    ]) {
        let value = number(talk, found[0])?;
        let whole = value
            .as_whole()
            .filter(|n| (0..10_000_000_000).contains(n))?;
        talk.last_number = Some(value);
        let divisor = smallest_divisor(whole);
        return Some(match (whole, divisor) {
            (0 | 1, _) => format!("No, {whole} is not prime: a prime has exactly two divisors."),
            (_, None) => format!("Yes, {whole} is prime."),
            (_, Some(d)) => format!("No, {whole} = {d} × {}.", whole / d),
        });
    }
    if let Some(found) = line.any(&[
        "is * even|odd",
        "is * an even|odd number",
        "is * even or odd",
        "is * odd or even",
    ]) {
        let value = number(talk, found[0])?;
        let whole = value.as_whole()?;
        talk.last_number = Some(value);
        return Some(format!(
            "{whole} is {}.",
            if whole % 2 == 0 { "even" } else { "odd" }
        ));
    }
    if let Some(found) = line.any(&[
        "factor|factorise|factorize *",
        "what are the ?prime factors of *",
        "prime factors of *",
    ]) {
        let value = number(talk, found[0])?;
        let mut rest = value
            .as_whole()
            .filter(|n| (2..10_000_000_000).contains(n))?;
        let whole = rest;
        let mut parts = Vec::new();
        while let Some(d) = smallest_divisor(rest) {
            parts.push(d.to_string());
            rest /= d;
        }
        parts.push(rest.to_string());
        return Some(format!("{whole} = {}.", parts.join(" × ")));
    }
    None
}

fn smallest_divisor(n: i128) -> Option<i128> {
    let n = u64::try_from(n).ok()?;
    (2..)
        .take_while(|d| d * d <= n)
        .find(|d| n % d == 0)
        .map(i128::from)
}

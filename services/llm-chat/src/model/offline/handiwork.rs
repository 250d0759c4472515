//! Small work on text that is given: reversing, counting, sorting, changing case, summarising. It makes up nothing.

use super::phrases::{clip, items, sentences};
use super::summary::{briefly, summary};
use super::talk::{Part, Talk};
use super::words::{Line, fold, tidy};
use crate::tokens::{characters, head};

/// Answers a task whose text comes with the whole message: "summarise: …", "count the words in: …".
pub(super) fn whole(talk: &mut Talk, message: &str) -> Option<String> {
    let (order, text) = split(message)?;
    let line = Line::new(order);
    if line.words.len() > 12 {
        return None;
    }
    let short = head(text, 1_500);
    if line.is(&[
        "summarise|shorten|condense|resume|resúmeme _",
        "?give ?me ?a summary|tldr|resumen _",
        "tl dr _",
        "_ main|key point|points|idea _",
    ]) {
        return Some(summary(talk, text));
    }
    if line.is(&[
        "how many|count _",
        "count _",
        "number of _",
        "cuántas|cuenta|cuántos _",
    ]) {
        return Some(counts(talk, text, &line));
    }
    if line.is(&[
        "reverse|invert _",
        "write|say|spell ?this|it|that|the ?text|word|following backwards _",
    ]) {
        return Some(reversed(talk, short, line.has(&["words"])));
    }
    if line.is(&["sort|order|alphabetise _", "put _ order _", "ordena _"]) {
        return Some(sorted(
            short,
            line.has(&["descending", "reverse", "backwards"]),
        ));
    }
    if line.is(&[
        "uppercase|capitalise _",
        "_ upper case|uppercase|capitals|caps",
    ]) {
        return Some(short.to_uppercase());
    }
    if line.is(&["lowercase _", "_ lower case|lowercase"]) {
        return Some(short.to_lowercase());
    }
    if line.is(&[
        "bullet|list _",
        "_ bullet points|list|bullets",
        "turn _ list",
    ]) {
        let rows: Vec<String> = items(short)
            .into_iter()
            .take(40)
            .map(|item| format!("- {item}"))
            .collect();
        return (!rows.is_empty()).then(|| rows.join("\n"));
    }
    if line.is(&["_ acronym _", "_ initials _"]) {
        return Some(acronym(short));
    }
    None
}

/// The order and the text it is for: split at the first colon or line break with an order before it.
fn split(message: &str) -> Option<(&str, &str)> {
    let at = message.find([':', '\n'])?;
    let (order, text) = (&message[..at], message[at + 1..].trim());
    (!text.is_empty() && order.len() < 160).then_some((order.trim(), text))
}

/// Answers a task on a word or a phrase in the sentence itself.
pub(super) fn answer(talk: &mut Talk, line: &Line) -> Option<Part> {
    small(talk, line).map(Part::Answer)
}

fn small(talk: &mut Talk, line: &Line) -> Option<String> {
    let given = |talk: &Talk, text: &str| -> String {
        let text = inner(line, text);
        match fold(&text).as_str() {
            "it" | "that" | "this" => talk
                .heard
                .last()
                .and_then(|heard| heard.answer)
                .map_or(text.clone(), |answer| head(answer, 800).to_owned()),
            "my name" => talk
                .facts
                .get(&super::memory::Key::Name)
                .map_or(text.clone(), str::to_owned),
            "my last message" => talk
                .heard
                .last()
                .map_or(text.clone(), |heard| head(heard.text, 800).to_owned()),
            _ => text,
        }
    };
    if let Some(found) = line.any(&[
        "reverse|invert the word|words|text|string|letters|sentence ?of ?in *",
        "reverse|invert *",
        "spell|write|say * backwards",
        "what is * ?spelled|spelt backwards",
        "escribe * al revés",
    ]) {
        let text = given(talk, found[0]);
        return Some(reversed(talk, &text, line.has(&["words"])));
    }
    if let Some(found) = line.any(&[
        "how many letters|characters are|does|has|is ?there ?in ?the ?word|name *",
        "count the letters|characters in|of ?the ?word *",
    ]) {
        let text = given(talk, found[0].trim_end_matches(" have"));
        let letters = characters(&text)
            .into_iter()
            .filter(|c| c.chars().any(char::is_alphanumeric))
            .count();
        talk.last_number = Some(super::number::Number::whole(letters as i128));
        return Some(format!(
            "{} has {letters} letter{}.",
            quoted(&text),
            if letters == 1 { "" } else { "s" }
        ));
    }
    if let Some(found) = line.any(&[
        "how many words are|does|is ?there ?in *",
        "count the words in|of *",
    ]) {
        let text = given(talk, found[0].trim_end_matches(" have"));
        let words = text.split_whitespace().count();
        talk.last_number = Some(super::number::Number::whole(words as i128));
        return Some(format!(
            "{words} word{}.",
            if words == 1 { "" } else { "s" }
        ));
    }
    if let Some(found) = line.any(&["how many vowels are|does|is ?there ?in ?the ?word *"]) {
        let text = given(talk, found[0].trim_end_matches(" have"));
        let vowels = text
            .chars()
            .filter(|c| "aeiouáéíóúüAEIOUÁÉÍÓÚÜ".contains(*c))
            .count();
        return Some(format!(
            "{} has {vowels} vowel{}.",
            quoted(&text),
            if vowels == 1 { "" } else { "s" }
        ));
    }
    if let Some(found) = line.any(&[
        "how many times does|is ?the letter * appear|occur|come|in ?up ?in ?the \
             ?word *",
        "how many * ?are ?there in ?the ?word *",
        "how many times does * appear|occur in *",
        "count the * in *",
    ]) {
        let needle = found[0]
            .trim_end_matches("'s")
            .trim_end_matches("\u{2019}s")
            .trim_end_matches(" letters");
        let single = if needle.chars().count() == 2 && needle.ends_with('s') {
            &needle[..needle.len() - 1]
        } else {
            needle
        };
        let single = inner(line, single);
        if single.chars().count() != 1 && !line.has(&["times"]) {
            return None;
        }
        let text = given(talk, found[1]);
        let count = fold(&text).matches(&fold(&single)).count();
        talk.last_number = Some(super::number::Number::whole(count as i128));
        return Some(format!(
            "{} appears {count} time{} in {}.",
            quoted(&single),
            if count == 1 { "" } else { "s" },
            quoted(&text)
        ));
    }
    if let Some(found) = line.any(&["is ?the ?word|phrase * a palindrome"]) {
        let text = given(talk, found[0]);
        let letters: Vec<char> = fold(&text)
            .chars()
            .filter(|c| c.is_alphanumeric())
            .collect();
        let same = letters.iter().eq(letters.iter().rev());
        return Some(if same {
            format!("Yes, {} reads the same both ways.", quoted(&text))
        } else {
            format!(
                "No: backwards {} is {}.",
                quoted(&text),
                quoted(&turned(&text))
            )
        });
    }
    if let Some(found) = line.any(&[
        "how do|is you|it spell|spelled|spelt *",
        "spell ?out ?the ?word *",
    ]) {
        let text = given(talk, found[0]);
        let letters: Vec<String> = characters(&text)
            .into_iter()
            .filter(|c| !c.trim().is_empty())
            .take(60)
            .map(str::to_uppercase)
            .collect();
        return Some(format!("{}.", letters.join("-")));
    }
    if let Some(found) = line.any(&[
        "put|write|say|convert * in|into|to capitals|uppercase|caps",
        "put|write|say|convert * in|into|to upper|capital case|letters",
        "uppercase|capitalise *",
    ]) {
        return Some(given(talk, found[0]).to_uppercase());
    }
    if let Some(found) = line.any(&["sort|alphabetise *", "put * in ?alphabetical order"]) {
        let text = line.raw.split_once(':').map_or(found[0], |(_, rest)| rest);
        let many = items(text).len() > 1;
        return many.then(|| sorted(text, line.has(&["descending"])));
    }
    if line.is(&[
        "summarise|shorten|condense that|it|this",
        "make it|that shorter",
        "shorter ?please",
        "in short",
        "tl dr",
        "tldr",
        "can you shorten it|that",
        "resúmelo",
    ]) {
        let long = talk.heard.last().and_then(|heard| heard.answer)?;
        return Some(briefly(long));
    }
    if let Some(found) = line.any(&["count ?from|up ?1|one ?up to *"])
        && let Some(most) = super::number::Number::read(found[0])
            .and_then(super::number::Number::as_whole)
            .filter(|n| (1..=50).contains(n))
    {
        let numbers: Vec<String> = (1..=most).map(|n| n.to_string()).collect();
        return Some(format!("{}.", numbers.join(", ")));
    }
    if let Some(found) = line.any(&["repeat after me *", "say *"])
        && !line.question
        && !line.is(&["say more|something|anything|that|it|again|goodbye _"])
    {
        let text = inner(line, found[0]);
        return Some(format!(
            "{}.",
            super::learning::capital(clip(&text, 200).trim_end_matches('.'))
        ));
    }
    if let Some(found) = line.any(&[
        "which|what is longer|shorter * or *",
        "which word is longer|shorter * or *",
    ]) {
        let (a, b) = (found[0], found[1]);
        let (x, y) = (a.chars().count(), b.chars().count());
        let longer = line.has(&["longer"]);
        return Some(match x.cmp(&y) {
            std::cmp::Ordering::Equal => format!("As words they are equally long: {x} letters."),
            order => {
                let first = (order == std::cmp::Ordering::Greater) == longer;
                format!(
                    "As words, {}: {x} letters against {y}.",
                    quoted(if first { a } else { b })
                )
            }
        });
    }
    None
}

/// What stands in quotation marks in the clause, if anything does; the captured words otherwise.
fn inner(line: &Line, captured: &str) -> String {
    for (open, close) in [('"', '"'), ('\u{201c}', '\u{201d}'), ('«', '»'), ('`', '`')] {
        if let Some(from) = line.raw.find(open) {
            let rest = &line.raw[from + open.len_utf8()..];
            if let Some(to) = rest.find(close)
                && to > 0
                && rest[..to].contains(captured.trim_matches('"'))
            {
                return rest[..to].to_owned();
            }
        }
    }
    tidy(captured).trim_matches('\'').to_owned()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", clip(text, 80))
}

fn turned(text: &str) -> String {
    characters(text).into_iter().rev().collect()
}

fn reversed(talk: &Talk, text: &str, words: bool) -> String {
    let text = tidy(text);
    let result = if words && text.contains(' ') {
        let mut parts: Vec<&str> = text.split_whitespace().collect();
        parts.reverse();
        parts.join(" ")
    } else {
        turned(text)
    };
    if talk.spanish {
        return format!("Al revés: {result}");
    }
    talk.vary(&[format!("Backwards: {result}"), result.clone()])
}

fn sorted(text: &str, down: bool) -> String {
    let mut parts = items(text);
    if parts.len() < 2 {
        parts = text.split_whitespace().map(str::to_owned).collect();
    }
    let numbers: Option<Vec<f64>> = parts.iter().map(|part| part.parse().ok()).collect();
    match numbers {
        Some(mut numbers) => {
            numbers.sort_by(f64::total_cmp);
            parts = numbers.into_iter().map(|n| n.to_string()).collect();
        }
        None => parts.sort_by_key(|part| fold(part)),
    }
    if down {
        parts.reverse();
    }
    parts.join(", ")
}

fn acronym(text: &str) -> String {
    text.split_whitespace()
        .filter(|word| {
            !matches!(
                fold(word).as_str(),
                "of" | "the" | "and" | "for" | "a" | "in" | "de" | "la"
            )
        })
        .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()))
        .take(30)
        .flat_map(char::to_uppercase)
        .collect()
}

fn counts(talk: &mut Talk, text: &str, line: &Line) -> String {
    let words = text.split_whitespace().count();
    let characters = text.chars().count();
    let count = if line.has(&["letters", "letras"]) {
        let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
        talk.last_number = Some(super::number::Number::whole(letters as i128));
        return if talk.spanish {
            format!("{letters} letras.")
        } else {
            format!("{letters} letters.")
        };
    } else if line.has(&["sentences", "frases"]) {
        sentences(text).len()
    } else if line.has(&["lines"]) {
        text.lines().count()
    } else if line.has(&["characters", "caracteres"]) {
        characters
    } else {
        words
    };
    talk.last_number = Some(super::number::Number::whole(count as i128));
    if talk.spanish {
        return format!("{count} ({words} palabras, {characters} caracteres).");
    }
    if count == words && line.has(&["words"]) {
        return format!(
            "{words} word{}, {characters} characters.",
            if words == 1 { "" } else { "s" }
        );
    }
    format!("{count}. (In all: {words} words, {characters} characters.)")
}

//! Takes facts out of what a person says about themselves and acknowledges them; it answers no questions.

use super::memory::{Kept, Key};
use super::phrases::{clip, to_you};
use super::statements::understand;
use super::talk::{Part, Talk};
use super::words::{Line, fold, tidy};

/// Learns from one clause; nothing when the clause tells nothing to keep.
pub(super) fn learn(talk: &mut Talk, line: &Line) -> Option<Part> {
    // "Can you remember that …?" tells, for all its question mark.
    let told = line.is(&["remember|note that _", "remind me to _", "keep in mind _"]);
    if line.question && !told {
        return None;
    }
    let (key, value) = understand(talk, line)?;
    let value = tail(&value);
    if value.is_empty() || value.chars().count() > 160 {
        return None;
    }
    Some(keep(talk, key, &value, line.corrects))
}

/// Files a fact and words the acknowledgement.
pub(super) fn keep(talk: &mut Talk, key: Key, value: &str, corrects: bool) -> Part {
    // "a dog called Rex" is two facts: the dog, and its name.
    let called = (key == Key::Have)
        .then(|| {
            value
                .split_once(" called ")
                .or_else(|| value.split_once(" named "))
        })
        .flatten();
    let kept = match called {
        Some((thing, name)) => {
            let host = thing.split_whitespace().last().unwrap_or_default();
            talk.facts
                .put(Key::Own(format!("{}'s name", fold(host))), &proper(name));
            talk.facts.put(key.clone(), thing)
        }
        None => talk.facts.put(key.clone(), value),
    };
    talk.forgotten
        .retain(|word| !fold(value).contains(word.as_str()));
    let fact = super::memory::Fact {
        key: key.clone(),
        value: value.to_owned(),
    };
    let said = fact.said(talk.spanish);
    let said = if talk.spanish {
        said.replace(" called ", " llamado ")
    } else {
        said
    };
    if let Key::Have = key {
        talk.subject = value
            .split_whitespace()
            .find(|word| {
                !matches!(
                    fold(word).as_str(),
                    "a" | "an"
                        | "one"
                        | "two"
                        | "three"
                        | "some"
                        | "little"
                        | "small"
                        | "big"
                        | "old"
                        | "young"
                        | "new"
                        | "black"
                        | "white"
                )
            })
            .map(|word| fold(tidy(word)));
    }
    let said = if talk.spanish && key == Key::Note {
        format!("«{value}»")
    } else {
        said
    };
    let remark = match kept {
        Kept::Replaced(old) if fold(&old) != fold(value) => {
            if talk.spanish {
                talk.vary(&[
                    format!("Corregido: {said} (antes tenía «{old}»)."),
                    format!("De acuerdo, lo cambio: {said}, y no «{old}»."),
                ])
            } else {
                let old = to_you(&old);
                talk.vary(&[
                    format!("Thanks for putting that right: {said}, not {old}."),
                    format!("Corrected. I had {old}; from now on, {said}."),
                    format!("Got it, {said}. I've let go of {old}."),
                ])
            }
        }
        Kept::Known if !corrects => {
            if talk.spanish {
                talk.vary(&[
                    format!("Sí, ya lo sabía: {said}."),
                    format!("Lo tengo presente: {said}."),
                ])
            } else {
                talk.vary(&[
                    format!("Yes, I remember: {said}."),
                    format!("I had that already: {said}."),
                ])
            }
        }
        _ => remark(talk, &key, value, &said),
    };
    Part::Note { said, remark }
}

/// What to say to a fact heard for the first time.
fn remark(talk: &Talk, key: &Key, value: &str, said: &str) -> String {
    if talk.spanish {
        return match key {
            Key::Name => talk.vary(&[
                format!("¡Encantado, {value}! ¿En qué te ayudo?"),
                format!("Mucho gusto, {value}. Me acordaré de tu nombre."),
            ]),
            Key::Like => talk.vary(&[
                format!("Anotado: {said}. ¿Qué es lo que más te atrae?"),
                format!("Me alegra saberlo; recordaré que {said}."),
            ]),
            _ => talk.vary(&[
                format!("Entendido: {said}."),
                format!("Lo recordaré: {said}."),
            ]),
        };
    }
    let yours = to_you(value);
    match key {
        Key::Name => talk.vary(&[
            format!("Nice to meet you, {value}! What shall we talk about?"),
            format!("Hello, {value}. I'll remember your name."),
            format!("Pleased to meet you, {value}. What brings you here?"),
        ]),
        Key::Home => talk.vary(&[
            format!(
                "{}, good to know. What do you like most about living there?",
                capital(value)
            ),
            format!("So {value} is home. Have you been there long?"),
            format!("I'll remember that you live in {value}."),
        ]),
        Key::Origin => talk.vary(&[
            format!("From {value}: noted. Do you still go back?"),
            format!("{value}! I'll remember where you come from."),
        ]),
        Key::Job => talk.vary(&[
            format!("That sounds like real work. I'll remember that {said}."),
            format!("Good to know that {said}. What does a usual day look like?"),
            format!("Understood: {said}. What's the part you enjoy?"),
        ]),
        Key::Like => talk.vary(&[
            format!("Good taste. What drew you to {yours}?"),
            format!("I'll remember that you like {yours}."),
            format!("Noted, {yours} it is. Is that an old love or a new one?"),
        ]),
        Key::Dislike => talk.vary(&[
            format!("Fair enough, I won't push {yours} on you."),
            format!("Noted: no {yours}."),
        ]),
        Key::Have => talk.vary(&[
            format!("Lovely. I'll remember that you have {yours}."),
            format!("Good company, {yours}. Tell me a name or a story if you like."),
            format!("So you have {yours}. I'll keep that in mind."),
        ]),
        Key::Plan => talk.vary(&[
            format!("That's a plan: you're going to {yours}. Ask me later and I'll remind you."),
            format!("I've got it: {yours}. Anything to prepare for that?"),
        ]),
        Key::Want => talk.vary(&[
            format!("I can see why you'd want {yours}. What's the first step?"),
            format!("Noted, you want {yours}. What stands in the way?"),
        ]),
        Key::Own(what) if what.starts_with("favourite") => talk.vary(&[
            format!("{} it is: {said}. I'll remember.", capital(&yours)),
            format!("A good choice. I'll remember that {said}."),
        ]),
        _ => talk.vary(&[
            format!("I'll remember that {said}."),
            format!("Noted: {said}."),
            format!("Got it, {said}."),
        ]),
    }
}

/// `text` with its first letter large.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// A name as names are written, when it was typed in small letters.
pub(super) fn proper(name: &str) -> String {
    let name = tail(name);
    if name.chars().any(char::is_uppercase) {
        return name;
    }
    let parts: Vec<String> = name.split_whitespace().map(capital).collect();
    parts.join(" ")
}

/// A value without the adverbs people hang on its end.
pub(super) fn tail(value: &str) -> String {
    let mut value = tidy(value);
    loop {
        let cut = [
            " now",
            " too",
            " actually",
            " by the way",
            " please",
            " these days",
            " at the moment",
            " as well",
            " btw",
            " though",
            " currently",
            " a lot",
            " very much",
            " so much",
            ", not",
            " instead",
            " again",
            " haha",
            " last year",
            " last month",
            " last week",
            " recently",
            " yesterday",
            " a year ago",
        ]
        .iter()
        .find_map(|end| value.strip_suffix(end));
        match cut {
            Some(shorter) if !shorter.is_empty() => value = tidy(shorter),
            _ => break,
        }
    }
    // "Ana, not Anna" and "Porto and not Lisbon" keep what is right.
    for wrong in [", not ", " and not ", " instead of "] {
        if let Some((right, _)) = value.split_once(wrong) {
            value = tidy(right);
        }
    }
    clip(value, 160)
}

//! Answers questions about the turns themselves: what was said first, before, about something, and what was answered.

use super::memory::kin;
use super::phrases::{clip, content};
use super::talk::{Part, Talk};
use super::words::{Line, fold, tidy};

/// Answers a question about the conversation so far.
pub(super) fn answer(talk: &mut Talk, line: &Line) -> Option<Part> {
    let said = what(talk, line)?;
    Some(Part::Answer(said))
}

fn what(talk: &Talk, line: &Line) -> Option<String> {
    let es = talk.spanish;
    if line.is(&[
        "what did i ?just say|ask|tell|write ?you ?at ?the first|beginning|start",
        "what did i first say|ask ?you",
        "what was|is my|the ?very first message|question|sentence|thing ?i \
             ?said|asked|wrote",
        "what was|is the ?very first thing i said|asked|told|wrote ?you",
        "how did i|we start|begin _",
        "how did this|the|our conversation|chat start|begin",
    ]) {
        return Some(quote_heard(
            talk,
            0,
            if es {
                "Lo primero que escribiste fue"
            } else {
                "The first thing you said was"
            },
        ));
    }
    if line.is(&[
        "what did i ?just say|ask|tell|write ?you ?before|last|previously|just \
             ?now|that|this",
        "what was my last|previous message|question|sentence",
        "what was the last thing i said|asked|told ?you",
        "what did i say a moment ago",
        "repeat my last message",
        "what did i say before that|this",
    ]) {
        let count = talk.heard.len();
        return Some(if count == 0 {
            nothing_yet(talk)
        } else {
            quote_heard(
                talk,
                count - 1,
                if es {
                    "Justo antes escribiste"
                } else {
                    "Just before this you said"
                },
            )
        });
    }
    if let Some(found) = line.any(&[
        "what did i say|ask|write in my * message",
        "what was my * message|question",
        "what is the * thing i said|asked",
    ]) && let Some(n) = ordinal(found[0])
    {
        return Some(quote_heard(
            talk,
            n - 1,
            &format!("Message {n} from you was"),
        ));
    }
    if line.is(&[
        "how many messages|questions|things have|did i \
             ?sent|send|ask|asked|written|write|said _",
        "how many times have i written|asked _",
        "how long have we been talking",
    ]) {
        let count = talk.heard.len() + 1;
        return Some(if es {
            format!("Con este, {count} mensajes tuyos.")
        } else {
            match count {
                1 => "This is your first message.".to_owned(),
                n => format!("{n} messages from you, counting this one."),
            }
        });
    }
    if let Some(found) = line.any(&[
        "what did i say|tell|ask|write|mention ?you about|regarding *",
        "what have i said|told|asked ?you about *",
        "did i ?ever say|mention|tell|talk ?you ?about ?anything *",
        "when did i mention *",
    ]) {
        return Some(said_about(talk, found[0]));
    }
    if let Some(found) = line.any(&[
        "what did you answer|say|reply|respond to|about|on *",
        "what did you answer|say|reply when i asked|said|told ?you ?about *",
        "what was your answer|reply|response to|about *",
        "what did you say|tell ?me about *",
    ]) {
        return Some(answered_to(talk, found[0]));
    }
    if line.is(&[
        "what did you ?just say|answer|reply|tell|mean ?me \
             ?before|last|previously|just ?now",
        "what was your last answer|reply|message",
        "say|repeat that|it ?again ?please|once ?more",
        "can you repeat ?that|it",
        "repeat",
        "come again",
        "pardon",
    ]) {
        return Some(match talk.heard.last().and_then(|heard| heard.answer) {
            Some(last) if line.is(&["say|repeat|come|can|pardon _"]) => clip_lines(last, 1200),
            Some(last) if es => format!("Dije: «{}»", clip(last, 400)),
            Some(last) => format!("I said: \"{}\"", clip(last, 400)),
            None => nothing_yet(talk),
        });
    }
    if line.is(&[
        "what was your|the first answer|reply|thing ?you ?said",
        "what did you say first",
    ]) {
        return Some(match talk.heard.iter().find_map(|heard| heard.answer) {
            Some(first) => format!("My first answer was: \"{}\"", clip(first, 400)),
            None => nothing_yet(talk),
        });
    }
    if line.is(&[
        "what have|did we ?been talk|talked|talking|discuss|discussed about ?so \
             ?far|today",
        "what have|did we discuss|discussed _",
        "summarise|recap ?our|this|the conversation|chat|discussion ?so ?far",
        "give me a summary|recap of our|this|the conversation|chat ?so ?far",
        "what was this|our conversation about",
        "recap",
    ]) {
        return Some(recap(talk));
    }
    None
}

/// Whether a turn was a question or an order rather than something told.
fn asks(text: &str) -> bool {
    let line = Line::new(crate::tokens::head(text, 300));
    line.question
        || line.is(&[
            "write|tell|show|explain|give|convert|translate|forget|clear|make|reverse|define \
             _",
        ])
}

/// "third" or "3rd" as a number from one.
fn ordinal(word: &str) -> Option<usize> {
    let low = fold(word);
    let names = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth",
    ];
    if let Some(at) = names.iter().position(|name| *name == low) {
        return Some(at + 1);
    }
    let digits = low.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    digits.parse().ok().filter(|n| (1..=10_000).contains(n))
}

fn nothing_yet(talk: &Talk) -> String {
    if talk.spanish {
        "Nada todavía: este es el principio de la conversación.".to_owned()
    } else {
        talk.vary(&[
            "Nothing yet: this is where our conversation begins.".to_owned(),
            "There is no earlier message; you've only just started.".to_owned(),
        ])
    }
}

fn quote_heard(talk: &Talk, at: usize, lead: &str) -> String {
    match talk.heard.get(at) {
        Some(heard) if talk.spanish => format!("{lead}: «{}»", clip(heard.text, 400)),
        Some(heard) => format!("{lead}: \"{}\"", clip(heard.text, 400)),
        None if talk.heard.is_empty() => nothing_yet(talk),
        None => format!(
            "You haven't sent that many; {} so far, before this one.",
            talk.heard.len()
        ),
    }
}

fn secret(talk: &Talk, words: &[String]) -> bool {
    words
        .iter()
        .any(|word| talk.forgotten.iter().any(|gone| kin(gone, word)))
}

fn said_about(talk: &Talk, about: &str) -> String {
    let wanted = content(about, 8);
    if secret(talk, &wanted) {
        return "You asked me to forget that, so I won't dig it up.".to_owned();
    }
    let found: Vec<String> = talk
        .heard
        .iter()
        .filter(|heard| touches(heard.text, &wanted) && !asks(heard.text))
        .map(|heard| format!("\"{}\"", clip(heard.text, 200)))
        .collect();
    let asked = talk
        .heard
        .iter()
        .rev()
        .find(|heard| touches(heard.text, &wanted));
    let about = clip(tidy(about), 60);
    match (found.as_slice(), asked) {
        ([], None) => talk.vary(&[
            format!("You haven't said anything about {about} so far."),
            format!("Nothing about {about} until now."),
        ]),
        ([], Some(question)) => format!("You only asked: \"{}\"", clip(question.text, 200)),
        ([one], _) => format!("You said: {one}"),
        (many, _) => {
            let shown: Vec<String> = many
                .iter()
                .rev()
                .take(4)
                .rev()
                .map(|quote| format!("- {quote}"))
                .collect();
            format!("About {about} you said:\n\n{}", shown.join("\n"))
        }
    }
}

fn answered_to(talk: &Talk, about: &str) -> String {
    let wanted = content(about, 8);
    let best = talk
        .heard
        .iter()
        .rev()
        .filter(|heard| heard.answer.is_some())
        .map(|heard| {
            // The very question outweighs a turn that only shares its words.
            let same = fold(crate::tokens::head(heard.text, 2_000)).contains(&fold(tidy(about)));
            (
                overlap(heard.text, &wanted) + if same { 10 } else { 0 },
                heard,
            )
        })
        .filter(|(shared, _)| *shared > 0)
        .max_by_key(|(shared, _)| *shared);
    match best.and_then(|(_, heard)| heard.answer.map(|answer| (heard.text, answer))) {
        Some((text, answer)) => format!(
            "To \"{}\" I answered: \"{}\"",
            clip(text, 120),
            clip(answer, 500)
        ),
        None => talk.vary(&[
            format!(
                "I can't find anything I answered about {}.",
                clip(tidy(about), 60)
            ),
            format!("Nothing of mine touches {} so far.", clip(tidy(about), 60)),
        ]),
    }
}

fn touches(text: &str, wanted: &[String]) -> bool {
    overlap(text, wanted) > 0
}

fn overlap(text: &str, wanted: &[String]) -> usize {
    let held = content(crate::tokens::head(text, 2_000), 80);
    wanted
        .iter()
        .filter(|word| held.iter().any(|other| kin(word, other)))
        .count()
}

/// Where a content word of `text` was mentioned before, for an answer that knows nothing else.
pub(super) fn mentioned<'a>(talk: &Talk<'a>, text: &str) -> Option<(String, &'a str)> {
    let words = content(text, 8);
    if secret(talk, &words) {
        return None;
    }
    words.iter().find_map(|word| {
        let one = [word.clone()];
        talk.heard
            .iter()
            .rev()
            .take(60)
            .find(|heard| touches(heard.text, &one) && !asks(heard.text) && heard.text.len() < 400)
            .map(|heard| (word.clone(), heard.text))
    })
}

fn recap(talk: &Talk) -> String {
    if talk.heard.is_empty() {
        return nothing_yet(talk);
    }
    let mut text = if talk.spanish {
        "Hasta ahora:\n".to_owned()
    } else {
        format!("So far, in {} of your messages:\n", talk.heard.len())
    };
    let many = talk.heard.len() > 10;
    let shown = talk.heard.iter().take(4).chain(
        talk.heard
            .iter()
            .skip(4.max(talk.heard.len().saturating_sub(6))),
    );
    for (count, heard) in shown.enumerate() {
        if many && count == 4 {
            text.push_str("\n- …");
        }
        let verb = match (talk.spanish, asks(heard.text)) {
            (true, true) => "preguntaste",
            (true, false) => "dijiste",
            (false, true) => "you asked",
            (false, false) => "you said",
        };
        text.push_str(&format!("\n- {verb}: {}", clip(heard.text, 90)));
    }
    text
}

/// `text` with its line breaks, at most `most` characters.
fn clip_lines(text: &str, most: usize) -> String {
    crate::tokens::head(text, most).to_owned()
}

//! Takes facts out when the person asks for it; it never touches the messages themselves.

use super::memory::{Key, own};
use super::phrases::{clip, content, to_you};
use super::talk::{Part, Talk};
use super::words::{Line, fold};

/// Takes out what the person asks to have forgotten.
pub(super) fn forget(talk: &mut Talk, line: &Line) -> Option<Part> {
    let spanish = talk.spanish;
    if line.is(&[
        "forget everything _",
        "forget all _",
        "forget about me",
        "forget me",
        "delete everything _ know _",
        "start over",
        "let us start over",
    ]) {
        let count = talk.facts.forget(|_| true);
        talk.forgotten.push("name".to_owned());
        talk.subject = None;
        return Some(Part::Answer(match (spanish, count) {
            (true, _) => "Hecho: he olvidado lo que sabía de ti. Los mensajes siguen en la \
             conversación hasta que la borres."
                .to_owned(),
            (false, 0) => "There was nothing to forget, but the slate is clean.".to_owned(),
            (false, 1) => "Done, the one thing I knew about you is gone. The messages themselves \
             stay until you delete the conversation."
                .to_owned(),
            (false, n) => format!(
                "Done: {n} things about you are forgotten. The messages themselves stay \
             until you delete the conversation."
            ),
        }));
    }
    let found = line.any(&[
        "forget ?about my *",
        "forget what i said|told ?you about ?my *",
        "forget that *",
        "forget ?about *",
        "please forget ?my *",
        "stop remembering ?my *",
    ])?;
    let what = found[0];
    if matches!(fold(what).as_str(), "it" | "that" | "this") {
        let key = talk.facts.latest().cloned();
        let value = key
            .as_ref()
            .and_then(|key| talk.facts.get(key))
            .map(str::to_owned);
        let gone = talk
            .facts
            .forget(|fact| Some(&fact.key) == key.as_ref() && Some(&fact.value) == value.as_ref());
        return Some(Part::Answer(if gone == 0 {
            "There is nothing in particular for me to forget.".to_owned()
        } else {
            "Forgotten. I won't bring it up again.".to_owned()
        }));
    }
    let key = own(what);
    let low = fold(what);
    let related: Vec<String> = talk
        .facts
        .about(what)
        .iter()
        .map(|fact| fact.value.clone())
        .collect();
    let place = low.contains("live") || low.contains("home");
    let gone = talk.facts.forget(|fact| {
        fact.key == key || related.contains(&fact.value) || (place && fact.key == Key::Home)
    });
    talk.forgotten.extend(content(what, 6));
    let what = clip(&to_you(what), 60);
    let mine = if line.has(&["my"]) { "your " } else { "" };
    Some(Part::Answer(match (spanish, gone) {
        (true, 0) => "No sabía nada de eso, así que no hay nada que olvidar.".to_owned(),
        (true, _) => "Olvidado. No volveré a mencionarlo.".to_owned(),
        (false, 0) => format!("I knew nothing about {mine}{what}, so there is nothing to forget."),
        (false, _) => talk.vary(&[
            format!(
                "I've forgotten {mine}{what}. The message stays in the conversation until \
             you delete it."
            ),
            format!("Gone: {mine}{what}. I won't mention it again."),
        ]),
    }))
}

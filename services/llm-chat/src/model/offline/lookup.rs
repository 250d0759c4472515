//! Finds one fact by what it is called and words it; it understands no questions itself.

use super::learning::capital;
use super::memory::{Key, kin, own};
use super::phrases::{clip, content, join, to_you};
use super::talk::{Part, Talk};
use super::words::{fold, tidy};

pub(super) fn one(talk: &Talk, key: &Key) -> String {
    match talk.facts.get(key) {
        Some(value) => {
            let fact = super::memory::Fact {
                key: key.clone(),
                value: value.to_owned(),
            };
            let said = fact.said(talk.spanish);
            if talk.spanish {
                return talk.vary(&[
                    format!("{}.", capital(&said)),
                    format!("Me lo dijiste: {said}."),
                ]);
            }
            match key {
                Key::Name => talk.vary(&[
                    format!("Your name is {value}."),
                    format!("You're {value}, unless that has changed."),
                    format!("{value}. I haven't forgotten."),
                ]),
                _ => talk.vary(&[
                    format!("{}.", capital(&said)),
                    format!("From what you told me, {said}."),
                    format!("You mentioned it earlier: {said}."),
                ]),
            }
        }
        None => unknown(talk, key),
    }
}

fn unknown(talk: &Talk, key: &Key) -> String {
    if talk.spanish {
        return talk.vary(&[
            "Todavía no me lo has dicho. Cuéntamelo y lo recordaré.".to_owned(),
            "Eso no me lo has contado en esta conversación.".to_owned(),
        ]);
    }
    let (what, how) = match key {
        Key::Name => ("your name", "\"my name is …\""),
        Key::Home => ("where you live", "\"I live in …\""),
        Key::Origin => ("where you come from", "\"I come from …\""),
        Key::Job => ("what you do", "\"I work as …\""),
        Key::Age => ("your age", "\"I am … years old\""),
        _ => ("that", "it in a sentence"),
    };
    if *key == Key::Name && talk.forgotten.iter().any(|word| word == "name") {
        return talk.vary(&[
            "You asked me to forget your name, so I did.".to_owned(),
            "I let your name go when you asked me to. Tell me again if you like.".to_owned(),
        ]);
    }
    talk.vary(&[
        format!("You haven't told me {what} yet. Say {how} and I'll remember."),
        format!("I don't know {what}: it hasn't come up in this conversation."),
    ])
}

pub(super) fn many(talk: &Talk, key: &Key) -> String {
    let mut values: Vec<String> = talk
        .facts
        .every(key)
        .iter()
        .map(|value| to_you(value))
        .collect();
    if *key == Key::Note {
        values.extend(
            talk.facts
                .every(&Key::Plan)
                .iter()
                .map(|plan| format!("to {}", to_you(plan))),
        );
    }
    if values.is_empty() {
        return if talk.spanish {
            "De eso no me has contado nada todavía.".to_owned()
        } else {
            talk.vary(&[
                "Nothing that you've told me so far.".to_owned(),
                "You haven't mentioned anything of the kind yet.".to_owned(),
            ])
        };
    }
    let list = join(&values, if talk.spanish { "y" } else { "and" });
    if talk.spanish {
        return match key {
            Key::Like => format!("Te gusta: {list}."),
            Key::Dislike => format!("No te gusta: {list}."),
            _ => format!("Esto me contaste: {list}."),
        };
    }
    match key {
        Key::Like => talk.vary(&[
            format!("You like {list}."),
            format!("From what you've said, you're fond of {list}."),
        ]),
        Key::Dislike => format!("You're not fond of {list}."),
        Key::Plan => talk.vary(&[
            format!("You said you were going to {list}."),
            format!("Your plan, as you told it: {list}."),
        ]),
        Key::Want => format!("You want {list}."),
        Key::Have => format!("You have {list}."),
        _ => format!("You asked me to keep this: {list}."),
    }
}

pub(super) fn liking(talk: &Talk, what: &str) -> String {
    let wanted = content(what, 6);
    let held = |key: &Key| {
        talk.facts.every(key).into_iter().find(|value| {
            let words = content(value, 12);
            wanted
                .iter()
                .any(|word| words.iter().any(|other| kin(word, other)))
        })
    };
    if let Some(value) = held(&Key::Like) {
        return talk.vary(&[
            format!("Yes, you told me that you like {}.", to_you(&value)),
            format!("You do: you said you like {}.", to_you(&value)),
        ]);
    }
    if let Some(value) = held(&Key::Dislike) {
        return format!("No, you said that you don't like {}.", to_you(&value));
    }
    talk.vary(&[
        format!(
            "You haven't told me how you feel about {}. Do you?",
            clip(&to_you(what), 60)
        ),
        format!(
            "I don't know: {} hasn't come up in that way yet.",
            clip(&to_you(what), 60)
        ),
    ])
}

pub(super) fn having(talk: &Talk, what: &str) -> Option<Part> {
    let wanted = content(what, 4);
    let found = talk.facts.every(&Key::Have).into_iter().find(|value| {
        let words = content(value, 12);
        wanted
            .iter()
            .any(|word| words.iter().any(|other| kin(word, other)))
    });
    Some(Part::Answer(match found {
        Some(value) => talk.vary(&[
            format!("You have {}.", to_you(&value)),
            format!("From what you said, you have {}.", to_you(&value)),
        ]),
        None if wanted.is_empty() => return None,
        None => format!("You haven't mentioned any {} to me.", clip(what, 40)),
    }))
}

/// The value of "my …", looked for by its own key first and by its words after that.
pub(super) fn thing_of(talk: &Talk, what: &str) -> String {
    let what = tidy(what);
    let key = own(what);
    if talk.facts.get(&key).is_some() || !matches!(key, Key::Own(_)) {
        return one(talk, &key);
    }
    if let Some(fact) = talk
        .facts
        .all()
        .iter()
        .rev()
        .find(|fact| matches!(&fact.key, Key::Own(name) if same_thing(name, &fold(what))))
        .or_else(|| talk.facts.about(what).first().copied())
    {
        let said = fact.said(talk.spanish);
        return talk.vary(&[
            format!("{}.", capital(&said)),
            format!(
                "{} {said}.",
                if talk.spanish {
                    "Me dijiste:"
                } else {
                    "You told me:"
                }
            ),
        ]);
    }
    if talk.spanish {
        return format!("No me has dicho nada de tu {}.", clip(what, 60));
    }
    let what = clip(&to_you(what), 60);
    talk.vary(&[
        format!("You haven't told me about your {what} yet."),
        format!("I don't know your {what}; it hasn't come up between us."),
        format!("Your {what}? Tell me, and I'll remember it."),
    ])
}

fn same_thing(one: &str, other: &str) -> bool {
    let (one, other) = (content(one, 6), content(other, 6));
    !one.is_empty() && one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| kin(a, b))
}

pub(super) fn everything(talk: &Talk) -> String {
    let facts = talk.facts.all();
    if facts.is_empty() {
        return if talk.spanish {
            "Todavía nada: aún no me has contado nada de ti.".to_owned()
        } else {
            talk.vary(&[
                "Nothing yet. Tell me your name, where you live or what you like, and \
             I'll remember it for this conversation."
                    .to_owned(),
                "So far you're a stranger to me: nothing you've said has been about yourself."
                    .to_owned(),
            ])
        };
    }
    let mut text = if talk.spanish {
        "Esto es lo que sé de ti:\n".to_owned()
    } else {
        talk.vary(&[
            "Here is what you've told me:\n".to_owned(),
            "This is what I know about you:\n".to_owned(),
        ])
    };
    for fact in facts.iter().rev().take(20).rev() {
        text.push_str(&format!("\n- {}", clip(&fact.said(talk.spanish), 120)));
    }
    text
}

//! The facts a person has told about themselves, kept by key; it understands no sentences and answers none.

use super::phrases::{content, to_you};
use super::words::fold;

/// The most facts one conversation keeps; the oldest of the many-valued ones go first.
const MAX_FACTS: usize = 300;

/// What a fact is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Name,
    Home,
    Origin,
    Job,
    Age,
    Like,
    Dislike,
    Have,
    Plan,
    Want,
    /// "my … is …": the thing that is theirs, in comparable form.
    Own(String),
    /// Something they asked to have remembered, as they said it.
    Note,
}

impl Key {
    /// Whether a person has several of these at once.
    fn many(&self) -> bool {
        matches!(
            self,
            Self::Like | Self::Dislike | Self::Have | Self::Plan | Self::Want | Self::Note
        )
    }
}

/// One fact.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) key: Key,
    pub(super) value: String,
}

impl Fact {
    /// The fact said to the person it is about: "you live in Lisbon".
    pub(super) fn said(&self, spanish: bool) -> String {
        let value = &self.value;
        let yours = to_you(value);
        if spanish {
            return match &self.key {
                Key::Name => format!("te llamas {value}"),
                Key::Home => format!("vives en {value}"),
                Key::Origin => format!("eres de {value}"),
                Key::Job => format!("trabajas: {value}"),
                Key::Age => format!("tienes {value} años"),
                Key::Like => format!("te gusta {value}"),
                Key::Dislike => format!("no te gusta {value}"),
                Key::Have => format!("tienes {value}"),
                Key::Plan => format!("tienes este plan: {value}"),
                Key::Want => format!("quieres {value}"),
                Key::Own(what) => match what.strip_suffix("'s name") {
                    Some("pet") => format!("tu mascota se llama {value}"),
                    Some(host) => format!("tu {host} se llama {value}"),
                    None => format!("tu {} es {value}", to_spanish_key(what)),
                },
                Key::Note => format!("me pediste recordar «{value}»"),
            };
        }
        match &self.key {
            Key::Name => format!("your name is {value}"),
            Key::Home => format!("you live in {value}"),
            Key::Origin => format!("you come from {value}"),
            Key::Job => job(value),
            Key::Age => format!("you are {value} years old"),
            Key::Like => format!("you like {yours}"),
            Key::Dislike => format!("you don't like {yours}"),
            Key::Have => format!("you have {yours}"),
            Key::Plan => format!("you plan to {yours}"),
            Key::Want => format!("you want {yours}"),
            Key::Own(what) => match what.strip_suffix("'s name") {
                Some(host) if host.ends_with('s') && !host.ends_with("ss") => {
                    format!("your {host} are called {yours}")
                }
                Some(host) => format!("your {host} is called {yours}"),
                None => format!("your {what} is {yours}"),
            },
            Key::Note => yours,
        }
    }
}

fn job(value: &str) -> String {
    let low = fold(value);
    if low.starts_with("at ")
        || low.starts_with("in ")
        || low.starts_with("for ")
        || low.starts_with("as ")
    {
        format!("you work {value}")
    } else {
        format!("you are {value}")
    }
}

fn to_spanish_key(what: &str) -> String {
    match what {
        "favourite colour" => "color favorito".to_owned(),
        "favourite food" => "comida favorita".to_owned(),
        "birthday" => "cumpleaños".to_owned(),
        "favourite book" => "libro favorito".to_owned(),
        "favourite film" => "película favorita".to_owned(),
        other => other
            .strip_prefix("favourite ")
            .map_or_else(|| other.to_owned(), |thing| format!("{thing} favorito")),
    }
}

/// What became of a fact that was put in.
pub(super) enum Kept {
    /// It is new.
    New,
    /// It was known already.
    Known,
    /// It took the place of this earlier value.
    Replaced(String),
}

/// All facts of one conversation, oldest first.
#[derive(Default)]
pub(super) struct Facts {
    all: Vec<Fact>,
    /// What was true before a correction, oldest first.
    former: Vec<Fact>,
}

impl Facts {
    /// Puts a fact in; a single-valued one takes the place of its earlier value.
    pub(super) fn put(&mut self, key: Key, value: &str) -> Kept {
        let value = super::phrases::clip(value, 160);
        let same = |fact: &Fact| fact.key == key && fold(&fact.value) == fold(&value);
        if let Some(known) = self.all.iter_mut().find(|fact| same(fact)) {
            known.value = value;
            return Kept::Known;
        }
        // What one comes to like is no longer disliked, and the other way round.
        let opposite = match key {
            Key::Like => Some(Key::Dislike),
            Key::Dislike => Some(Key::Like),
            _ => None,
        };
        if let Some(opposite) = opposite {
            self.all
                .retain(|fact| fact.key != opposite || fold(&fact.value) != fold(&value));
        }
        if !key.many()
            && let Some(known) = self.all.iter_mut().find(|fact| fact.key == key)
        {
            let old = std::mem::replace(&mut known.value, value);
            self.former.push(Fact {
                key,
                value: old.clone(),
            });
            return Kept::Replaced(old);
        }
        if self.all.len() >= MAX_FACTS {
            let oldest = self
                .all
                .iter()
                .position(|fact| fact.key.many())
                .unwrap_or(0);
            self.all.remove(oldest);
        }
        self.all.push(Fact { key, value });
        Kept::New
    }

    /// The value of a single-valued key, or the newest of several.
    pub(super) fn get(&self, key: &Key) -> Option<&str> {
        self.all
            .iter()
            .rev()
            .find(|fact| &fact.key == key)
            .map(|fact| fact.value.as_str())
    }

    /// The value a single-valued key had before its last correction.
    pub(super) fn before(&self, key: &Key) -> Option<&str> {
        self.former
            .iter()
            .rev()
            .find(|fact| &fact.key == key)
            .map(|fact| fact.value.as_str())
    }

    /// Every value of a key, oldest first.
    pub(super) fn every(&self, key: &Key) -> Vec<String> {
        self.all
            .iter()
            .filter(|fact| &fact.key == key)
            .map(|fact| fact.value.clone())
            .collect()
    }

    /// The key of the fact that was put in last.
    pub(super) fn latest(&self) -> Option<&Key> {
        self.all.last().map(|fact| &fact.key)
    }

    /// Every fact, oldest first.
    pub(super) fn all(&self) -> &[Fact] {
        &self.all
    }

    /// The facts that share a meaningful word with `about`, best first.
    pub(super) fn about(&self, about: &str) -> Vec<&Fact> {
        let wanted = content(about, 12);
        let mut found: Vec<(usize, &Fact)> = self
            .all
            .iter()
            .filter_map(|fact| {
                let mut text = fact.value.clone();
                if let Key::Own(what) = &fact.key {
                    text = format!("{what} {text}");
                }
                let held = content(&text, 30);
                let shared = wanted
                    .iter()
                    .filter(|word| held.iter().any(|other| kin(word, other)))
                    .count();
                (shared > 0).then_some((shared, fact))
            })
            .collect();
        found.sort_by_key(|&(shared, _)| std::cmp::Reverse(shared));
        found.into_iter().map(|(_, fact)| fact).collect()
    }

    /// Takes out every fact `gone` says yes to and tells how many there were.
    pub(super) fn forget(&mut self, gone: impl Fn(&Fact) -> bool) -> usize {
        let before = self.all.len();
        self.all.retain(|fact| !gone(fact));
        self.former.retain(|fact| !gone(fact));
        before - self.all.len()
    }
}

/// Whether two comparable words are the same but for an ending ("cat", "cats", "cat's").
pub(super) fn kin(one: &str, other: &str) -> bool {
    let root = |word: &str| {
        let word = word.strip_suffix("'s").unwrap_or(word);
        word.strip_suffix("es")
            .filter(|stem| stem.ends_with("sh") || stem.ends_with("ch") || stem.ends_with('x'))
            .or_else(|| word.strip_suffix('s').filter(|stem| stem.len() > 2))
            .unwrap_or(word)
            .to_owned()
    };
    root(one) == root(other)
}

/// The comparable form of "my …": what a thing of theirs is filed under.
pub(super) fn own(what: &str) -> Key {
    let low = fold(what)
        .replace("favorite", "favourite")
        .replace("color", "colour")
        .replace("colourado", "colorado");
    let low = low.trim();
    match low {
        "name" | "first name" => Key::Name,
        "job" | "profession" | "occupation" | "work" => Key::Job,
        "age" => Key::Age,
        "home" | "city" | "home town" | "hometown" | "town" => Key::Home,
        "favourite movie" => Key::Own("favourite film".to_owned()),
        _ => {
            // "the name of my dog", "my dog's name" and "my dog is called" are one thing.
            let filed = low
                .strip_suffix("' name")
                .or_else(|| low.strip_suffix("'s name"))
                .map_or_else(|| low.to_owned(), |host| format!("{host}'s name"));
            Key::Own(filed)
        }
    }
}

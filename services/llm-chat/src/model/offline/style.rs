//! How replies are to be worded: what a system instruction or the person asked for, and applying it to a finished reply.

use super::phrases::{clip, sentences};
use super::talk::{Part, Talk};
use super::words::{Line, fold, tidy};

/// The language replies are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Spanish,
}

/// What was asked of the wording.
#[derive(Clone, Default, Debug)]
pub(super) struct Style {
    /// The assistant's name.
    pub(super) name: Option<String>,
    /// What the assistant is said to be ("a patient cook").
    pub(super) role: Option<String>,
    pub(super) language: Option<Language>,
    capitals: bool,
    small: bool,
    pirate: bool,
    most_sentences: Option<usize>,
    opening: Option<String>,
    ending: Option<String>,
}

impl Style {
    /// Takes in a system instruction; what it does not understand it leaves.
    pub(super) fn instruct(&mut self, text: &str) {
        for sentence in sentences(crate::tokens::head(text, 8_000))
            .into_iter()
            .take(60)
        {
            let line = Line::new(sentence);
            self.rename(sentence, &line);
            for part in sentence
                .split([',', ';'])
                .flat_map(|part| part.split(" and "))
            {
                self.wording(&fold(part), true);
            }
            self.affix(&line);
        }
    }

    fn rename(&mut self, sentence: &str, line: &Line) -> bool {
        let named = line.any(&[
            "_ your ?new name is ?now *",
            "you are called *",
            "call yourself *",
            "i will|shall call you *",
            "i am going to call you *",
            "_ assistant|bot called|named *",
            "tu nombre es *",
            "te llamas *",
        ]);
        if let Some(found) = named {
            let name = found[0].split([',', '.', ';']).next().unwrap_or_default();
            let name: Vec<&str> = name
                .split_whitespace()
                .take_while(|w| !matches!(*w, "and" | "who" | "that" | "which" | "y" | "from"))
                .take(4)
                .collect();
            if !name.is_empty() {
                self.name = Some(clip(&super::learning::proper(&name.join(" ")), 40));
                return true;
            }
        }
        if let Some(found) = line.any(&["you are|act|eres ?now ?as *"]) {
            let head = found[0].split([',', '.', ';']).next().unwrap_or_default();
            let words: Vec<&str> = head.split_whitespace().collect();
            let articled = words
                .first()
                .is_some_and(|w| matches!(fold(w).as_str(), "a" | "an" | "the" | "un" | "una"));
            let proper = words.len() <= 2
                && words
                    .iter()
                    .all(|w| w.chars().next().is_some_and(char::is_uppercase));
            if !articled && proper && !words.is_empty() {
                self.name = Some(clip(head, 40));
                if let Some((_, role)) = sentence.split_once(',') {
                    self.set_role(role);
                }
                return true;
            }
            if articled {
                self.set_role(head);
            }
        }
        false
    }

    fn set_role(&mut self, role: &str) {
        let role = tidy(role);
        let low = fold(role);
        let plain = [
            "a helpful assistant",
            "an assistant",
            "a helpful ai assistant",
            "an ai assistant",
        ]
        .contains(&low.as_str());
        if (low.starts_with("a ") || low.starts_with("an ") || low.starts_with("un")) && !plain {
            self.pirate |= low.contains("pirate") || low.contains("pirata");
            self.role = Some(clip(role, 80));
        }
    }

    /// Reads a wish about wording from a lower-case part of a sentence; whether there was one.
    fn wording(&mut self, part: &str, lasting: bool) -> bool {
        let has = |words: &[&str]| words.iter().any(|word| part.contains(word));
        let about_answers = lasting
            || has(&[
                "answer",
                "reply",
                "replies",
                "respond",
                "speak",
                "talk",
                "write to me",
                "from now on",
                "switch to",
                "responde",
                "contesta",
                "habla",
                "be brief",
                "be concise",
                "keep it short",
                "stop",
                "no more",
                "no longer",
            ]);
        if !about_answers {
            return false;
        }
        let mut found = true;
        if has(&["stop", "no more", "do not", "don't", "no longer"])
            && has(&[
                "capital",
                "uppercase",
                "upper case",
                "caps",
                "shout",
                "pirate",
                "short",
                "brief",
                "sentence",
            ])
        {
            self.capitals = false;
            self.pirate = false;
            self.most_sentences = None;
        } else if has(&["normally", "normal again", "usual way"]) {
            let (name, role, language) = (self.name.take(), self.role.take(), self.language);
            *self = Self {
                name,
                role,
                language,
                ..Self::default()
            };
        } else if has(&[
            "capital letters",
            "in capitals",
            "uppercase",
            "upper case",
            "all caps",
            "in caps",
            "mayúsculas",
        ]) {
            self.capitals = true;
            self.small = false;
        } else if has(&["lowercase", "lower case", "small letters", "minúsculas"]) {
            self.small = true;
            self.capitals = false;
        } else if has(&["pirate", "pirata"]) {
            self.pirate = true;
        } else if has(&[
            "one sentence",
            "a single sentence",
            "1 sentence",
            "one short sentence",
            "una frase",
            "una sola frase",
            "una oración",
        ]) {
            self.most_sentences = Some(1);
        } else if has(&[
            "two sentences",
            "2 sentences",
            "dos frases",
            "short answers",
            "briefly",
            "be brief",
            "concise",
            "keep it short",
            "brevemente",
        ]) {
            self.most_sentences = Some(2);
        } else if has(&["three sentences", "3 sentences", "tres frases"]) {
            self.most_sentences = Some(3);
        } else {
            found = false;
        }
        if has(&[
            "in spanish",
            "speak spanish",
            "to spanish",
            "en español",
            "habla español",
            "en castellano",
        ]) {
            self.language = Some(Language::Spanish);
            found = true;
        } else if has(&["in english", "speak english", "to english", "en inglés"]) {
            self.language = Some(Language::English);
            found = true;
        }
        found
    }

    fn affix(&mut self, line: &Line) -> bool {
        // A full stop inside the quotation marks belongs to what is quoted.
        let clean = |text: &str| {
            let rest = line
                .raw
                .find(text)
                .and_then(|at| line.raw.get(at + text.len()..))
                .unwrap_or_default();
            let mark = rest.chars().next().filter(|c| {
                matches!(c, '.' | '!' | '?') && rest[1..].starts_with(['"', '\'', '\u{201d}'])
            });
            let mut text = clip(tidy(text).trim_matches('\''), 80);
            text.extend(mark);
            text
        };
        if let Some(found) = line.any(&["_ end|finish|close every|each|all|your ?of ?your \
             answer|reply|message|response|answers|replies|sentence with *"])
        {
            self.ending = Some(clean(found[0]));
            return true;
        }
        if let Some(found) = line.any(&["_ start|begin|open every|each|all|your ?of ?your \
             answer|reply|message|response|answers|replies with *"])
        {
            self.opening = Some(clean(found[0]));
            return true;
        }
        false
    }

    /// Whether a sentence or two is all that is wanted.
    pub(super) fn brief(&self) -> bool {
        self.most_sentences.is_some_and(|most| most <= 2)
    }

    /// Words `reply` the way that was asked for.
    pub(super) fn apply(&self, reply: &str) -> String {
        let mut text = reply.to_owned();
        if let Some(most) = self.most_sentences {
            text = shorten(&text, most);
        }
        if self.pirate {
            text = pirate(&text);
        }
        if let Some(opening) = &self.opening {
            text = format!("{opening} {text}");
        }
        if let Some(ending) = &self.ending {
            text = format!("{text} {ending}");
        }
        if self.capitals {
            text = text.to_uppercase();
        } else if self.small {
            text = text.to_lowercase();
        }
        text
    }
}

/// A wish about wording made by the person.
pub(super) fn wish(talk: &mut Talk, line: &Line) -> Option<Part> {
    let low = fold(line.raw);
    let asking = line.question
        && !line
            .is(&["answer|reply|respond|speak|talk|write|please|keep|be|switch|stop|end|start _"]);
    if asking || low.len() > 200 {
        return None;
    }
    if line.is(&[
        "_ your ?new name is *",
        "i will|shall call you *",
        "i am going to call you *",
        "call yourself *",
    ]) && talk.style.rename(line.raw, line)
    {
        let name = talk.style.name.clone().unwrap_or_default();
        return Some(Part::Answer(talk.vary(&[
            format!("{name} it is. I'll answer to that."),
            format!("All right, call me {name}."),
        ])));
    }
    let command = line.is(&[
        "answer|reply|respond|speak|talk|switch|stop|keep|responde|contesta|habla|no \
             _",
        "from now on _",
        "be brief|concise ?please",
        "always|only answer|reply|respond|speak|talk _",
        "do not answer|reply|respond|speak|talk|use|shout _",
        "let us speak|talk _",
        "i want you to answer|reply|respond|speak|talk _",
        "in spanish|english|capitals",
        "end|start|begin|finish every|each|all|your _",
    ]);
    let wanted = line.is(&["in spanish|english|capitals"]);
    let done = command && (talk.style.affix(line) || talk.style.wording(&low, wanted));
    if !done {
        return None;
    }
    talk.spanish = match talk.style.language {
        Some(language) => language == Language::Spanish,
        None => talk.spanish,
    };
    Some(Part::Answer(if talk.spanish {
        talk.vary(&[
            "De acuerdo, así lo haré.".to_owned(),
            "Muy bien, a partir de ahora así.".to_owned(),
        ])
    } else {
        talk.vary(&[
            "All right, I'll do that from here on.".to_owned(),
            "Understood, from now on it's that way.".to_owned(),
            "Sure, consider it done.".to_owned(),
        ])
    }))
}

/// The first `most` sentences, lists and verses folded into running text.
fn shorten(text: &str, most: usize) -> String {
    let mut flat = String::new();
    for row in text.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let item = row.strip_prefix("- ").unwrap_or(row);
        if !flat.is_empty() {
            let open = flat.ends_with(':');
            let ended = flat.ends_with(['.', '!', '?', ',', ';', '"', '…']);
            flat.push_str(if open || ended {
                " "
            } else if item.len() < row.len() {
                ", "
            } else {
                " / "
            });
        }
        flat.push_str(item);
    }
    let kept: Vec<&str> = sentences(&flat).into_iter().take(most).collect();
    kept.join(" ")
}

fn pirate(text: &str) -> String {
    let swapped: Vec<String> = text
        .split(' ')
        .map(|word| {
            let core = tidy(word);
            let turned = match core {
                "you" => "ye",
                "You" => "Ye",
                "your" => "yer",
                "Your" => "Yer",
                "my" | "My" => "me",
                "is" => "be",
                "are" => "be",
                "Hello" | "Hi" => "Ahoy",
                "friend" => "matey",
                "yes" => "aye",
                "Yes" => "Aye",
                _ => return word.to_owned(),
            };
            word.replacen(core, turned, 1)
        })
        .collect();
    format!("Arr! {}", swapped.join(" "))
}

//! A conversation replayed from its turns: what is known after each one, and the answer to the last. It holds nothing between calls.

use super::day::Day;
use super::lists::Lists;
use super::memory::{Facts, Key};
use super::number::Number;
use super::phrases::{clauses, hash, mix, sentences};
use super::style::{Language, Style};
use super::words::Line;
use super::{Speaker, Turn};

/// How many of the person's turns are replayed in full; the very first one is always known.
const MAX_TURNS: usize = 400;
/// How much of one turn is read for meaning, in characters; tasks on a given text see all of it.
const MAX_READ: usize = 6_000;
/// How many clauses of one turn are understood.
const MAX_CLAUSES: usize = 12;

/// What answers a clause, or leaves it to the next.
type Room = fn(&mut Talk<'_>, &Line<'_>) -> Option<Part>;

/// One part of an answer.
pub(super) enum Part {
    /// A greeting or a goodbye.
    Social(String),
    /// A fact taken in: said back to the person, and a livelier remark for when it is the only one.
    Note { said: String, remark: String },
    /// The answer to a question or an order.
    Answer(String),
    /// Conversation for its own sake; gives way to answers.
    Chat(String),
    /// Nothing was understood; gives way to everything else.
    Unknown(String),
}

/// A question of the assistant's that the next turn may answer.
#[derive(Clone, Copy)]
pub(super) enum Pending {
    /// A quiz question, by its place.
    Quiz(usize),
    /// "And you?"
    Mood,
}

/// What was done last that can be gone on with.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Act {
    #[default]
    Nothing,
    Joke,
    Work,
    Topic,
}

/// A turn of the person's and the answer it got.
pub(super) struct Heard<'a> {
    pub(super) text: &'a str,
    pub(super) answer: Option<&'a str>,
}

/// All that is known at one point of a conversation.
#[derive(Default)]
pub(super) struct Talk<'a> {
    pub(super) style: Style,
    pub(super) facts: Facts,
    pub(super) lists: Lists,
    pub(super) heard: Vec<Heard<'a>>,
    /// Words of what the person asked to have forgotten.
    pub(super) forgotten: Vec<String>,
    /// What "it" is.
    pub(super) subject: Option<String>,
    /// Which trait of the subject was asked for last, for "and Mars?".
    pub(super) trait_: Option<char>,
    pub(super) place: Option<super::topics::Place>,
    pub(super) work: Option<super::verse::Work>,
    pub(super) measure: Option<super::units::Measure>,
    pub(super) last_number: Option<Number>,
    pub(super) variables: Vec<(String, Number)>,
    pub(super) today: Option<Day>,
    pub(super) last_day: Option<Day>,
    pub(super) pending: Option<Pending>,
    pub(super) greeted: bool,
    /// What "another one" and "more" go on with.
    pub(super) act: Act,
    /// How many turns ago that was.
    idle: u32,
    pub(super) jokes: u64,
    pub(super) joke_start: u64,
    pub(super) quizzes: u64,
    pub(super) lost: u64,
    /// Answers are in Spanish at this point.
    pub(super) spanish: bool,
    /// What variety is drawn from: a hash of the turn and of how many came before.
    pub(super) seed: u64,
}

impl<'a> Talk<'a> {
    /// Replays `turns` and answers the last of the person's.
    pub(super) fn reply(turns: &[Turn<'a>]) -> String {
        let mut talk = Self::default();
        for turn in turns.iter().filter(|turn| turn.speaker == Speaker::System) {
            talk.style.instruct(turn.text);
        }
        let mine: Vec<usize> = (0..turns.len())
            .filter(|&at| turns[at].speaker == Speaker::User)
            .collect();
        let skip = mine.len().saturating_sub(MAX_TURNS);
        let mut answer = None;
        for (count, &at) in mine.iter().enumerate() {
            let text = turns[at].text;
            // What is too long ago is quoted when asked for, but no longer understood.
            if count == 0 || count >= skip {
                answer = Some(talk.step(text));
            }
            let replied = turns[at + 1..]
                .iter()
                .take_while(|turn| turn.speaker != Speaker::User)
                .find(|turn| turn.speaker == Speaker::Assistant && !turn.text.trim().is_empty());
            talk.heard.push(Heard {
                text,
                answer: replied.map(|turn| turn.text),
            });
        }
        let answer = answer.unwrap_or_else(|| {
            talk.spanish = talk.style.language == Some(Language::Spanish);
            if talk.spanish {
                "¡Hola! ¿De qué hablamos?".to_owned()
            } else {
                "Hello! What shall we talk about?".to_owned()
            }
        });
        talk.style.apply(&answer)
    }

    /// Takes in one turn and words the answer.
    fn step(&mut self, text: &str) -> String {
        self.seed = mix(hash(text).wrapping_add(self.heard.len() as u64));
        self.idle = self.idle.saturating_add(1);
        if self.idle > 3 {
            self.act = Act::Nothing;
        }
        let tongue = super::spanish::is_spanish(text);
        let foreign = tongue.unwrap_or(self.spanish);
        self.spanish = match self.style.language {
            Some(language) => language == Language::Spanish,
            None => foreign,
        };
        if text.trim().is_empty() {
            return if self.spanish {
                "No he recibido ningún texto. ¿Qué querías decir?".to_owned()
            } else {
                "Your message is empty. What did you want to say?".to_owned()
            };
        }
        if let Some(done) = super::handiwork::whole(self, text) {
            return done;
        }
        let read = crate::tokens::head(text, MAX_READ);
        let mut parts = Vec::new();
        let mut rest = MAX_CLAUSES;
        for sentence in sentences(read) {
            if rest == 0 {
                break;
            }
            self.sentence(sentence, foreign, &mut parts, &mut rest);
        }
        self.compose(parts)
    }

    fn sentence(&mut self, sentence: &str, foreign: bool, parts: &mut Vec<Part>, rest: &mut usize) {
        if !sentence.chars().any(char::is_alphanumeric) {
            if parts.is_empty() && sentence.chars().count() < 40 {
                let said = if self.spanish {
                    "No sé leer eso, pero lo tomo como un gesto.".to_owned()
                } else {
                    self.vary(&[
                        "I can't read much into that, but I'll take it as a gesture.".to_owned(),
                        "No words in that one. What would you like to say?".to_owned(),
                    ])
                };
                parts.push(Part::Unknown(said));
            }
            return;
        }
        for clause in clauses(sentence) {
            if *rest == 0 {
                return;
            }
            *rest -= 1;
            let english = if foreign {
                super::spanish::to_english(clause)
            } else {
                None
            };
            let line = Line::new(english.as_deref().unwrap_or(clause));
            let part = self.understand(&line);
            parts.push(part);
        }
    }

    fn understand(&mut self, line: &Line) -> Part {
        // Before anything else, and whatever else the clause could mean.
        if let Some(said) = super::moods::in_danger(line) {
            return Part::Answer(said.to_owned());
        }
        let pending = self.pending.take();
        if let Some(Pending::Quiz(at)) = pending
            && let Some(part) = super::games::judge(self, line, at)
        {
            return part;
        }
        if let Some(Pending::Mood) = pending
            && line.words.len() <= 5
            && line.is(&["_ fine|good|well|ok|okay|great|alright|bien|genial _"])
            && !line.has(&["not"])
        {
            return Part::Answer(if self.spanish {
                "Me alegro. ¿De qué hablamos?".to_owned()
            } else {
                self.vary(&[
                    "Good to hear. What shall we talk about?".to_owned(),
                    "Glad of that. What brings you here?".to_owned(),
                ])
            });
        }
        if let Some(part) = self.corrected(line) {
            return part;
        }
        let rooms: &[Room] = &[
            super::style::wish,
            super::forgetting::forget,
            super::problems::answer,
            super::lists::answer,
            super::transcript::answer,
            super::calendar::answer,
            super::recall::facts,
            super::handiwork::answer,
            super::units::answer,
            super::arithmetic::answer,
            super::verse::answer,
            super::almanac::answer,
            super::learning::learn,
            super::smalltalk::answer,
            super::topics::answer,
            super::fallback::reflect,
        ];
        rooms
            .iter()
            .find_map(|room| room(self, line))
            .unwrap_or_else(|| super::fallback::fallback(self, line))
    }

    /// "No, I meant Porto": the value that was told last, put right.
    fn corrected(&mut self, line: &Line) -> Option<Part> {
        let value = line.any(&[
            "i meant ?to ?say *",
            "i mean *",
            "it is *",
            "make that *",
            "quise decir *",
        ])?;
        let told = line.corrects || line.is(&["i meant _", "make that _", "quise _"]);
        let key = self.facts.latest().cloned().filter(|_| told)?;
        if value[0].split_whitespace().count() > 5 {
            return None;
        }
        // A many-valued fact is replaced as well: it was the wrong one that was told.
        let old = self.facts.get(&key).map(str::to_owned)?;
        if matches!(
            key,
            Key::Like | Key::Dislike | Key::Have | Key::Plan | Key::Want | Key::Note
        ) {
            self.facts
                .forget(|fact| fact.key == key && fact.value == old);
            let part = super::learning::keep(self, key, value[0], true);
            return Some(part);
        }
        let named = key == Key::Name;
        let fresh = if named {
            super::learning::proper(value[0])
        } else {
            value[0].to_owned()
        };
        Some(super::learning::keep(self, key, &fresh, true))
    }

    /// Joins the parts of an answer, leaving out what others make needless.
    fn compose(&mut self, parts: Vec<Part>) -> String {
        let solid = parts
            .iter()
            .any(|part| matches!(part, Part::Answer(_) | Part::Note { .. }));
        let some = solid
            || parts
                .iter()
                .any(|part| matches!(part, Part::Social(_) | Part::Chat(_)));
        let notes: Vec<&str> = parts
            .iter()
            .filter_map(|part| {
                if let Part::Note { said, .. } = part {
                    Some(said.as_str())
                } else {
                    None
                }
            })
            .collect();
        let merged = (notes.len() > 1).then(|| self.merge(&notes));
        let mut said: Vec<String> = Vec::new();
        let mut noted = false;
        let last_chat = parts.iter().rposition(|part| matches!(part, Part::Chat(_)));
        let answers = parts.iter().any(|part| matches!(part, Part::Answer(_)));
        let terse = self.style.brief();
        for (at, part) in parts.iter().enumerate() {
            let text = match part {
                // Where only a sentence is wanted, it is the answer's.
                Part::Social(_) if solid && terse => continue,
                Part::Note { .. } if answers && terse => continue,
                Part::Social(text) if solid => {
                    // A greeting before an answer is short.
                    let head = text
                        .split_inclusive(['!', '.', '?', ','])
                        .next()
                        .unwrap_or(text);
                    let head = head.trim_end_matches([',', '.', '!', '?']);
                    format!("{head}!")
                }
                Part::Social(text) | Part::Answer(text) => text.clone(),
                Part::Note { said, remark } => match (&merged, noted) {
                    (_, true) => continue,
                    (Some(merged), false) => {
                        noted = true;
                        merged.clone()
                    }
                    // Beside an answer the remark's question would only distract.
                    (None, false) if answers => {
                        noted = true;
                        if self.spanish {
                            format!("Entendido: {said}.")
                        } else {
                            format!("Noted, {said}.")
                        }
                    }
                    (None, false) => {
                        noted = true;
                        remark.clone()
                    }
                },
                Part::Chat(text) if !solid && Some(at) == last_chat => text.clone(),
                Part::Unknown(text) if !some && at + 1 == parts.len() => text.clone(),
                Part::Chat(_) | Part::Unknown(_) => continue,
            };
            if !said.contains(&text) {
                said.push(text);
            }
        }
        let long = said.iter().any(|text| text.contains('\n'));
        let text = said.join(if long { "\n\n" } else { " " });
        if text.is_empty() {
            return if self.spanish {
                "Te escucho.".to_owned()
            } else {
                "I'm listening.".to_owned()
            };
        }
        text
    }

    fn merge(&self, notes: &[&str]) -> String {
        let name = self.facts.get(&Key::Name);
        let introduced = notes
            .iter()
            .any(|note| note.starts_with("your name is") || note.starts_with("te llamas"));
        let rest: Vec<String> = notes
            .iter()
            .filter(|note| {
                !(introduced && (note.starts_with("your name is") || note.starts_with("te llamas")))
            })
            .map(|note| (*note).to_owned())
            .collect();
        let listed = super::phrases::join(&rest, if self.spanish { "y" } else { "and" });
        match (introduced.then_some(name).flatten(), self.spanish) {
            (Some(name), true) if rest.is_empty() => format!("¡Encantado, {name}!"),
            (Some(name), true) => format!("¡Encantado, {name}! Recordaré que {listed}."),
            (None, true) => format!("Recordaré que {listed}."),
            (Some(name), false) if rest.is_empty() => format!("Nice to meet you, {name}!"),
            (Some(name), false) => self.vary(&[
                format!("Nice to meet you, {name}! I'll remember that {listed}."),
                format!("Hello, {name}. So {listed}: I'll keep that in mind."),
            ]),
            (None, false) => self.vary(&[
                format!("I'll remember that {listed}."),
                format!("Noted: {listed}."),
            ]),
        }
    }

    /// Marks what was just done as what "another one" goes on with.
    pub(super) fn act_on(&mut self, act: Act) {
        self.act = act;
        self.idle = 0;
    }

    /// One of several ways to say a thing, by the turn's own seed.
    pub(super) fn vary(&self, ways: &[String]) -> String {
        let at = usize::try_from(self.seed % ways.len().max(1) as u64).unwrap_or(0);
        ways.get(at).cloned().unwrap_or_default()
    }

    /// One of several fixed texts, by the turn's own seed.
    pub(super) fn pick<'t>(&self, ways: &[&'t str]) -> &'t str {
        let at = usize::try_from(self.seed % ways.len().max(1) as u64).unwrap_or(0);
        ways.get(at).copied().unwrap_or_default()
    }
}

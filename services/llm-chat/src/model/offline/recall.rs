//! Answers questions about what was said: the facts kept and the turns themselves. It learns nothing new.

use super::learning::capital;
use super::lookup::{everything, having, liking, many, one, thing_of};
use super::memory::{Key, kin, own};
use super::phrases::{clip, content, to_you};
use super::talk::{Part, Talk};
use super::words::{Line, fold};

/// Answers a question about the person's own facts.
pub(super) fn facts(talk: &mut Talk, line: &Line) -> Option<Part> {
    if line.is(&[
        "_ what do you know|remember about me",
        "_ everything you know|remember about me",
        "what have i told you ?about ?me|myself ?so ?far",
        "what do you remember",
        "summarise what you know about me",
        "who am i",
        "do you remember|know me",
        "tell me about me|myself",
    ]) {
        return Some(Part::Answer(everything(talk)));
    }
    if let Some(found) = line.any(&[
        "what was my * before ?that",
        "what was my previous|old|former|original *",
    ]) && let Some(old) = talk.facts.before(&own(found[0]))
    {
        let what = clip(&to_you(found[0]), 60);
        return Some(Part::Answer(format!(
            "Before you corrected it, your {what} was {old}."
        )));
    }
    let single: &[(&[&str], Key)] = &[
        (
            &[
                "?what ?is|was my ?first|full name ?again",
                "what my ?first|full name is",
                "what am i called",
                "do you ?still know|remember my name",
                "say my name",
                "remember my name",
            ],
            Key::Name,
        ),
        (
            &[
                "?and where ?do i live ?now|again|currently",
                "?what|which city|town|country do i live in",
                "where is my home",
                "do you ?still know|remember where i live",
            ],
            Key::Home,
        ),
        (
            &[
                "where am|do i ?come from ?originally",
                "where i ?am|come from",
                "where was i born",
            ],
            Key::Origin,
        ),
        (
            &[
                "what do i do ?for ?a ?living|work",
                "?what ?is my job|profession|occupation|work",
                "where|what do i work ?as|at",
                "who do i work for",
                "what i do ?for ?a ?living",
            ],
            Key::Job,
        ),
        (
            &["how old am i", "?what ?is my age", "how old i am"],
            Key::Age,
        ),
    ];
    for (patterns, key) in single {
        if line.question_or_is(patterns) {
            return Some(Part::Answer(one(talk, key)));
        }
    }
    let several: &[(&[&str], Key)] = &[
        (
            &[
                "what ?things ?else do|did i ?say|also|really like|love|enjoy ?i ?like",
                "what i like|love|enjoy",
                "what are my likes|hobbies|interests",
            ],
            Key::Like,
        ),
        (
            &[
                "what do i ?not dislike|hate",
                "what do i not like|enjoy",
                "what i do not like",
            ],
            Key::Dislike,
        ),
        (
            &[
                "?what ?are|is my plan|plans _",
                "what am i ?going|planning to do _",
                "what am i planning _",
                "where am i going|travelling|traveling|flying|moving ?to _",
                "what do i have|need to do _",
                "what am i going to do _",
                "what was i going to do _",
            ],
            Key::Plan,
        ),
        (
            &["what do i want", "what are my wishes|dreams|goals"],
            Key::Want,
        ),
        (
            &[
                "what pets|animals|things do i have",
                "what do i have",
                "which pets do i have",
            ],
            Key::Have,
        ),
        (
            &[
                "what did i ask you to remember",
                "what should you remember",
                "what are my notes",
            ],
            Key::Note,
        ),
    ];
    for (patterns, key) in several {
        if line.is(patterns) {
            return Some(Part::Answer(many(talk, key)));
        }
    }
    if let Some(found) = line.any(&["do|did i ?say|really|still like|love|enjoy|hate|dislike *"]) {
        return Some(Part::Answer(liking(talk, found[0])));
    }
    if let Some(found) = line.any(&["do i have ?a|an|any *", "how many * do i have"]) {
        return having(talk, found[0]);
    }
    let thing = line.any(&[
        "?what ?is|are the|his|her name of my *",
        "what is|are my * called|named",
        "what did i call|name my *",
        "what are my * names",
        "how is my * called",
    ]);
    if let Some(found) = thing {
        let host = found[0]
            .trim_end_matches("'s")
            .trim_end_matches("\u{2019}s");
        return Some(Part::Answer(thing_of(talk, &format!("{host}'s name"))));
    }
    if line.is(&[
        "what is his|her|its name",
        "what is he|she|it called",
        "how is it called",
    ]) {
        let host = talk.subject.clone()?;
        return Some(Part::Answer(thing_of(talk, &format!("{host}'s name"))));
    }
    let mine = line.any(&[
        "what|who|where|which|when is|are|was my * again",
        "what|who|where|which|when is|are|was my *",
        "what my * is",
        "do you ?still remember|know my *",
        "what * is my favourite",
    ]);
    if let Some(found) = mine {
        // "My lucky number times six" is a calculation with a fact in it.
        if line.has(&["times", "plus", "minus", "divided", "multiplied", "squared"]) {
            return None;
        }
        let what = if line.has(&["favourite"]) && !fold(found[0]).contains("favo") {
            format!("favourite {}", found[0])
        } else {
            found[0].to_owned()
        };
        return Some(Part::Answer(thing_of(talk, &what)));
    }
    if line.question && line.words.first().is_some_and(|w| w.norm == "my") {
        let what = line.any(&["my *"])?;
        return Some(Part::Answer(thing_of(talk, what[0])));
    }
    noted(talk, line)
}

impl Line<'_> {
    /// Whether a question pattern fits; "my name" alone must really be asked, not told.
    fn question_or_is(&self, patterns: &[&str]) -> bool {
        let bare = self.words.first().is_some_and(|w| w.norm == "my");
        self.is(patterns) && (self.question || !bare)
    }
}

/// A question that a note answers: "what is the wifi code?" after "remember that the wifi code is 1234".
fn noted(talk: &Talk, line: &Line) -> Option<Part> {
    if !line.question
        || !line.is(&["what|who|where|when|which|how|qué|quién|dónde|cuándo|cuál|cómo _"])
    {
        return None;
    }
    let asked = content(line.body(), 8);
    if asked.is_empty() {
        return None;
    }
    let needed = asked.len().div_ceil(2).max(1);
    let fact = talk.facts.about(line.body()).into_iter().find(|fact| {
        let personal = matches!(fact.key, Key::Note | Key::Plan);
        let held = content(&fact.value, 30);
        let shared = asked
            .iter()
            .filter(|word| held.iter().any(|other| kin(word, other)))
            .count();
        personal && shared >= needed
    })?;
    let said = fact.said(talk.spanish);
    Some(Part::Answer(if talk.spanish {
        format!("{}.", capital(&said))
    } else {
        talk.vary(&[
            format!("You told me: {said}."),
            format!("{}, as you said.", capital(&said)),
        ])
    }))
}

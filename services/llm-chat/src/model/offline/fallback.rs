//! What to say when nothing else applies: honestly, and never quite the same. It claims to know nothing.

use super::phrases::{clip, content};
use super::talk::{Part, Talk};
use super::words::Line;

/// A statement nothing else understood: taken up by what it is about.
pub(super) fn reflect(talk: &mut Talk, line: &Line) -> Option<Part> {
    if line.question || line.words.len() < 2 || talk.spanish {
        return None;
    }
    let order = line.is(&["write|make|give|show|find|search|open|play|draw|paint|send|book|buy|translate|explain|describe|list|create|generate|fix|code|solve|calculate|compute|tell|define|compare \
             _"]);
    if order {
        return None;
    }
    if content(line.body(), 2).is_empty() {
        return None;
    }
    let noun = noun(line);
    if noun.is_some() {
        talk.subject.clone_from(&noun);
    }
    if let Some((word, earlier)) = super::transcript::mentioned(talk, line.body()) {
        return Some(Part::Chat(talk.vary(&[
            format!(
                "That's {word} again: earlier you said \"{}\". How do the two go together?",
                clip(earlier, 100)
            ),
            format!(
                "You touched on {word} before (\"{}\"). Has something changed?",
                clip(earlier, 100)
            ),
        ])));
    }
    let past = line.has(&[
        "was",
        "were",
        "went",
        "had",
        "did",
        "saw",
        "got",
        "came",
        "made",
        "took",
        "yesterday",
    ]);
    let mine = line.has(&["i", "my", "we", "me"]);
    if let Some(noun) = noun.filter(|_| talk.seed.is_multiple_of(3)) {
        return Some(Part::Chat(talk.vary(&[
            format!("What stayed with you most about the {noun}?"),
            format!("Tell me more about the {noun}."),
            format!("Does the {noun} matter much to you?"),
            format!("I can picture the {noun}. What else was there?"),
        ])));
    }
    if line.is(&["it|that|this|they|he|she|there _"]) {
        return Some(Part::Chat(talk.vary(&[
            "How so?".to_owned(),
            "Has it been like that for long?".to_owned(),
            "In what way?".to_owned(),
            "And what follows from that, for you?".to_owned(),
            "I see. Go on.".to_owned(),
        ])));
    }
    Some(Part::Chat(match (mine, past) {
        (true, true) => talk.vary(&[
            "And how was it, looking back?".to_owned(),
            "I'd like to hear the rest. What happened then?".to_owned(),
            "Was it as you had expected?".to_owned(),
        ]),
        (true, false) => talk.vary(&[
            "What makes you say so?".to_owned(),
            "I'll keep that in mind as we talk. What comes next?".to_owned(),
            "And how do you feel about that?".to_owned(),
        ]),
        _ => talk.vary(&[
            "I can't check that, but I'm listening. Where does it lead you?".to_owned(),
            "Interesting. What made you think of it?".to_owned(),
            "I see. And what do you make of it?".to_owned(),
            "Go on, I'm with you.".to_owned(),
            "That's new to me. Where did you come across it?".to_owned(),
            "And then?".to_owned(),
            "I know too little to agree or disagree. How do you see it?".to_owned(),
        ]),
    }))
}

/// The first thing a statement names with an article or a possessive.
fn noun(line: &Line) -> Option<String> {
    let pair = line.words.windows(2).find(|pair| {
        matches!(pair[0].norm.as_str(), "the" | "my" | "a" | "an" | "our")
            && !content(&pair[1].norm, 1).is_empty()
            && pair[1].norm.chars().all(char::is_alphabetic)
            && ![
                "big", "small", "great", "bad", "nice", "last", "first", "whole", "same",
            ]
            .contains(&pair[1].norm.as_str())
    })?;
    Some(pair[1].norm.clone())
}

/// The longest run of meaningful words: what a question is about, as near as can be told without grammar.
fn matter(line: &Line) -> String {
    let mut best = (0, 0);
    let mut from = 0;
    for at in 0..=line.words.len() {
        let weighty = line.words.get(at).is_some_and(|word| {
            !content(&word.norm, 1).is_empty()
                && !matches!(
                    word.norm.as_str(),
                    "compare"
                        | "created"
                        | "rhymes"
                        | "difference"
                        | "between"
                        | "agree"
                        | "won"
                        | "wins"
                        | "invented"
                        | "happened"
                        | "happens"
                        | "caused"
                        | "causes"
                        | "works"
                        | "work"
                        | "many"
                        | "doing"
                )
        });
        if !weighty {
            // What follows an article is a thing; a bare verb is not.
            let length = |(a, b): (usize, usize)| {
                if b > a {
                    let thing = a > 0
                        && matches!(
                            line.words[a - 1].norm.as_str(),
                            "the" | "a" | "an" | "my" | "of"
                        );
                    line.words[b - 1].end - line.words[a].start + if thing { 6 } else { 0 }
                } else {
                    0
                }
            };
            if length((from, at)) > length(best) {
                best = (from, at);
            }
            from = at + 1;
        }
    }
    // "Is Japan big?" is about Japan.
    if line.is(&["is|are|was|were _"]) && best.1 - best.0 == 2 {
        best.1 -= 1;
    }
    match (
        line.words.get(best.0),
        line.words.get(best.1.wrapping_sub(1)),
    ) {
        (Some(first), Some(last)) if best.1 > best.0 => {
            clip(line.raw.get(first.start..last.end).unwrap_or_default(), 60)
        }
        _ => String::new(),
    }
}

/// What to say when nothing else applies: honest, never quite the same, and with a way on.
pub(super) fn fallback(talk: &mut Talk, line: &Line) -> Part {
    talk.lost += 1;
    let es = talk.spanish;
    // The way to a larger model is told in full the first time and every fourth; a reminder wears out.
    let hint = talk.lost % 4 == 1;
    let topic = matter(line);
    if es {
        let said = talk.vary(&[
            "No lo sé: soy el modelo integrado, sin conexión y con pocos conocimientos.".to_owned(),
            "Ahí no llego; soy un modelo pequeño que vive sin conexión.".to_owned(),
            "Eso se me escapa. Puedo recordar cosas, calcular, llevar listas o \
             escribir un poema."
                .to_owned(),
        ]);
        return Part::Unknown(if hint {
            format!(
                "{said} Para respuestas de verdad, define `ATELIER_CHAT_URL`, \
             `ATELIER_CHAT_API_KEY` y `ATELIER_CHAT_MODELS` y reinicia."
            )
        } else {
            said
        });
    }
    let earlier = super::transcript::mentioned(talk, line.body())
        .map(|(word, text)| {
            format!(
                " All I have on {word} is what you told me: \"{}\".",
                clip(text, 120)
            )
        })
        .unwrap_or_default();
    let about = if topic.is_empty() || topic.chars().count() < 3 {
        "that".to_owned()
    } else {
        topic
    };
    let foreign = line
        .raw
        .chars()
        .filter(|c| c.is_alphabetic() && u32::from(*c) > 0x24F)
        .count()
        * 2
        > line.raw.chars().filter(|c| c.is_alphabetic()).count();
    if let Some(value) = super::number::Number::read(super::words::tidy(line.raw)) {
        talk.last_number = Some(value);
        return Part::Unknown(talk.vary(&[
            format!("{}. What shall I do with it?", value.show()),
            format!(
                "{} it is. Try \"times 3\" or \"is it prime?\".",
                value.show()
            ),
        ]));
    }
    let order = line.is(&["write|make|give|show|find|search|open|play|draw|paint|send|book|buy|translate|explain|describe|create|generate|fix|code|solve|tell|define|compare|teach|recommend|plan \
             _"]);
    let said = if foreign {
        talk.vary(&[
            "I read only English and some Spanish, sorry.".to_owned(),
            "That script is beyond me: I manage English and a little Spanish.".to_owned(),
        ])
    } else if order {
        talk.vary(&[
            format!(
                "That's more than I can do well: I'm the built-in offline model, and \
             {about} takes one that has learned more."
            ),
            format!(
                "I'd make a mess of {about}. I'm the small offline model, good for \
             memory, sums, lists and verses."
            ),
            format!("I can't do that one; {about} is out of reach for the offline model."),
        ])
    } else if line.question {
        talk.vary(&[
            format!(
                "I don't know. I'm the built-in offline model and {about} isn't among the \
             few things I know."
            ),
            format!(
                "That's beyond me: {about} would need a model that has read more than I \
             have. I'm the offline one."
            ),
            format!("I'd only be guessing about {about}, so I won't. I'm a small offline model."),
            format!(
                "No answer from me there; my knowledge is a few pages, and {about} isn't \
             on them."
            ),
            format!(
                "Honestly, I can't say. As the offline model I know little, and about \
             {about} nothing."
            ),
        ])
    } else {
        talk.vary(&[
            "I couldn't make that out. Put it another way, or ask for help to see \
             what I can do."
                .to_owned(),
            format!("I'm not sure what to do with that. Is it about {about}?"),
            "That one went past me: I'm a small offline model. Could you say it more \
             simply?"
                .to_owned(),
            "I don't follow, being only the built-in model. What would you like me to do?"
                .to_owned(),
        ])
    };
    let way = if hint {
        " For real answers, set `ATELIER_CHAT_URL`, `ATELIER_CHAT_API_KEY` and \
             `ATELIER_CHAT_MODELS` to any OpenAI-compatible endpoint and restart."
            .to_owned()
    } else if talk.lost % 4 == 3 {
        format!(" Try me on {}, though.", super::topics::some(talk.seed))
    } else {
        String::new()
    };
    Part::Unknown(format!("{said}{earlier}{way}"))
}

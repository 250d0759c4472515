//! Holds the offline model to whole conversations, to odd input, and to being no echo and no constant.

mod bounds;
mod dialogues;
mod rooms;

use super::{Speaker, Turn, reply};

/// A person's turn and what its answer must, and must not, contain (compared in lower case).
struct Beat {
    say: &'static str,
    holds: &'static [&'static str],
    lacks: &'static [&'static str],
}

/// A turn whose answer must contain all of `holds`.
const fn hear(say: &'static str, holds: &'static [&'static str]) -> Beat {
    Beat {
        say,
        holds,
        lacks: &[],
    }
}

/// A turn whose answer must contain all of `holds` and none of `lacks`.
const fn bar(
    say: &'static str,
    holds: &'static [&'static str],
    lacks: &'static [&'static str],
) -> Beat {
    Beat { say, holds, lacks }
}

/// A conversation, perhaps under an instruction.
struct Dialogue {
    name: &'static str,
    system: &'static str,
    beats: &'static [Beat],
}

type Model<'m> = &'m dyn Fn(&[Turn<'_>]) -> String;

/// Holds a conversation with `model`; every miss is described.
fn hold(dialogue: &Dialogue, model: Model<'_>) -> Vec<String> {
    let mut said: Vec<(Speaker, String)> = Vec::new();
    if !dialogue.system.is_empty() {
        said.push((Speaker::System, dialogue.system.to_owned()));
    }
    let mut misses = Vec::new();
    for beat in dialogue.beats {
        said.push((Speaker::User, beat.say.to_owned()));
        let turns: Vec<Turn<'_>> = said
            .iter()
            .map(|(speaker, text)| Turn {
                speaker: *speaker,
                text,
            })
            .collect();
        let answer = model(&turns);
        let low = answer.to_lowercase();
        let met = beat
            .holds
            .iter()
            .all(|part| low.contains(&part.to_lowercase()))
            && !beat
                .lacks
                .iter()
                .any(|part| low.contains(&part.to_lowercase()));
        if !met {
            misses.push(format!(
                "{}: to {:?} came {:?}, which should hold {:?} and lack {:?}",
                dialogue.name, beat.say, answer, beat.holds, beat.lacks
            ));
        }
        said.push((Speaker::Assistant, answer));
    }
    misses
}

/// What the model answers to the last of these turns of one person's, its own answers in between.
fn last_of(says: &[&str]) -> String {
    let mut said: Vec<(Speaker, String)> = Vec::new();
    let mut answer = String::new();
    for say in says {
        said.push((Speaker::User, (*say).to_owned()));
        let turns: Vec<Turn<'_>> = said
            .iter()
            .map(|(speaker, text)| Turn {
                speaker: *speaker,
                text,
            })
            .collect();
        answer = reply(&turns);
        said.push((Speaker::Assistant, answer.clone()));
    }
    answer
}

/// What the model answers to a single turn.
fn to(text: &str) -> String {
    reply(&[Turn {
        speaker: Speaker::User,
        text,
    }])
}

//! The little this model knows (Atelier, gRPC, Rust, HTTP/2, colours and a few more), told a paragraph at a time.

use super::pages::TOPICS;
use super::talk::{Act, Part, Talk};
use super::words::{Line, fold};

/// What was told last and how far, for "tell me more".
#[derive(Clone, Copy)]
pub(super) struct Place {
    topic: usize,
    next: usize,
}

/// Tells something of a topic, or goes on with the last one.
pub(super) fn answer(talk: &mut Talk, line: &Line) -> Option<Part> {
    let low = line.norm();
    let on = line.is(&[
        "tell|give ?me more",
        "more ?please|details",
        "go on",
        "continue",
        "keep going",
        "what else",
        "and ?then ?what|else",
        "anything else",
        "tell me more about it|that|this|them",
        "?tell ?me|say more about it|that|this|them|her|him",
        "explain ?it|that ?further|more",
        "can you elaborate",
        "elaborate",
        "why is that",
        "say more",
        "really",
        "interesting",
        "cuéntame|dime más",
        "sigue",
        "más",
        "something else",
    ]);
    if on {
        return continued(talk);
    }
    if line.is(&[
        "tell|teach|show ?me something ?interesting|new|cool|fun|else _",
        "surprise me",
        "?tell|give ?me ?a|another|an ?fun|interesting|random fact ?please",
        "i am bored tell me something",
        "say|talk ?about something|anything ?interesting",
    ]) {
        let at = usize::try_from((talk.seed >> 7) % TOPICS.len() as u64).unwrap_or(0);
        talk.subject = TOPICS[at].names.first().map(|name| (*name).to_owned());
        return tell(talk, at, 0);
    }
    let (at, _) = TOPICS
        .iter()
        .enumerate()
        .flat_map(|(at, topic)| topic.names.iter().map(move |name| (at, *name)))
        .filter(|(_, name)| names(&low, &fold(line.raw), name))
        .max_by_key(|(_, name)| name.len())?;
    let asks = line.question
        || line.words.len() <= 3
        || line.is(&[
            "tell|explain|describe|talk|teach|show|define|cuéntame|explícame|háblame _",
            "more about _",
            "i want|would ?like to know|learn|hear about _",
            "give me _",
            "let us talk about _",
        ]);
    if !asks {
        return None;
    }
    // A question with a twist of its own ("who invented tea?") is not answered by the general paragraph.
    let narrow = line.is(&[
        "who|when|where|which _",
        "how many|much|old|tall|far|long _",
        "is|are|was|were|did|should|will|would|has|have _",
    ]) && !line.is(&["how do|does|can|is|are _"]);
    // What it costs is just what the paragraph on credits says.
    let money = TOPICS[at].names.contains(&"credits");
    let other = line.has(&[
        "rhymes",
        "rhyme",
        "difference",
        "versus",
        "vs",
        "synonym",
        "plural",
        "spell",
    ]);
    if other || (narrow && !money) {
        return None;
    }
    let again = talk
        .place
        .filter(|place| place.topic == at)
        .map_or(0, |place| place.next);
    let more = line.has(&["more", "else", "further"]);
    talk.subject = TOPICS[at].names.first().map(|name| (*name).to_owned());
    tell(talk, at, if more { again } else { 0 })
}

fn names(low: &str, raw: &str, name: &str) -> bool {
    let padded = format!(" {low} ");
    if padded.contains(&format!(" {name} ")) {
        return true;
    }
    name.contains('/') && raw.contains(name)
}

fn tell(talk: &mut Talk, topic: usize, at: usize) -> Option<Part> {
    talk.act_on(Act::Topic);
    let held = TOPICS.get(topic)?;
    if talk.spanish {
        talk.place = Some(Place {
            topic,
            next: at + 1,
        });
        return Some(Part::Answer(if at == 0 {
            held.spanish.to_owned()
        } else {
            "Eso es todo lo que sé del tema: soy un modelo pequeño.".to_owned()
        }));
    }
    talk.place = Some(Place {
        topic,
        next: at + 1,
    });
    let name = held.names.first().copied().unwrap_or_default();
    Some(Part::Answer(match held.told.get(at) {
        Some(text) => (*text).to_owned(),
        None => talk.vary(&[
            format!(
                "That's where my knowledge of {name} ends. A connected model could go on; \
             I'm only the built-in one."
            ),
            format!(
                "I've told you all I know about {name}. Ask me about something else, or \
             connect a larger model for more."
            ),
        ]),
    }))
}

fn continued(talk: &mut Talk) -> Option<Part> {
    let place = talk.place?;
    tell(talk, place.topic, place.next)
}

/// A few of the subjects, for an answer that says what can be asked.
pub(super) fn some(seed: u64) -> String {
    const SHOWN: [&str; 10] = [
        "gRPC",
        "Rust",
        "HTTP/2",
        "Atelier",
        "the planets",
        "colours",
        "tea",
        "chess",
        "haiku",
        "coffee",
    ];
    let at = usize::try_from(seed % 10).unwrap_or(0);
    format!(
        "{}, {} or {}",
        SHOWN[at],
        SHOWN[(at + 3) % 10],
        SHOWN[(at + 7) % 10]
    )
}

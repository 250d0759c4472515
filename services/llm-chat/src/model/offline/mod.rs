//! The offline chat model: a small conversation partner made of rules and memory. It may use no clock, no chance,
//! no network and no files, so the same turns always get the same reply.
//!
//! A reply is found by replaying the person's turns one after the other (`talk`): each clause goes to the first
//! room that understands it, and what is learned on the way (facts, lists, the last result, the last subject) is
//! there for the next. Nothing is kept between calls. Everything is bounded: the last 400 turns are replayed, the
//! first 6,000 characters of each are read for meaning, and a reply has at most [`MAX_REPLY`] characters.

mod almanac;
mod arithmetic;
mod calendar;
mod day;
mod fallback;
mod figures;
mod forgetting;
mod forms;
mod formula;
mod games;
mod handiwork;
mod identity;
mod learning;
mod lists;
mod lookup;
mod memory;
mod metre;
mod moods;
mod number;
mod pages;
mod phrases;
mod planets;
mod problems;
mod recall;
mod smalltalk;
mod spanish;
mod statements;
mod style;
mod summary;
mod talk;
#[cfg(test)]
mod tests;
mod topics;
mod transcript;
mod units;
mod verse;
mod words;

/// The most characters a reply has.
pub const MAX_REPLY: usize = 2_000;
/// The most characters a title has.
const MAX_TITLE: usize = 60;

/// Who speaks a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The instruction a conversation is held under.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// One turn of a conversation.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said: any UTF-8, of any length.
    pub text: &'a str,
}

/// The reply to the last of the person's turns: Markdown, never empty, at most [`MAX_REPLY`] characters.
///
/// Deterministic, and in time linear in the text.
pub fn reply(turns: &[Turn<'_>]) -> String {
    let reply = talk::Talk::reply(turns);
    if reply.chars().count() <= MAX_REPLY {
        return reply;
    }
    format!("{}…", crate::tokens::head(&reply, MAX_REPLY - 1).trim_end())
}

/// A title for a conversation that opened with `first_user_text`: one line, never empty, at most 60 characters.
pub fn title(first_user_text: &str) -> String {
    let read = crate::tokens::head(first_user_text, 2_000);
    let telling = |sentence: &str| sentence.chars().filter(|c| c.is_alphanumeric()).count() > 3;
    let greeting = |sentence: &str| {
        words::Line::new(sentence).is(&[
            "hi|hello|hey|hola|greetings ?there|all|everyone",
            "good|buenos|buenas morning|afternoon|evening|días|tardes|noches",
        ])
    };
    let sentences = phrases::sentences(read);
    let line = sentences
        .iter()
        .find(|sentence| telling(sentence) && !greeting(sentence))
        .or_else(|| sentences.iter().find(|sentence| telling(sentence)))
        .copied()
        .unwrap_or(read);
    let parsed = words::Line::new(line);
    let body = parsed
        .any(&[
            "hi|hello|hey|hola ?there *",
            "what is|are *",
            "tell me ?something ?more about *",
            "i want|would ?like to *",
            "write|make ?me a|an *",
            "explain ?to ?me *",
        ])
        .map_or_else(
            || words::tidy(parsed.body()).to_owned(),
            |found| found[0].to_owned(),
        );
    let calm: String = body
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let short = phrases::clip(&calm, MAX_TITLE - 4);
    // A word with capitals of its own ("gRPC") is left as it is written.
    let first = short.split_whitespace().next().unwrap_or_default();
    let short = if first.chars().any(char::is_uppercase) {
        short
    } else {
        learning::capital(&short)
    };
    // A letter may grow when it is made large ("ß"), so the bound is checked last.
    let short = crate::tokens::head(&short, MAX_TITLE);
    if short.chars().any(|c| c.is_alphanumeric()) {
        short.to_owned()
    } else {
        "Conversation".to_owned()
    }
}

//! Conversations and messages as the rules see them, and what a model is shown of them.

use atelier_kit::moment::Micros;
use atelier_proto::generation::v1::{State, Usage};
use serde::{Deserialize, Serialize};

/// The most messages a model is shown; older ones are left out.
const SHOWN_MESSAGES: usize = 400;
/// The most bytes of messages a model is shown.
const SHOWN_BYTES: usize = 512 * 1024;

/// Who said a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// Whoever set the conversation up.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// One thing that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who said it.
    pub speaker: Speaker,
    /// What was said.
    pub text: String,
}

/// A conversation.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The model that replies.
    pub model: String,
    /// What the model is told first.
    pub system_prompt: String,
    /// How many messages it has.
    pub message_count: i64,
    /// When it was made.
    pub create_time: Micros,
    /// When it last changed.
    pub update_time: Micros,
}

/// A conversation that is about to be.
#[derive(Clone, Debug)]
pub struct NewConversation {
    /// Its id.
    pub id: String,
    /// The account it belongs to.
    pub owner: String,
    /// The caller's key for repeating the call safely.
    pub request_id: Option<String>,
    /// What a repeated call is compared by.
    pub digest: Vec<u8>,
    /// Its title; may be empty.
    pub title: String,
    /// The model that replies.
    pub model: String,
    /// What the model is told first.
    pub system_prompt: String,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// The conversation.
    pub conversation_id: String,
    /// Where it stands in it, from 1.
    pub position: i64,
    /// Who said it.
    pub speaker: Speaker,
    /// What was said.
    pub text: String,
    /// For a reply: where its generation stands.
    pub state: State,
    /// For a reply: its generation.
    pub generation_id: Option<String>,
    /// For a reply: who made it.
    pub provider: String,
    /// For a reply: the model.
    pub model: String,
    /// For a reply: what it used.
    pub usage: Option<Usage>,
    /// When it was made.
    pub create_time: Micros,
}

impl Message {
    /// Whether it is a reply in the making.
    pub fn is_in_progress(&self) -> bool {
        matches!(self.state, State::Queued | State::Running)
    }
}

/// What a model is shown: the system prompt, then the latest messages that fit, the oldest first.
pub fn shown(system_prompt: &str, messages: impl DoubleEndedIterator<Item = Turn>) -> Vec<Turn> {
    let mut bytes = system_prompt.len();
    let mut turns = Vec::new();
    // Nothing was said in a reply that failed at once, and some APIs refuse an empty message.
    for turn in messages.rev().filter(|turn| !turn.text.is_empty()) {
        bytes += turn.text.len();
        if !turns.is_empty() && (bytes > SHOWN_BYTES || turns.len() >= SHOWN_MESSAGES) {
            break;
        }
        turns.push(turn);
    }
    if !system_prompt.is_empty() {
        turns.push(Turn {
            speaker: Speaker::System,
            text: system_prompt.to_owned(),
        });
    }
    turns.reverse();
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(text: &str) -> Turn {
        Turn {
            speaker: Speaker::User,
            text: text.to_owned(),
        }
    }

    #[test]
    fn the_latest_messages_are_shown_and_the_system_prompt_always() {
        let long = "x".repeat(SHOWN_BYTES / 2 + 1);
        let shown = shown(
            "be kind",
            [turn(&long), turn(""), turn(&long), turn("now")].into_iter(),
        );
        let texts: Vec<&str> = shown.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!(texts, ["be kind", &long, "now"]);
    }
}

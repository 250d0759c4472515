//! What a reply's generation carries from the call that asked for it to the provider that makes it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::conversation::Turn;
use crate::model::Sampling;

/// The kind of generation that SendMessage starts.
pub const SEND_MESSAGE: &str = "send-message";
/// The kind of generation that Complete starts.
pub const COMPLETE: &str = "complete";

/// A reply to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// What it replies to.
    pub of: Of,
    /// How it is to be made.
    pub sampling: Sampling,
    /// The model that was asked for, where another answers in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

/// What a reply replies to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Of {
    /// A new message in a conversation.
    Message {
        /// The conversation.
        conversation_id: String,
        /// The id of the user's message.
        message_id: String,
        /// The id of the reply.
        reply_id: String,
        /// What the user says.
        text: String,
    },
    /// Messages that came along with the call.
    Turns(Vec<Turn>),
}

impl Of {
    /// The conversation; empty where there is none.
    pub fn conversation(&self) -> &str {
        match self {
            Of::Message {
                conversation_id, ..
            } => conversation_id,
            Of::Turns(_) => "",
        }
    }
}

impl Task {
    /// As bytes.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self)
            .unwrap_or_else(|_| unreachable!("a task is plain values"))
            .into()
    }

    /// From bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

//! Conversations and messages as documents, and back.

use atelier_generation::Error as Broken;
use atelier_kit::mongo::Fields as _;
use atelier_kit::mongo::bson::Document;
use atelier_proto::generation::v1::{Snapshot, State};
use prost::Message as _;

use super::Kept;
use crate::conversation::{Conversation, Message, Speaker};

pub(super) fn conversation(document: &Document) -> Kept<Conversation> {
    Ok(Conversation {
        id: document.text("_id")?,
        title: document.text("title")?,
        model: document.text("model")?,
        system_prompt: document.text("system_prompt")?,
        message_count: document.number("message_count")?,
        create_time: document.number("create_time")?,
        update_time: document.number("update_time")?,
    })
}

/// A message and the reply to it, as their generation's document has them.
pub(super) fn exchange(document: &Document) -> Kept<[Message; 2]> {
    let own = document.part("own")?;
    let (conversation_id, position) = (own.text("conversation")?, own.number("position")?);
    let create_time = document.number("create_time")?;
    let mut reply = Message {
        id: own.text("reply")?,
        conversation_id: conversation_id.clone(),
        position,
        speaker: Speaker::Assistant,
        text: String::new(),
        state: State::try_from(document.code("state")?).unwrap_or(State::Unspecified),
        generation_id: Some(document.text("_id")?),
        provider: document.text("provider")?,
        model: document.text("model")?,
        usage: None,
        create_time,
    };
    // What is being made is told by its generation, as far as it has come.
    if !reply.is_in_progress() {
        let snapshot = Snapshot::decode(document.bytes("snapshot")?).map_err(Broken::store)?;
        reply.text = snapshot.text;
        reply.usage = snapshot.usage;
    }
    let message = Message {
        id: own.text("message")?,
        conversation_id,
        position: position - 1,
        speaker: Speaker::User,
        text: own.text("text")?,
        state: State::Unspecified,
        generation_id: None,
        provider: String::new(),
        model: String::new(),
        usage: None,
        create_time,
    };
    Ok([message, reply])
}

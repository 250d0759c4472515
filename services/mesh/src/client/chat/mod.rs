//! `atelier chat`: one reply, a conversation in the terminal, and the conversations there were.

mod conversation;
mod interactive;
mod listing;
mod reply;

use std::io::IsTerminal as _;

use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_proto::llm_chat::v1::{ListModelsRequest, Model};

use super::Ground;
use super::interrupt::Interrupts;
use super::session::Session;
use super::terminal::print;
use crate::args::Chat;
use conversation::Conversation;
use reply::{Look, Reply};

const SEND: &str = "/atelier.llm_chat.v1.LlmChatService/SendMessage";
const LIST: &str = "/atelier.llm_chat.v1.LlmChatService/ListConversations";

/// Runs it.
pub async fn run(ground: &Ground<'_>, chat: Chat) -> anyhow::Result<()> {
    if chat.list_models {
        return ground
            .visit(async |session| listing::models(session, chat.json).await)
            .await;
    }
    if chat.list {
        return ground
            .visit(async |session| {
                session.admit(LIST).await?;
                listing::conversations(session, ground.terminal, chat.json).await
            })
            .await;
    }
    if let Some(id) = &chat.show {
        return ground
            .visit(async |session| {
                session.admit(LIST).await?;
                listing::conversation(session, ground.terminal, id, chat.json).await
            })
            .await;
    }
    let talk =
        chat.text.is_empty() && !chat.json && std::io::stdin().is_terminal() && ground.terminal.out;
    // Standard input is read before anything is started: whoever types there may change their mind.
    let text = match talk {
        true => None,
        false => Some(super::words(&chat.text)?),
    };
    ground
        .visit(async |session| {
            session.admit(SEND).await?;
            let mut conversation = Conversation::choose(session, &chat).await?;
            match text {
                None => interactive::talk(ground, session, &mut conversation).await,
                Some(text) => once(ground, session, &mut conversation, text, chat.json).await,
            }
        })
        .await
}

async fn once(
    ground: &Ground<'_>,
    session: &Session<'_>,
    conversation: &mut Conversation,
    text: String,
    json: bool,
) -> anyhow::Result<()> {
    let mut interrupts = Interrupts::of_process()?;
    let look = match (json, ground.terminal.out) {
        (true, _) => Look::Kept,
        (false, true) => Look::Painted,
        (false, false) => Look::Raw,
    };
    let reply = Reply::new(session, conversation, text).await?;
    let ended = reply.listen(ground.terminal, look, &mut interrupts).await?;
    if json {
        let message = listing::reply(session, &conversation.id, &ended.generation_id).await?;
        return print(&message);
    }
    if ground.terminal.out {
        ground.terminal.aside("");
    }
    ground
        .terminal
        .aside(&format!("{} · {}", ended.model, ended.provider));
    Ok(())
}

/// The models that can be asked, the default first.
async fn models(session: &Session<'_>) -> anyhow::Result<Vec<Model>> {
    let answer = LlmChatServiceClient::new(session.connection().channel)
        .list_models(ListModelsRequest {})
        .await?;
    Ok(answer.into_inner().models)
}

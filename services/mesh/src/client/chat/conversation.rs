//! The conversation that a message goes to: a new one, made when it is first needed, or one there was.

use atelier_proto::llm_chat::v1::llm_chat_service_client::LlmChatServiceClient;
use atelier_proto::llm_chat::v1::{
    CreateConversationRequest, GetConversationRequest, ListConversationsRequest,
};

use crate::args::Chat;
use crate::client::generation::request_id;
use crate::client::session::Session;
use crate::client::trouble::Trouble;

/// A conversation.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    /// Its id; empty until it is made.
    pub id: String,
    /// Its title, when it was there before.
    pub title: String,
    /// The model that is asked; empty for the conversation's own, or the default.
    pub model: String,
}

impl Conversation {
    /// The one that the flags name.
    pub async fn choose(session: &Session<'_>, chat: &Chat) -> anyhow::Result<Self> {
        let model = chat.model.clone().unwrap_or_default();
        let found = if let Some(id) = &chat.conversation {
            let request = GetConversationRequest {
                conversation_id: id.clone(),
            };
            session
                .ask(request, async |channel, request| {
                    LlmChatServiceClient::new(channel)
                        .get_conversation(request)
                        .await
                })
                .await
                .map_err(|error| session.gone(error))?
                .conversation
        } else if chat.resume {
            let request = ListConversationsRequest {
                page_size: 1,
                ..ListConversationsRequest::default()
            };
            let answer = session
                .ask(request, async |channel, request| {
                    LlmChatServiceClient::new(channel)
                        .list_conversations(request)
                        .await
                })
                .await
                .map_err(|error| session.gone(error))?;
            let last = answer.conversations.into_iter().next();
            Some(last.ok_or_else(|| Trouble::failed("there is no conversation to go on with"))?)
        } else {
            None
        };
        let found = found.unwrap_or_default();
        Ok(Self {
            id: found.id,
            title: found.title,
            model,
        })
    }

    /// Makes it, when it is new.
    pub async fn make(&mut self, session: &Session<'_>) -> anyhow::Result<()> {
        if !self.id.is_empty() {
            return Ok(());
        }
        let request = CreateConversationRequest {
            model: self.model.clone(),
            request_id: request_id(),
            ..CreateConversationRequest::default()
        };
        let answer = session
            .ask(request, async |channel, request| {
                LlmChatServiceClient::new(channel)
                    .create_conversation(request)
                    .await
            })
            .await
            .map_err(|error| session.gone(error))?;
        self.id = answer.conversation.unwrap_or_default().id;
        Ok(())
    }
}

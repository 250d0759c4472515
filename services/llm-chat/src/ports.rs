//! The ports of this service, in domain words.

use async_trait::async_trait;
use atelier_generation::ProviderError;
use atelier_kit::moment::Micros;
use futures_util::stream::BoxStream;

use crate::conversation::{Conversation, Message, NewConversation, Turn};
use crate::error::Error;
use crate::model::{Delta, Sampling};

/// Where conversations are kept. Messages are added by the projection of their generation.
#[async_trait]
pub trait ConversationStore: Send + Sync + 'static {
    /// Makes a conversation, or returns the one that the same request made before.
    async fn insert(&self, new: &NewConversation) -> Result<Conversation, Error>;
    /// Reads one of this owner.
    async fn find(&self, owner: &str, id: &str) -> Result<Conversation, Error>;
    /// Lists those of this owner that changed before a point, the latest first.
    async fn list(
        &self,
        owner: &str,
        before: Option<(Micros, String)>,
        limit: i64,
    ) -> Result<Vec<Conversation>, Error>;
    /// Those of this owner after an id, in the order of their ids, which stays whatever is said meanwhile.
    async fn by_id(&self, owner: &str, after: &str, limit: i64)
    -> Result<Vec<Conversation>, Error>;
    /// Gives one of this owner a title.
    async fn rename(&self, owner: &str, id: &str, title: &str) -> Result<Conversation, Error>;
    /// Deletes one of this owner with all that its generations keep. `Some` names a reply that is still being made,
    /// and then nothing was deleted.
    async fn delete(&self, owner: &str, id: &str) -> Result<Option<String>, Error>;
    /// Lists the messages after a position, the oldest first.
    async fn messages(
        &self,
        conversation_id: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Message>, Error>;
    /// What a reply is to: the system prompt of its conversation, and what was said before it, the latest at most so many, the
    /// oldest first.
    async fn before(&self, reply_id: &str, limit: i64) -> Result<(String, Vec<Turn>), Error>;

    /// Erases at most so many messages of an owner, none of which is being made, with what their generations keep. Returns
    /// the generation of each, where it has one; an empty answer is the end of them.
    async fn erase_messages(&self, owner: &str, limit: i64) -> Result<Vec<Option<String>>, Error>;
    /// Erases at most so many conversations of an owner, whose messages are gone; returns how many.
    async fn erase_conversations(&self, owner: &str, limit: i64) -> Result<u64, Error>;
    /// Takes what was erased out of the files as well.
    async fn write_back(&self) -> Result<(), Error>;
}

/// A language model.
#[async_trait]
pub trait ChatModel: Send + Sync + 'static {
    /// Begins a reply. Dropping the stream ends the work, at the provider too.
    async fn reply(
        &self,
        model: &str,
        turns: Vec<Turn>,
        sampling: Sampling,
    ) -> Result<BoxStream<'static, Result<Delta, ProviderError>>, ProviderError>;
}

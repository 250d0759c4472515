//! The rows of a reply, written in the transaction of its generation: a message is never there without its generation.

use async_trait::async_trait;
use atelier_generation::store::Projection;
use atelier_generation::{End, GenerationRecord, NewGeneration, Refusal};
use atelier_kit::fault::Fault;
use atelier_kit::moment;
use atelier_kit::sqlite::Writer;
use atelier_proto::generation::v1::State;
use atelier_proto::llm_chat::v1::Role;
use prost::Message as _;

use crate::error::Error;
use crate::task::{Of, Task};

/// Writes messages with their generations.
#[derive(Clone, Copy, Debug)]
pub struct ReplyRows {
    title: fn(&str) -> String,
}

impl ReplyRows {
    /// A conversation without a title gets one from its first message by this rule.
    pub fn new(title: fn(&str) -> String) -> Self {
        Self { title }
    }
}

#[async_trait]
impl Projection for ReplyRows {
    async fn created(&self, writer: &mut Writer, new: &NewGeneration) -> Result<(), Refusal> {
        let task = Task::decode(&new.task).map_err(|error| Fault::internal(&error))?;
        let Of::Message {
            conversation_id,
            message_id,
            reply_id,
            text,
        } = task.of
        else {
            return Ok(());
        };
        let known: Option<(i64, String)> = sqlx::query_as(
            "SELECT message_count, title FROM conversations WHERE id = $1 AND owner = $2",
        )
        .bind(&conversation_id)
        .bind(&new.owner)
        .fetch_optional(&mut *writer)
        .await?;
        let (count, title) = known.ok_or_else(|| Fault::from(Error::NoConversation))?;
        let (busy,): (i64,) = sqlx::query_as(
            "SELECT COUNT(*) FROM messages WHERE conversation_id = $1 AND state IN ($2, $3)",
        )
        .bind(&conversation_id)
        .bind(i32::from(State::Queued))
        .bind(i32::from(State::Running))
        .fetch_one(&mut *writer)
        .await?;
        if busy > 0 {
            return Err(Fault::from(Error::ReplyInProgress).into());
        }
        let now = moment::now();
        let insert = "INSERT INTO messages (id, conversation_id, position, role, text, state, generation_id, provider, \
             model, create_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        sqlx::query(insert)
            .bind(&message_id)
            .bind(&conversation_id)
            .bind(count + 1)
            .bind(i32::from(Role::User))
            .bind(&text)
            .bind(0)
            .bind(None::<String>)
            .bind("")
            .bind("")
            .bind(now)
            .execute(&mut *writer)
            .await?;
        sqlx::query(insert)
            .bind(&reply_id)
            .bind(&conversation_id)
            .bind(count + 2)
            .bind(i32::from(Role::Assistant))
            .bind("")
            .bind(i32::from(State::Queued))
            .bind(Some(&new.id))
            .bind(&new.provider)
            .bind(&new.model)
            .bind(now)
            .execute(&mut *writer)
            .await?;
        let title = if title.is_empty() {
            (self.title)(&text)
        } else {
            title
        };
        sqlx::query("UPDATE conversations SET message_count = $1, title = $2, update_time = $3 WHERE id = $4")
            .bind(count + 2)
            .bind(title)
            .bind(now)
            .bind(&conversation_id)
            .execute(&mut *writer)
            .await?;
        Ok(())
    }

    async fn ended(
        &self,
        writer: &mut Writer,
        record: &GenerationRecord,
        end: &End,
    ) -> Result<(), sqlx::Error> {
        let ended: Option<(String,)> = sqlx::query_as(
            "UPDATE messages SET text = $1, state = $2, usage = $3, provider = $5, model = $6 WHERE generation_id = $4 \
             RETURNING conversation_id",
        )
        .bind(&end.snapshot.text)
        .bind(i32::from(end.state))
        .bind(end.snapshot.usage.map(|usage| usage.encode_to_vec()))
        .bind(&record.id)
        .bind(&record.provider)
        .bind(&record.model)
        .fetch_optional(&mut *writer)
        .await?;
        if let Some((conversation_id,)) = ended {
            sqlx::query("UPDATE conversations SET update_time = $1 WHERE id = $2")
                .bind(moment::now())
                .bind(conversation_id)
                .execute(&mut *writer)
                .await?;
        }
        Ok(())
    }
}

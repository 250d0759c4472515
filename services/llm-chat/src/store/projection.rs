//! The rows of a reply, written in the transaction of its generation: a message is never there without its generation.

use std::collections::HashMap;

use async_trait::async_trait;
use atelier_generation::store::Projection;
use atelier_generation::{End, GenerationRecord, NewGeneration, Refusal};
use atelier_kit::fault::Fault;
use atelier_kit::moment::{self, Micros};
use atelier_kit::sql::{self, QueryBuilder, Writer};
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

/// A message and the reply to it, as they are about to be.
struct Exchange<'a> {
    new: &'a NewGeneration,
    conversation_id: String,
    message_id: String,
    reply_id: String,
    text: String,
}

/// What of these belongs to a conversation.
fn exchanges<'a>(new: &[&'a NewGeneration]) -> Result<Vec<Exchange<'a>>, Refusal> {
    let mut exchanges = Vec::with_capacity(new.len());
    for new in new {
        let task = Task::decode(&new.task).map_err(|error| Fault::internal(&error))?;
        if let Of::Message {
            conversation_id,
            message_id,
            reply_id,
            text,
        } = task.of
        {
            exchanges.push(Exchange {
                new,
                conversation_id,
                message_id,
                reply_id,
                text,
            });
        }
    }
    Ok(exchanges)
}

#[async_trait]
impl Projection for ReplyRows {
    async fn created(&self, writer: &mut Writer, new: &NewGeneration) -> Result<(), Refusal> {
        self.all_created(writer, &[new]).await
    }

    async fn ended(
        &self,
        writer: &mut Writer,
        record: &GenerationRecord,
        end: &End,
    ) -> Result<(), sqlx::Error> {
        self.all_ended(writer, &[(record.clone(), end)]).await
    }

    async fn all_created(
        &self,
        writer: &mut Writer,
        new: &[&NewGeneration],
    ) -> Result<(), Refusal> {
        let exchanges = exchanges(new)?;
        if exchanges.is_empty() {
            return Ok(());
        }
        let now = moment::now();
        let counts = self.lengthen(writer, &exchanges, now).await?;
        let positions = |exchange: &Exchange<'_>| counts.get(&exchange.conversation_id).copied();
        if let Some(refused) = exchanges.iter().find(|one| positions(one).is_none()) {
            return Err(why(writer, refused).await?.into());
        }
        QueryBuilder::new(
            "INSERT INTO messages (id, conversation_id, position, role, text, state, generation_id, provider, model, \
             create_time) ",
        )
        .push_values(
            exchanges.iter().flat_map(|one| [(one, false), (one, true)]),
            |mut row, (one, is_reply)| {
                let last = positions(one).unwrap_or_default();
                if is_reply {
                    row.push_bind(&one.reply_id)
                        .push_bind(&one.conversation_id)
                        .push_bind(last)
                        .push_bind(i32::from(Role::Assistant))
                        .push_bind("")
                        .push_bind(i32::from(State::Queued))
                        .push_bind(Some(&one.new.id))
                        .push_bind(&one.new.provider)
                        .push_bind(&one.new.model);
                } else {
                    row.push_bind(&one.message_id)
                        .push_bind(&one.conversation_id)
                        .push_bind(last - 1)
                        .push_bind(i32::from(Role::User))
                        .push_bind(&one.text)
                        .push_bind(0)
                        .push_bind(None::<&String>)
                        .push_bind("")
                        .push_bind("");
                }
                row.push_bind(now);
            },
        )
        .build()
        .execute(writer)
        .await?;
        Ok(())
    }

    async fn all_ended(
        &self,
        writer: &mut Writer,
        ended: &[(GenerationRecord, &End)],
    ) -> Result<(), sqlx::Error> {
        let replies: Vec<(String,)> = QueryBuilder::new(
            "WITH ends (of, text, state, usage, provider, model) AS (",
        )
        .push_values(ended, |mut row, (record, end)| {
            row.push_bind(&record.id)
                .push_bind(&end.snapshot.text)
                .push_bind(i32::from(end.state))
                .push_bind(end.snapshot.usage.map(|usage| usage.encode_to_vec()))
                .push_bind(&record.provider)
                .push_bind(&record.model);
        })
        .push(
            ") UPDATE messages SET text = ends.text, state = ends.state, usage = ends.usage, provider = ends.provider, \
             model = ends.model FROM ends WHERE messages.generation_id = ends.of RETURNING conversation_id",
        )
        .build_query_as()
        .fetch_all(&mut *writer)
        .await?;
        if replies.is_empty() {
            return Ok(());
        }
        let mut query = QueryBuilder::new("UPDATE conversations SET update_time = ");
        query.push_bind(moment::now()).push(" WHERE id IN ");
        query
            .push_tuples(replies, |mut row, (conversation_id,)| {
                row.push_bind(conversation_id);
            })
            .build()
            .execute(writer)
            .await
            .map(drop)
    }
}

impl ReplyRows {
    /// Makes room for a message and its reply at the end of each conversation that is its owner's and waits for no reply; returns
    /// how long those are then.
    async fn lengthen(
        &self,
        writer: &mut Writer,
        exchanges: &[Exchange<'_>],
        now: Micros,
    ) -> Result<HashMap<String, i64>, sqlx::Error> {
        let mut query = QueryBuilder::new("WITH messages_of (of, whose, named) AS (");
        query.push_values(exchanges, |mut row, one| {
            row.push_bind(&one.conversation_id)
                .push_bind(&one.new.owner)
                .push_bind((self.title)(&one.text));
        });
        query.push(
            ") UPDATE conversations SET message_count = message_count + 2, \
             title = CASE WHEN title = '' THEN messages_of.named ELSE title END, update_time = ",
        );
        query.push_bind(now);
        // No other message than the last can be a reply that has not ended.
        query.push(
            " FROM messages_of WHERE conversations.id = messages_of.of AND owner = messages_of.whose \
             AND NOT EXISTS (SELECT 1 FROM messages WHERE conversation_id = conversations.id \
             AND position = conversations.message_count AND state IN (",
        );
        query.push(i32::from(State::Queued)).push(", ");
        query
            .push(i32::from(State::Running))
            .push(")) RETURNING conversations.id, message_count");
        let longer: Vec<(String, i64)> = query.build_query_as().fetch_all(writer).await?;
        Ok(longer.into_iter().collect())
    }
}

/// Why there is no room for this one.
async fn why(writer: &mut Writer, refused: &Exchange<'_>) -> Result<Fault, sqlx::Error> {
    let there: Option<(i64,)> =
        sql::query_as("SELECT 1 FROM conversations WHERE id = $1 AND owner = $2")
            .bind(&refused.conversation_id)
            .bind(&refused.new.owner)
            .fetch_optional(writer)
            .await?;
    Ok(Fault::from(match there {
        Some(_) => Error::ReplyInProgress,
        None => Error::NoConversation,
    }))
}

//! Conversations in SQLite.

use async_trait::async_trait;
use atelier_kit::moment::{self, Micros};
use atelier_kit::sql::{self, Cells, Database};
use atelier_proto::generation::v1::{State, Usage};
use atelier_proto::llm_chat::v1::Role;
use prost::Message as _;
use sqlx::AssertSqlSafe;

use crate::conversation::{Conversation, Message, NewConversation, Speaker, Turn};
use crate::error::Error;
use crate::ports::ConversationStore;

/// Keeps conversations in one SQLite file.
#[derive(Clone, Debug)]
pub struct SqlConversationStore {
    database: Database,
}

impl SqlConversationStore {
    /// Conversations in this file; it must have this service's tables.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

const CONVERSATION: &str =
    "id, title, model, system_prompt, message_count, create_time, update_time";
const MESSAGE: &str = "id, conversation_id, position, role, text, state, generation_id, provider, model, usage, \
     create_time";

impl<'r, R: sqlx::Row + Cells> sqlx::FromRow<'r, R> for Conversation {
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.cell("id")?,
            title: row.cell("title")?,
            model: row.cell("model")?,
            system_prompt: row.cell("system_prompt")?,
            message_count: row.cell("message_count")?,
            create_time: row.cell("create_time")?,
            update_time: row.cell("update_time")?,
        })
    }
}

impl<'r, R: sqlx::Row + Cells> sqlx::FromRow<'r, R> for Message {
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let usage: Option<Vec<u8>> = row.cell("usage")?;
        Ok(Self {
            id: row.cell("id")?,
            conversation_id: row.cell("conversation_id")?,
            position: row.cell("position")?,
            speaker: speaker(row.cell("role")?),
            text: row.cell("text")?,
            state: State::try_from(row.cell::<i32>("state")?).unwrap_or(State::Unspecified),
            generation_id: row.cell("generation_id")?,
            provider: row.cell("provider")?,
            model: row.cell("model")?,
            usage: usage
                .map(|usage| Usage::decode(usage.as_slice()))
                .transpose()
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            create_time: row.cell("create_time")?,
        })
    }
}

fn speaker(role: i32) -> Speaker {
    match Role::try_from(role) {
        Ok(Role::Assistant) => Speaker::Assistant,
        Ok(Role::System) => Speaker::System,
        _ => Speaker::User,
    }
}

fn one(what: &str, rest: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT {what} {rest}"))
}

#[async_trait]
impl ConversationStore for SqlConversationStore {
    async fn insert(&self, new: &NewConversation) -> Result<Conversation, Error> {
        let mut tx = self.database.begin().await?;
        if atelier_generation::store::has_departed(&mut tx, &new.owner).await? {
            return Err(atelier_generation::Error::Departed.into());
        }
        if let Some(request_id) = &new.request_id {
            let known: Option<(String, Vec<u8>)> = sql::query_as(
                "SELECT id, digest FROM conversations WHERE owner = $1 AND request_id = $2",
            )
            .bind(&new.owner)
            .bind(request_id)
            .fetch_optional(&mut *tx)
            .await?;
            if let Some((id, digest)) = known {
                if digest != new.digest {
                    return Err(Error::RequestIdReused);
                }
                let conversation =
                    sql::query_as(one(CONVERSATION, "FROM conversations WHERE id = $1"))
                        .bind(id)
                        .fetch_one(&mut *tx)
                        .await?;
                return Ok(conversation);
            }
        }
        let now = moment::now();
        sql::query(
            "INSERT INTO conversations (id, owner, request_id, digest, title, model, system_prompt, create_time, \
             update_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        )
        .bind(&new.id)
        .bind(&new.owner)
        .bind(&new.request_id)
        .bind(&new.digest)
        .bind(&new.title)
        .bind(&new.model)
        .bind(&new.system_prompt)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.find(&new.owner, &new.id).await
    }

    async fn find(&self, owner: &str, id: &str) -> Result<Conversation, Error> {
        sql::query_as(one(
            CONVERSATION,
            "FROM conversations WHERE id = $1 AND owner = $2",
        ))
        .bind(id)
        .bind(owner)
        .fetch_optional(self.database.read())
        .await?
        .ok_or(Error::NoConversation)
    }

    async fn list(
        &self,
        owner: &str,
        before: Option<(Micros, String)>,
        limit: i64,
    ) -> Result<Vec<Conversation>, Error> {
        let (time, id) = before.unwrap_or((Micros::MAX, String::new()));
        let rows = sql::query_as(one(
            CONVERSATION,
            "FROM conversations WHERE owner = $1 AND (update_time, id) < ($2, $3) \
             ORDER BY update_time DESC, id DESC LIMIT $4",
        ))
        .bind(owner)
        .bind(time)
        .bind(id)
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        Ok(rows)
    }

    async fn by_id(
        &self,
        owner: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Conversation>, Error> {
        let rows = sql::query_as(one(
            CONVERSATION,
            "FROM conversations WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3",
        ))
        .bind(owner)
        .bind(after)
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        Ok(rows)
    }

    async fn rename(&self, owner: &str, id: &str, title: &str) -> Result<Conversation, Error> {
        let mut tx = self.database.begin().await?;
        sql::query(
            "UPDATE conversations SET title = $1, update_time = $2 WHERE id = $3 AND owner = $4",
        )
        .bind(title)
        .bind(moment::now())
        .bind(id)
        .bind(owner)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.find(owner, id).await
    }

    async fn delete(&self, owner: &str, id: &str) -> Result<Option<String>, Error> {
        let mut tx = self.database.begin().await?;
        let generations: Vec<(String, i32)> = sql::query_as(
            "SELECT generation_id, state FROM messages WHERE generation_id IS NOT NULL AND conversation_id = \
             (SELECT id FROM conversations WHERE id = $1 AND owner = $2)",
        )
        .bind(id)
        .bind(owner)
        .fetch_all(&mut *tx)
        .await?;
        for (generation, state) in generations {
            if matches!(State::try_from(state), Ok(State::Queued | State::Running)) {
                return Ok(Some(generation));
            }
            atelier_generation::store::erase(&mut tx, &generation).await?;
        }
        let done = sql::query("DELETE FROM conversations WHERE id = $1 AND owner = $2")
            .bind(id)
            .bind(owner)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(Error::NoConversation);
        }
        tx.commit().await?;
        Ok(None)
    }

    async fn messages(
        &self,
        conversation_id: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Message>, Error> {
        let rows = sql::query_as(one(
            MESSAGE,
            "FROM messages WHERE conversation_id = $1 AND position > $2 ORDER BY position LIMIT $3",
        ))
        .bind(conversation_id)
        .bind(after)
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        Ok(rows)
    }

    async fn before(&self, reply_id: &str, limit: i64) -> Result<(String, Vec<Turn>), Error> {
        // One question, since each costs as much as a reply's whole way through the mesh.
        let rows: Vec<(String, Option<i32>, Option<String>)> = sql::query_as(
            "SELECT c.system_prompt, m.role, m.text FROM messages r JOIN conversations c ON c.id = r.conversation_id \
             LEFT JOIN messages m ON m.conversation_id = r.conversation_id AND m.position < r.position \
             WHERE r.id = $1 ORDER BY m.position DESC LIMIT $2",
        )
        .bind(reply_id)
        .bind(limit)
        .fetch_all(self.database.read())
        .await?;
        let mut system_prompt = None;
        let mut turns = Vec::with_capacity(rows.len());
        for (prompt, role, text) in rows {
            system_prompt = Some(prompt);
            if let (Some(role), Some(text)) = (role, text) {
                let speaker = speaker(role);
                turns.push(Turn { speaker, text });
            }
        }
        turns.reverse();
        Ok((system_prompt.ok_or(Error::NoConversation)?, turns))
    }

    async fn erase_messages(&self, owner: &str, limit: i64) -> Result<Vec<Option<String>>, Error> {
        let mut tx = self.database.begin().await?;
        let page: Vec<(String, Option<String>)> = sql::query_as(
            "SELECT m.id, m.generation_id FROM conversations c JOIN messages m ON m.conversation_id = c.id \
             WHERE c.owner = $1 LIMIT $2",
        )
        .bind(owner)
        .bind(limit)
        .fetch_all(&mut *tx)
        .await?;
        for (id, generation) in &page {
            sql::query("DELETE FROM messages WHERE id = $1")
                .bind(id)
                .execute(&mut *tx)
                .await?;
            if let Some(generation) = generation {
                atelier_generation::store::erase(&mut tx, generation).await?;
            }
        }
        tx.commit().await?;
        Ok(page.into_iter().map(|(_, generation)| generation).collect())
    }

    async fn erase_conversations(&self, owner: &str, limit: i64) -> Result<u64, Error> {
        let mut tx = self.database.begin().await?;
        let done = sql::query(
            "DELETE FROM conversations WHERE id IN (SELECT id FROM conversations WHERE owner = $1 LIMIT $2)",
        )
        .bind(owner)
        .bind(limit)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    async fn write_back(&self) -> Result<(), Error> {
        Ok(self.database.write_back().await?)
    }
}

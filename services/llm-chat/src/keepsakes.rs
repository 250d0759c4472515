//! What is kept of an account: told to whoever takes it along, and erased when the account leaves.

use std::sync::Arc;

use async_trait::async_trait;
use atelier_generation::{GenerationRecord, Generations};
use atelier_kit::fault::Fault;
use atelier_privacy::{Erased, Keepsakes, Parcel, time};
use atelier_proto::generation::v1::Usage;
use serde_json::{Map, Value, json};

use crate::conversation::{Conversation, Message};
use crate::ports::ConversationStore;
use crate::task::{COMPLETE, Of, Task};

/// How many rows are read, or erased, at once.
const PAGE: i64 = 100;

/// The conversations of accounts, and the records of replies that belong to none.
pub struct Conversations {
    pub(crate) store: Arc<dyn ConversationStore>,
    pub(crate) generations: Generations,
}

#[async_trait]
impl Keepsakes for Conversations {
    async fn export(&self, account: &str, parcel: &mut Parcel) -> Result<(), Fault> {
        let mut after = String::new();
        loop {
            let page = self.store.by_id(account, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.id);
            for conversation in &page {
                self.tell(account, conversation, parcel).await?;
            }
        }
        after.clear();
        loop {
            let page = self.generations.records_of(account, &after).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after.clone_from(&last.id);
            // The others are the replies of conversations, which are told already.
            for record in page.iter().filter(|record| record.kind == COMPLETE) {
                let path = format!("completions/{}.json", record.id);
                parcel.json(&path, &completion(record)?).await?;
            }
        }
    }

    async fn erase(&self, account: &str) -> Result<Erased, Fault> {
        self.generations.depart(account).await?;
        let (mut messages, mut conversations) = (0, 0);
        loop {
            let page = self.store.erase_messages(account, PAGE).await?;
            if page.is_empty() {
                break;
            }
            messages += page.len() as u64;
            for generation in page.into_iter().flatten() {
                self.generations.forget_journal(&generation).await;
            }
        }
        loop {
            let erased = self.store.erase_conversations(account, PAGE).await?;
            if erased == 0 {
                break;
            }
            conversations += erased;
        }
        // What is left belongs to no conversation.
        let completions = self.generations.forget_all(account).await?;
        self.store.write_back().await?;
        Ok(Erased::default()
            .erased("conversations", conversations)
            .erased("messages", messages)
            .erased("completions", completions))
    }
}

impl Conversations {
    /// Writes a conversation with its messages.
    async fn tell(
        &self,
        account: &str,
        conversation: &Conversation,
        parcel: &mut Parcel,
    ) -> Result<(), Fault> {
        let mut head = Map::new();
        head.insert("id".to_owned(), json!(conversation.id));
        head.insert("title".to_owned(), json!(conversation.title));
        head.insert("model".to_owned(), json!(conversation.model));
        head.insert(
            "system_prompt".to_owned(),
            json!(conversation.system_prompt),
        );
        head.insert(
            "create_time".to_owned(),
            json!(time(conversation.create_time)),
        );
        head.insert(
            "update_time".to_owned(),
            json!(time(conversation.update_time)),
        );
        let path = format!("conversations/{}.json", conversation.id);
        let mut list = parcel.list(&path, &head, "messages").await?;
        let mut after = 0;
        loop {
            let page = self.store.messages(&conversation.id, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            for mut row in page {
                // What is being made is in its generation, as far as it has come.
                if row.is_in_progress()
                    && let Some(id) = &row.generation_id
                    && let Ok(record) = self.generations.find(account, id).await
                {
                    row.text = record.snapshot.text;
                    row.state = record.state;
                }
                list.element(&message(&row)).await?;
            }
        }
        list.end().await
    }
}

fn message(message: &Message) -> Value {
    json!({
        "id": message.id,
        "role": message.speaker,
        "text": message.text,
        // What somebody said has no state: it was not made.
        "state": message.generation_id.as_ref().map(|_| message.state.as_str_name()),
        "generation_id": message.generation_id,
        "provider": message.provider,
        "model": message.model,
        "usage": message.usage.as_ref().map(usage),
        "create_time": time(message.create_time),
    })
}

/// A reply to messages that came along with the call.
fn completion(record: &GenerationRecord) -> Result<Value, Fault> {
    let task = Task::decode(&record.task).map_err(|error| Fault::internal(&error))?;
    let turns = match task.of {
        Of::Turns(turns) => turns,
        Of::Message { .. } => Vec::new(),
    };
    Ok(json!({
        "id": record.id,
        "messages": turns,
        "reply": record.snapshot.text,
        "state": record.state.as_str_name(),
        "provider": record.provider,
        "model": record.model,
        "usage": record.snapshot.usage.as_ref().map(usage),
        "create_time": time(record.create_time),
        "end_time": record.end_time.map(time),
    }))
}

fn usage(usage: &Usage) -> Value {
    json!({"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens})
}

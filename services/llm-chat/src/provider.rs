//! A reply as the work of a generation: what the model is shown, and what it says.

use std::sync::Arc;

use async_trait::async_trait;
use atelier_generation::{Emitter, Failure, Finish, Job, Provider};
use atelier_proto::generation::v1::{FinishReason, Usage};
use futures_util::StreamExt as _;

use crate::conversation::{Turn, shown};
use crate::model::{Delta, Models};
use crate::ports::ConversationStore;
use crate::task::{Of, Task};
use crate::tokens;

/// How many messages before a reply are read at most.
const HISTORY: i64 = 400;

/// Makes replies.
pub struct ReplyProvider {
    store: Arc<dyn ConversationStore>,
    models: Arc<Models>,
}

impl ReplyProvider {
    /// Replies by these models, to what is in this store.
    pub fn new(store: Arc<dyn ConversationStore>, models: Arc<Models>) -> Self {
        Self { store, models }
    }

    async fn turns(&self, of: Of) -> Result<Vec<Turn>, Failure> {
        match of {
            Of::Turns(turns) => Ok(shown("", turns.into_iter())),
            Of::Message { reply_id, .. } => {
                let (conversation, messages) = self
                    .store
                    .before(&reply_id, HISTORY)
                    .await
                    .map_err(|error| Failure::internal(&error))?;
                let turns = messages.into_iter().map(|message| Turn {
                    speaker: message.speaker,
                    text: message.text,
                });
                Ok(shown(&conversation.system_prompt, turns))
            }
        }
    }
}

#[async_trait]
impl Provider for ReplyProvider {
    async fn run(&self, job: &Job, out: &Emitter) -> Result<Finish, Failure> {
        let task = Task::decode(&job.task).map_err(|error| Failure::internal(&error))?;
        let model = self.models.get(&job.model).ok_or_else(|| {
            Failure::lasting(
                "MODEL_GONE",
                format!("the model {} is not offered any more", job.model),
            )
        })?;
        let turns = self.turns(task.of).await?;
        let read: u32 = turns
            .iter()
            .map(|turn| tokens::count_tokens(&turn.text))
            .sum();
        let mut reply = model
            .adapter
            .reply(&job.model, turns, task.sampling)
            .await?;
        let mut written = String::new();
        let mut usage = None;
        let mut reason = FinishReason::Stop;
        while let Some(delta) = reply.next().await {
            match delta? {
                Delta::Text(text) => {
                    out.text(&text).await?;
                    written.push_str(&text);
                }
                Delta::Usage(told) => usage = Some(told),
                Delta::Finish(told) => reason = told,
            }
        }
        if written.is_empty() && reason != FinishReason::ContentFilter {
            return Err(Failure::passing(
                "UPSTREAM_EMPTY",
                "the model answered with nothing",
            ));
        }
        // A provider that gives no figures is charged by our own count, and the answer says so.
        let usage = usage.unwrap_or_else(|| Usage {
            input_tokens: read.into(),
            output_tokens: tokens::count_tokens(&written).into(),
            estimated: true,
            ..Usage::default()
        });
        Ok(Finish {
            usage,
            reason,
            ..Finish::default()
        })
    }
}

//! A reply as the work of a generation: what the model is shown, and what it says.

use std::sync::Arc;

use async_trait::async_trait;
use atelier_generation::reasons::UPSTREAM_EMPTY;
use atelier_generation::{Emitter, Failure, Finish, Job, Provider, Quote};
use atelier_kit::moment;
use atelier_proto::generation::v1::{FinishReason, Snapshot, Usage};
use atelier_upstream::offers::{begin, quote};
use atelier_upstream::registry::Unit;
use futures_util::StreamExt as _;

use crate::conversation::{Turn, shown};
use crate::model::{Delta, Entry, Models};
use crate::ports::ConversationStore;
use crate::task::{Of, Task};
use crate::tokens;

/// How many messages before a reply are read at most.
const HISTORY: i64 = 400;
/// How many pieces of a reply are told together at most.
const TOGETHER: usize = 256;
/// Text is told when it is this long, however much more has come with it.
const TOLD_BYTES: usize = 16 * 1024;

/// How many tokens a message is more than its text: who speaks, and where it begins and ends.
const AROUND_A_TURN: i64 = 16;

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

    /// The model at whose prices a reply is paid: what was chosen when it was asked for, whoever writes it in the end.
    fn paid(&self, task: &Task, job: &Job) -> Result<Arc<Entry>, Failure> {
        let asked = task.asked.as_ref().unwrap_or(&job.model);
        let choice = self.models.now().choose(asked, job.create_time)?;
        Ok(choice.offer)
    }

    async fn turns(&self, of: Of) -> Result<Vec<Turn>, Failure> {
        match of {
            Of::Turns(turns) => Ok(shown("", turns.into_iter())),
            Of::Message { reply_id, .. } => {
                let (system_prompt, turns) = self
                    .store
                    .before(&reply_id, HISTORY)
                    .await
                    .map_err(|error| Failure::internal(&error))?;
                Ok(shown(&system_prompt, turns.into_iter()))
            }
        }
    }
}

#[async_trait]
impl Provider for ReplyProvider {
    async fn quote(&self, job: &Job) -> Result<Quote, Failure> {
        let task = Task::decode(&job.task).map_err(|error| Failure::internal(&error))?;
        let paid = self.paid(&task, job)?;
        let model = &paid.model;
        let written = task.sampling.paid_as(model).max_tokens.unwrap_or(0);
        let is_read_for_money = model.prices.of(Unit::MillionInputTokens, job.create_time) > 0;
        let worst = Usage {
            // What is read for nothing need not be counted, and a conversation not be read once more for it.
            input_tokens: match is_read_for_money {
                true => most_read(&self.turns(task.of).await?),
                false => 0,
            },
            output_tokens: written.into(),
            ..Usage::default()
        };
        Ok(quote(model, worst, job.create_time))
    }

    async fn run(&self, job: &Job, out: &Emitter) -> Result<Finish, Failure> {
        let task = Task::decode(&job.task).map_err(|error| Failure::internal(&error))?;
        let asked = task.asked.as_ref().unwrap_or(&job.model);
        let choice = self.models.now().choose(asked, moment::now())?;
        let sampling = task.sampling.paid_as(&self.paid(&task, job)?.model);
        let turns = self.turns(task.of).await?;
        let read = read(&turns);
        let ask = |entry: Arc<Entry>| {
            let turns = turns.clone();
            let sampling = sampling.within(&entry.model.limits);
            Some(async move {
                let name = &entry.model.upstream_name;
                entry.adapter.reply(name, turns, sampling).await
            })
        };
        let reply = begin(choice, out, ask, Delta::is_heard).await?.pieces;
        // What has come together is told together: an event for each piece would cost many times as much, and nobody
        // could see a difference.
        let mut reply = reply.ready_chunks(TOGETHER);
        let mut written = String::new();
        let mut usage = None;
        let mut reason = FinishReason::Stop;
        while let Some(deltas) = reply.next().await {
            let mut told = written.len();
            let mut failure = None;
            for delta in deltas {
                match delta {
                    Ok(Delta::Text(text)) => {
                        written.push_str(&text);
                        if written.len() - told >= TOLD_BYTES {
                            out.text(&written[told..]).await?;
                            told = written.len();
                        }
                    }
                    Ok(Delta::Usage(used)) => usage = Some(used),
                    Ok(Delta::Finish(finish)) => reason = finish,
                    Err(error) => failure = Some(error),
                }
            }
            out.text(&written[told..]).await?;
            // After the text that came before it.
            if let Some(error) = failure {
                return Err(error.into());
            }
        }
        if written.is_empty() && reason != FinishReason::ContentFilter {
            return Err(Failure::passing(
                UPSTREAM_EMPTY,
                "the model answered with nothing",
            ));
        }
        // A provider that gives no figures is charged by our own count, and the answer says so.
        let usage = usage.unwrap_or_else(|| counted(read, &written));
        Ok(Finish {
            usage,
            reason,
            ..Finish::default()
        })
    }

    /// The prompt is read as a whole for the first word of a reply; before that nothing is delivered.
    async fn estimate(&self, job: &Job, delivered: &Snapshot) -> Usage {
        if delivered.text.is_empty() {
            return Usage::default();
        }
        let turns = match Task::decode(&job.task) {
            Ok(task) => self.turns(task.of).await,
            Err(error) => Err(Failure::internal(&error)),
        };
        // Where the prompt cannot be read any more, the reply alone is counted.
        counted(read(&turns.unwrap_or_default()), &delivered.text)
    }
}

/// The most tokens that a prompt can have for whatever model: a token is at least a byte of its text.
fn most_read(turns: &[Turn]) -> i64 {
    let most = |turn: &Turn| i64::try_from(turn.text.len()).unwrap_or(i64::MAX / 2);
    turns.iter().fold(0_i64, |sum, turn| {
        sum.saturating_add(most(turn)).saturating_add(AROUND_A_TURN)
    })
}

/// How many tokens a prompt has.
fn read(turns: &[Turn]) -> u32 {
    turns
        .iter()
        .map(|turn| tokens::count_tokens(&turn.text))
        .sum()
}

/// What a reply used, by our own count.
fn counted(read: u32, written: &str) -> Usage {
    Usage {
        input_tokens: read.into(),
        output_tokens: tokens::count_tokens(written).into(),
        estimated: true,
        ..Usage::default()
    }
}

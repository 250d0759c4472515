//! Any OpenAI-compatible API behind the port, over its streaming `chat/completions`; it names no vendor.
//!
//! Source of the shapes: <https://platform.openai.com/docs/api-reference/chat/streaming>.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use atelier_generation::ProviderError;
use atelier_proto::generation::v1::{FinishReason, Usage};
use atelier_upstream::calls::{Caller, Expected, Repeats, Secrets};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};

use super::{Delta, Sampling};
use crate::conversation::{Speaker, Turn};
use crate::ports::ChatModel;

/// The longest event of a stream.
const EVENT_BYTES: usize = 256 << 10;
/// The longest stream: a hundred thousand tokens, each with a few hundred bytes around it.
const STREAM_BYTES: usize = 64 << 20;

/// How long the end of the body is waited for when the end of the reply was told.
const AFTER_DONE: Duration = Duration::from_millis(50);

/// Asks an OpenAI-compatible API.
#[derive(Debug)]
pub struct OpenAiChatModel {
    caller: Caller,
}

impl OpenAiChatModel {
    /// Asks the API of this provider.
    pub fn new(caller: Caller) -> Self {
        Self { caller }
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<Said<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    // Some servers send `null` in the chunk that carries the usage.
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    usage: Option<Used>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Content<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Used {
    prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
}

#[async_trait]
impl ChatModel for OpenAiChatModel {
    async fn reply(
        &self,
        model: &str,
        turns: Vec<Turn>,
        sampling: Sampling,
    ) -> Result<BoxStream<'static, Result<Delta, ProviderError>>, ProviderError> {
        let body = Request {
            model,
            messages: turns
                .iter()
                .map(|turn| Said {
                    role: match turn.speaker {
                        Speaker::System => "system",
                        Speaker::User => "user",
                        Speaker::Assistant => "assistant",
                    },
                    content: &turn.text,
                })
                .collect(),
            stream: true,
            stream_options: StreamOptions {
                include_usage: true,
            },
            temperature: sampling.temperature,
            max_tokens: sampling.max_tokens,
        };
        let answer = self
            .caller
            // A reply that nobody read cost little, and its first word is worth more.
            .post("chat/completions", &body, Repeats::Freely)
            .await?
            .expect(Expected::Events)?;
        let secrets = answer.secrets().clone();
        let events = answer.events(EVENT_BYTES, STREAM_BYTES);
        Ok(deltas(events, secrets).boxed())
    }
}

/// The deltas of a stream of events.
fn deltas(
    events: impl Stream<Item = Result<String, ProviderError>> + Send + 'static,
    secrets: Secrets,
) -> impl Stream<Item = Result<Delta, ProviderError>> + Send {
    async_stream::try_stream! {
        let mut events = std::pin::pin!(events);
        let mut finished = false;
        while let Some(data) = events.next().await {
            let data = data?;
            if data.trim() == "[DONE]" {
                finished = true;
                // The body's own end is seen as well, or its connection could not be used again.
                let _ = tokio::time::timeout(AFTER_DONE, events.next()).await;
                break;
            }
            let chunk: Chunk = serde_json::from_str(&data)
                // The error may repeat a piece of what was said.
                .map_err(|error| ProviderError::Garbled(secrets.quote(&error.to_string())))?;
            if let Some(error) = chunk.error {
                Err(ProviderError::Garbled(secrets.quote(&error.to_string())))?;
            }
            for choice in chunk.choices.unwrap_or_default() {
                if let Some(text) = choice.delta.and_then(|delta| delta.content)
                    && !text.is_empty()
                {
                    yield Delta::Text(text.into_owned());
                }
                if let Some(reason) = choice.finish_reason {
                    finished = true;
                    yield Delta::Finish(match &*reason {
                        "length" => FinishReason::Length,
                        "content_filter" => FinishReason::ContentFilter,
                        _ => FinishReason::Stop,
                    });
                }
            }
            if let Some(used) = chunk.usage {
                yield Delta::Usage(Usage {
                    input_tokens: used.prompt_tokens.unwrap_or(0).max(0),
                    output_tokens: used.completion_tokens.unwrap_or(0).max(0),
                    ..Usage::default()
                });
            }
        }
        if !finished {
            Err(ProviderError::Garbled("the stream ended before the reply did".to_owned()))?;
        }
    }
}

#[cfg(test)]
#[path = "openai_tests.rs"]
mod tests;

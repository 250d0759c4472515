//! Any OpenAI-compatible API behind the port, over its streaming `chat/completions`; it names no vendor.
//!
//! Source of the shapes: <https://platform.openai.com/docs/api-reference/chat/streaming>.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use atelier_generation::ProviderError;
use atelier_kit::outbound::{self, Upstream};
use atelier_proto::generation::v1::{FinishReason, Usage};
use atelier_simulator::Simulator;
use bytes::Bytes;
use eventsource_stream::Eventsource as _;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{Delta, Sampling};
use crate::conversation::{Speaker, Turn};
use crate::ports::ChatModel;

/// The provider's name, told in every answer.
pub const PROVIDER: &str = "openai-compatible";

/// How long the first byte may take: a long prompt is read before anything is said.
const FIRST_BYTE: Duration = Duration::from_secs(120);
/// How long the stream may be silent.
const IDLE: Duration = Duration::from_secs(60);
/// The longest line of a stream, and the longest error body that is read.
const LINE_BYTES: usize = 256 * 1024;

/// Asks an OpenAI-compatible API.
#[derive(Debug)]
pub struct OpenAiChatModel {
    client: reqwest::Client,
    url: String,
    key: Option<SecretString>,
    /// It ends with this.
    _simulator: Option<Arc<Simulator>>,
}

impl OpenAiChatModel {
    /// A client for this API, which may be a simulator: it runs as long as the client is there.
    pub fn new(upstream: &Upstream, simulator: Option<Simulator>) -> Result<Self, reqwest::Error> {
        outbound::crypto();
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            // An API has no reason to send a key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            url: outbound::endpoint(&upstream.url, "chat/completions", upstream.key.as_ref()),
            key: upstream.key.clone(),
            _simulator: simulator.map(Arc::new),
        })
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
struct Chunk {
    // Some servers send `null` in the chunk that carries the usage.
    choices: Option<Vec<Choice>>,
    usage: Option<Used>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    content: Option<String>,
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
        let mut request = self.client.post(&self.url).json(&body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = tokio::time::timeout(FIRST_BYTE, request.send())
            .await
            .map_err(|late| ProviderError::Unreachable(Box::new(late)))?
            // The URL may carry a password.
            .map_err(|error| ProviderError::Unreachable(Box::new(error.without_url())))?;
        let status = response.status();
        if !status.is_success() {
            return Err(refusal(status.as_u16(), response, self.key.as_ref()).await);
        }
        let bytes = response.bytes_stream().map(|chunk| {
            chunk.map_err(|error| ProviderError::Unreachable(Box::new(error.without_url())))
        });
        Ok(deltas(bytes, self.key.clone()).boxed())
    }
}

async fn refusal(
    status: u16,
    response: reqwest::Response,
    key: Option<&SecretString>,
) -> ProviderError {
    if matches!(status, 408 | 409 | 425 | 429 | 500..=599) {
        return ProviderError::Busy(status);
    }
    let mut body = response.bytes_stream();
    let mut text = Vec::new();
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(IDLE, body.next()).await {
        text.extend_from_slice(&chunk[..chunk.len().min(LINE_BYTES - text.len())]);
        if text.len() >= LINE_BYTES {
            break;
        }
    }
    let message = outbound::quote(&String::from_utf8_lossy(&text), key);
    ProviderError::Refused { status, message }
}

/// The deltas of a stream of server-sent events, however it is cut into chunks.
fn deltas(
    bytes: impl Stream<Item = Result<Bytes, ProviderError>> + Send + 'static,
    key: Option<SecretString>,
) -> impl Stream<Item = Result<Delta, ProviderError>> + Send {
    async_stream::try_stream! {
        let mut line = 0;
        let bounded = bytes.map(move |chunk| {
            let chunk = chunk?;
            // The parser keeps a line until it ends; a line without an end must not fill the memory.
            for part in chunk.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
                line += part.len();
                if line > LINE_BYTES {
                    return Err(ProviderError::Garbled("a line is too long".to_owned()));
                }
                if matches!(part.last(), Some(b'\n' | b'\r')) {
                    line = 0;
                }
            }
            Ok(chunk)
        });
        let mut events = Box::pin(bounded.eventsource());
        let mut finished = false;
        loop {
            let next = tokio::time::timeout(IDLE, events.next())
                .await
                .map_err(|late| ProviderError::Unreachable(Box::new(late)))?;
            let Some(event) = next else { break };
            let event = event.map_err(|error| match error {
                eventsource_stream::EventStreamError::Transport(error) => error,
                other => ProviderError::Garbled(other.to_string()),
            })?;
            if event.data.trim() == "[DONE]" {
                finished = true;
                break;
            }
            let chunk: Chunk = serde_json::from_str(&event.data)
                // The error may repeat a piece of what was said.
                .map_err(|error| ProviderError::Garbled(outbound::quote(&error.to_string(), key.as_ref())))?;
            if let Some(error) = chunk.error {
                Err(ProviderError::Garbled(outbound::quote(&error.to_string(), key.as_ref())))?;
            }
            for choice in chunk.choices.unwrap_or_default() {
                if let Some(text) = choice.delta.and_then(|delta| delta.content)
                    && !text.is_empty()
                {
                    yield Delta::Text(text);
                }
                if let Some(reason) = choice.finish_reason {
                    finished = true;
                    yield Delta::Finish(match reason.as_str() {
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

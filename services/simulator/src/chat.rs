//! Chat: `chat/completions`, streamed and whole, and the list of models.
//!
//! Source of the shapes: <https://platform.openai.com/docs/api-reference/chat>.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::fate::{Fate, chance};
use crate::script::Script;
use crate::stats::Visit;
use crate::{Room, whole};

/// What replies are made of. Some are of more than one byte a letter, so that pieces end within a letter.
const WORDS: [&str; 32] = [
    "amber", "boat", "cloud", "dune", "ember", "fjörd", "grove", "harbour", "island", "jasmine",
    "kestrel", "lantern", "meadow", "north", "orchard", "piñata", "quartz", "river", "salt",
    "tide", "umbra", "velvet", "willow", "xenon", "yarrow", "zephyr", "café", "naïve", "東京",
    "🎨", "Ωmega", "straße",
];

#[derive(Deserialize)]
struct Request {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Option<Value>,
}

impl Message {
    /// What it says: a text, or the texts among its parts.
    fn text(&self) -> String {
        match &self.content {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => {
                let texts = parts.iter().filter_map(|part| part["text"].as_str());
                texts.collect::<Vec<_>>().join("\n")
            }
            _ => String::new(),
        }
    }
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// What a reply is made of, and what is counted for it.
struct Reply {
    model: String,
    tokens: Vec<String>,
    finish_reason: &'static str,
    prompt_tokens: usize,
    include_usage: bool,
}

impl Script {
    /// The words of the reply to a text, each with the space before it but the first.
    fn tokens_for(&self, prompt: &str) -> Vec<String> {
        let mut rng = chance(self.seed, &[b"reply", prompt.as_bytes()]);
        let count = rng.u64(self.tokens.clone());
        (0..count)
            .map(|at| {
                let word = rng.choice(WORDS).unwrap_or_default();
                if at == 0 {
                    word.to_owned()
                } else {
                    format!(" {word}")
                }
            })
            .collect()
    }

    /// The whole reply to a conversation whose last message of the user is `prompt`, when no limit of tokens cuts it.
    pub fn reply_to(&self, prompt: &str) -> String {
        self.tokens_for(prompt).concat()
    }
}

impl Reply {
    fn to(request: Request, script: &Script) -> Self {
        let texts: Vec<String> = request.messages.iter().map(Message::text).collect();
        let prompt_tokens = texts
            .iter()
            .map(|text| text.split_whitespace().count())
            .sum();
        let users = request
            .messages
            .iter()
            .rposition(|message| message.role == "user");
        let mut tokens = script.tokens_for(users.map_or("", |at| &texts[at]));
        let most = request.max_completion_tokens.or(request.max_tokens);
        let most = most
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(usize::MAX);
        let finish_reason = if tokens.len() > most {
            "length"
        } else {
            "stop"
        };
        tokens.truncate(most);
        Self {
            model: request.model,
            tokens,
            finish_reason,
            prompt_tokens,
            include_usage: request
                .stream_options
                .is_some_and(|options| options.include_usage),
        }
    }

    fn usage(&self) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.tokens.len(),
            "total_tokens": self.prompt_tokens + self.tokens.len(),
        })
    }

    fn whole(&self, fate: &Fate, visit: Visit) -> Response {
        let answer = json!({
            "id": "chatcmpl-simulated", "object": "chat.completion", "created": 0, "model": self.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": self.tokens.concat()},
                "finish_reason": self.finish_reason,
            }],
            "usage": self.usage(),
        });
        whole(answer.to_string().into(), "application/json", fate, visit)
    }

    fn chunk(&self, delta: &Value, finish_reason: Option<&str>) -> Bytes {
        self.event(
            &json!([{"index": 0, "delta": delta, "finish_reason": finish_reason}]),
            None,
        )
    }

    fn event(&self, choices: &Value, usage: Option<Value>) -> Bytes {
        let mut chunk = json!({
            "id": "chatcmpl-simulated", "object": "chat.completion.chunk", "created": 0, "model": self.model,
            "choices": choices,
        });
        if let Some(usage) = usage {
            chunk["usage"] = usage;
        }
        format!("data: {chunk}\n\n").into()
    }

    /// The events, each in its time.
    fn events(self, pace: f64) -> impl Stream<Item = Bytes> + Send {
        async_stream::stream! {
            yield self.chunk(&json!({"role": "assistant", "content": ""}), None);
            let began = Instant::now();
            for (at, token) in self.tokens.iter().enumerate() {
                if pace > 0.0 {
                    // From the beginning, so that what comes late once does not make all the rest late.
                    sleep_until(began + Duration::from_secs_f64(at as f64 / pace)).await;
                }
                yield self.chunk(&json!({"content": token}), None);
            }
            yield self.chunk(&json!({}), Some(self.finish_reason));
            if self.include_usage {
                yield self.event(&json!([]), Some(self.usage()));
            }
            yield Bytes::from_static(b"data: [DONE]\n\n");
        }
    }
}

pub(crate) async fn complete(State(room): State<Arc<Room>>, request: Bytes) -> Response {
    let (read, fate, visit) = match room.receive::<Request>(&request).await {
        Ok(received) => received,
        Err(refused) => return refused,
    };
    let (script, streamed) = (room.fates.script(), read.stream);
    let reply = Reply::to(read, script);
    if !streamed {
        return reply.whole(&fate, visit);
    }
    let pieces = fate.befall(reply.events(script.tokens_per_second), visit);
    let mut response = Body::from_stream(pieces).into_response();
    let stream = HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, stream);
    response
}

#[derive(Serialize)]
pub(crate) struct Listing {
    object: &'static str,
    data: [Listed; 1],
}

#[derive(Serialize)]
struct Listed {
    id: &'static str,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

/// One model; any other name is answered too.
pub(crate) async fn models() -> Json<Listing> {
    Json(Listing {
        object: "list",
        data: [Listed {
            id: "simulated",
            object: "model",
            created: 0,
            owned_by: "simulator",
        }],
    })
}

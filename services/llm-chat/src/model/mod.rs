//! The models: what they are called, and the adapters behind them.

pub mod offline;
mod openai;
mod speaking;

use std::collections::HashMap;
use std::sync::Arc;

use atelier_generation::Failure;
use atelier_kit::service::StartError;
use atelier_proto::generation::v1::{FinishReason, Usage};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::ports::ChatModel;

/// How a reply is to be made. What is not set is left to the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// How freely to choose words: 0 to 2.
    pub temperature: Option<f64>,
    /// The longest reply in tokens.
    pub max_tokens: Option<u32>,
}

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// More text.
    Text(String),
    /// What the provider says it used.
    Usage(Usage),
    /// Why it ended.
    Finish(FinishReason),
}

/// Why a model gave no reply, or broke one off.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It cannot be reached, or did not answer in time.
    #[error("the provider cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is busy, or its limit is reached.
    #[error("the provider is busy (HTTP {0})")]
    Busy(u16),
    /// It refused the request, the key or the model.
    #[error("the provider refused the request (HTTP {status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said, cut short.
        message: String,
    },
    /// It said something that cannot be understood.
    #[error("the provider's answer cannot be understood: {0}")]
    Garbled(String),
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        tracing::warn!(error = %atelier_kit::fault::chain(&error), "a model failed");
        match error {
            ModelError::Unreachable(_) => Failure::passing(
                "UPSTREAM_UNAVAILABLE",
                "the model's provider cannot be reached",
            ),
            ModelError::Busy(_) => {
                Failure::passing("UPSTREAM_BUSY", "the model's provider is busy")
            }
            ModelError::Refused { status, .. } => Failure::lasting(
                "UPSTREAM_REFUSED",
                format!("the model's provider refused the request (HTTP {status})"),
            ),
            ModelError::Garbled(_) => Failure::passing(
                "UPSTREAM_GARBLED",
                "the model's provider gave an answer that makes no sense",
            ),
        }
    }
}

/// A model that can be asked.
pub struct Entry {
    /// The id to ask for.
    pub id: String,
    /// The provider that runs it.
    pub provider: &'static str,
    /// A sentence about it.
    pub description: String,
    /// Who answers.
    pub adapter: Arc<dyn ChatModel>,
}

/// All models that can be asked, the default first.
pub struct Catalogue {
    entries: Vec<Entry>,
    by_id: HashMap<String, usize>,
}

impl Catalogue {
    /// The first entry becomes the default; there must be one.
    fn new(entries: Vec<Entry>) -> Self {
        let by_id = entries
            .iter()
            .enumerate()
            .map(|(at, entry)| (entry.id.clone(), at))
            .collect();
        Self { entries, by_id }
    }

    /// A model by its id; the empty id is the default.
    pub fn get(&self, id: &str) -> Option<&Entry> {
        if id.is_empty() {
            return self.entries.first();
        }
        self.by_id.get(id).and_then(|at| self.entries.get(*at))
    }

    /// All models, the default first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// For the inventory.
    pub fn describe(&self) -> String {
        let names: Vec<String> = self
            .entries
            .iter()
            .map(|entry| format!("{} ({})", entry.id, entry.provider))
            .collect();
        names.join(", ")
    }
}

/// The models of a configuration: the real ones first where there are any, the built-in one always.
pub fn catalogue(config: &Config) -> Result<Catalogue, StartError> {
    let mut entries = Vec::new();
    if let Some(upstream) = &config.upstream {
        let adapter = Arc::new(
            openai::OpenAiChatModel::new(upstream)
                .map_err(|error| StartError::other("the chat provider's client", error))?,
        );
        for model in &upstream.models {
            entries.push(Entry {
                id: model.clone(),
                provider: openai::PROVIDER,
                description: format!(
                    "{model}, from the OpenAI-compatible API at {}",
                    upstream.url.host_str().unwrap_or_default()
                ),
                adapter: adapter.clone(),
            });
        }
    }
    entries.push(Entry {
        id: speaking::MODEL.to_owned(),
        provider: speaking::PROVIDER,
        description:
            "The built-in offline model: small, deterministic, and no substitute for a real one."
                .to_owned(),
        adapter: Arc::new(speaking::OfflineChatModel::default()),
    });
    Ok(Catalogue::new(entries))
}

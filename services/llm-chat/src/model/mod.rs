//! The models: what they are called, and the adapters behind them.

pub mod offline;
mod openai;
mod speaking;

use std::sync::Arc;

use atelier_generation::{Catalogue, Listed};
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

impl Listed for Entry {
    fn id(&self) -> &str {
        &self.id
    }

    fn provider(&self) -> &str {
        self.provider
    }
}

/// All models that can be asked, the default first.
pub type Models = Catalogue<Entry>;

/// The models of a configuration: the real ones first where there are any, the built-in one always.
pub fn models(config: &Config) -> Result<Models, StartError> {
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

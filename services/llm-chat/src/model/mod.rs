//! The models: what they are called, and the adapters behind them.

pub mod offline;
mod openai;
mod speaking;

use std::sync::Arc;

use atelier_generation::{Catalogue, Listed};
use atelier_kit::service::StartError;
use atelier_proto::generation::v1::{FinishReason, Usage};
use atelier_simulator::Simulator;
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
pub async fn models(config: &Config) -> Result<Models, StartError> {
    let mut entries = Vec::new();
    if let Some(upstream) = &config.upstream {
        let mut upstream = upstream.clone();
        let simulator = Simulator::stand_in(&mut upstream.url)
            .await
            .map_err(|error| StartError::other("the chat simulator", error))?;
        let provider = match simulator {
            Some(_) => atelier_simulator::SCHEME,
            None => openai::PROVIDER,
        };
        let host = upstream.url.host_str().unwrap_or_default();
        let source = match simulator {
            Some(_) => "the simulator".to_owned(),
            None => format!("the OpenAI-compatible API at {host}"),
        };
        let adapter = Arc::new(
            openai::OpenAiChatModel::new(&upstream, simulator)
                .map_err(|error| StartError::other("the chat provider's client", error))?,
        );
        for model in &upstream.models {
            entries.push(Entry {
                id: model.clone(),
                provider,
                description: format!("{model}, from {source}"),
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

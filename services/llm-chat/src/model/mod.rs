//! The models: what they are called, and the adapters behind them.

pub mod offline;
mod openai;
mod speaking;

use std::sync::Arc;

use atelier_kit::service::StartError;
use atelier_proto::generation::v1::{FinishReason, Usage};
use atelier_upstream::calls::Callers;
use atelier_upstream::offers::{Offered, Offers};
use atelier_upstream::registry::{BuiltIn, Limits, Medium, ModelSpec, OFFLINE, Registry};
use serde::{Deserialize, Serialize};

use crate::ports::ChatModel;

/// How a reply is to be made. What is not set is left to the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// How freely to choose words: 0 to 2.
    pub temperature: Option<f64>,
    /// The longest reply in tokens.
    pub max_tokens: Option<u32>,
}

impl Sampling {
    /// The same for a reply at this model's prices: where it costs something it has an end, which is asked for of whoever
    /// writes it.
    #[must_use]
    pub fn paid_as(self, model: &ModelSpec) -> Self {
        match model.limits.output_tokens {
            Some(most) if model.prices.is_priced() => Self {
                max_tokens: Some(self.max_tokens.map_or(most, |tokens| tokens.min(most))),
                ..self
            },
            _ => self,
        }
    }

    /// The same for a model with these limits.
    #[must_use]
    pub fn within(self, limits: &Limits) -> Self {
        let most = limits.output_tokens.unwrap_or(u32::MAX);
        Self {
            max_tokens: self.max_tokens.map(|tokens| tokens.min(most)),
            ..self
        }
    }
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

impl Delta {
    /// Whether its owner hears of it: text, or that the text is withheld.
    pub fn is_heard(&self) -> bool {
        match self {
            Delta::Text(text) => !text.is_empty(),
            Delta::Finish(reason) => *reason == FinishReason::ContentFilter,
            Delta::Usage(_) => false,
        }
    }
}

/// A model that can be asked.
pub struct Entry {
    /// What is known of it.
    pub model: ModelSpec,
    /// Who answers.
    pub adapter: Arc<dyn ChatModel>,
}

impl Offered for Entry {
    fn id(&self) -> &str {
        &self.model.id
    }

    fn model(&self) -> &ModelSpec {
        &self.model
    }
}

/// All models that can be asked.
pub type Models = Offers<Entry>;

/// The model that is built in.
pub fn built_in() -> Vec<BuiltIn> {
    vec![BuiltIn {
        medium: Medium::Chat,
        name: speaking::MODEL,
        voices: Vec::new(),
    }]
}

/// The same as it is offered without a file.
pub fn offline_model() -> ModelSpec {
    ModelSpec::new(
        speaking::MODEL,
        Medium::Chat,
        OFFLINE,
        "The built-in offline model: small, deterministic, and no substitute for a real one.",
    )
}

/// The models of a registry, each with who answers: its provider's caller, or the built-in model where there is none.
pub fn entries(registry: &Registry, callers: &Callers) -> Result<Vec<Entry>, StartError> {
    let entry = |model: &ModelSpec| {
        let adapter: Arc<dyn ChatModel> = match callers.get(&model.provider) {
            Some(caller) => Arc::new(openai::OpenAiChatModel::new(caller)),
            None => Arc::new(speaking::OfflineChatModel::default()),
        };
        Entry {
            model: model.clone(),
            adapter,
        }
    };
    Ok(registry.models.iter().map(entry).collect())
}

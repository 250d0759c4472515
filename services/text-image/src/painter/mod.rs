//! The painters: what they are called, what styles there are, and the adapters behind them.

mod easel;
pub mod offline;
mod openai;

use std::sync::Arc;

use atelier_kit::service::StartError;
use atelier_upstream::calls::Callers;
use atelier_upstream::offers::{Offered, Offers};
use atelier_upstream::registry::{BuiltIn, Medium, ModelSpec, OFFLINE, Registry};

use crate::ports::Painter;

/// A painter that can be asked.
pub struct Entry {
    /// What is known of the model.
    pub model: ModelSpec,
    /// Who paints.
    pub adapter: Arc<dyn Painter>,
}

impl Entry {
    /// Whether a picture of this size can be asked for.
    pub fn takes(&self, width: u32, height: u32) -> bool {
        let (most_width, most_height) = self.largest();
        width <= most_width && height <= most_height
    }

    /// The largest width and height.
    pub fn largest(&self) -> (u32, u32) {
        let limits = &self.model.limits;
        (
            limits.width.unwrap_or(u32::MAX),
            limits.height.unwrap_or(u32::MAX),
        )
    }
}

impl Offered for Entry {
    fn id(&self) -> &str {
        &self.model.id
    }

    fn model(&self) -> &ModelSpec {
        &self.model
    }
}

/// All painters that can be asked.
pub type Studio = Offers<Entry>;

/// The painter that is built in.
pub fn built_in() -> Vec<BuiltIn> {
    vec![BuiltIn {
        medium: Medium::Image,
        name: easel::MODEL,
        voices: Vec::new(),
    }]
}

/// The same as it is offered without a file.
pub fn offline_model() -> ModelSpec {
    ModelSpec::new(
        easel::MODEL,
        Medium::Image,
        OFFLINE,
        "The built-in offline painter.",
    )
}

/// The painters of a registry, each with who paints: its provider's caller, or the built-in painter where there is none.
pub fn entries(registry: &Registry, callers: &Callers) -> Result<Vec<Entry>, StartError> {
    let entry = |model: &ModelSpec| {
        let adapter: Arc<dyn Painter> = match callers.get(&model.provider) {
            Some(caller) => Arc::new(openai::OpenAiPainter::new(caller)),
            None => Arc::new(easel::OfflinePainter),
        };
        Entry {
            model: model.clone(),
            adapter,
        }
    };
    Ok(registry.models.iter().map(entry).collect())
}

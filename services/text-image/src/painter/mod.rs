//! The painters: what they are called, what styles there are, and the adapters behind them.

mod easel;
pub mod offline;
mod openai;

use std::collections::HashMap;
use std::sync::Arc;

use atelier_generation::Failure;
use atelier_kit::service::StartError;

use crate::config::Config;
use crate::ports::Painter;

/// Why a painter gave no picture.
#[derive(Debug, thiserror::Error)]
pub enum PainterError {
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
    /// It gave something that is no picture.
    #[error("the provider's answer is no picture: {0}")]
    Garbled(String),
    /// The built-in painter broke off.
    #[error("the built-in painter broke off: {0}")]
    Broken(String),
}

impl From<PainterError> for Failure {
    fn from(error: PainterError) -> Self {
        tracing::warn!(error = %atelier_kit::fault::chain(&error), "a painter failed");
        match error {
            PainterError::Unreachable(_) => Failure::passing(
                "UPSTREAM_UNAVAILABLE",
                "the painter's provider cannot be reached",
            ),
            PainterError::Busy(_) => {
                Failure::passing("UPSTREAM_BUSY", "the painter's provider is busy")
            }
            PainterError::Refused { status, .. } => Failure::lasting(
                "UPSTREAM_REFUSED",
                format!("the painter's provider refused the request (HTTP {status})"),
            ),
            PainterError::Garbled(_) => Failure::passing(
                "UPSTREAM_GARBLED",
                "the painter's provider gave something that is no picture",
            ),
            PainterError::Broken(_) => Failure::passing("INTERNAL", "the painter broke off"),
        }
    }
}

/// A painter that can be asked.
pub struct Entry {
    /// The model's id.
    pub id: String,
    /// The provider that runs it.
    pub provider: &'static str,
    /// Who paints.
    pub adapter: Arc<dyn Painter>,
}

/// All painters that can be asked, the default first.
pub struct Studio {
    entries: Vec<Entry>,
    by_id: HashMap<String, usize>,
}

impl Studio {
    fn new(entries: Vec<Entry>) -> Self {
        let by_id = entries
            .iter()
            .enumerate()
            .map(|(at, entry)| (entry.id.clone(), at))
            .collect();
        Self { entries, by_id }
    }

    /// A painter by its model's id; the empty id is the default.
    pub fn get(&self, id: &str) -> Option<&Entry> {
        if id.is_empty() {
            return self.entries.first();
        }
        self.by_id.get(id).and_then(|at| self.entries.get(*at))
    }

    /// All painters, the default first.
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

/// The painters of a configuration: the real ones first where there are any, the built-in one always.
pub fn studio(config: &Config) -> Result<Studio, StartError> {
    let mut entries = Vec::new();
    if let Some(upstream) = &config.upstream {
        let adapter = Arc::new(
            openai::OpenAiPainter::new(upstream)
                .map_err(|error| StartError::other("the image provider's client", error))?,
        );
        for model in &upstream.models {
            entries.push(Entry {
                id: model.clone(),
                provider: openai::PROVIDER,
                adapter: adapter.clone(),
            });
        }
    }
    entries.push(Entry {
        id: easel::MODEL.to_owned(),
        provider: easel::PROVIDER,
        adapter: Arc::new(easel::OfflinePainter),
    });
    Ok(Studio::new(entries))
}

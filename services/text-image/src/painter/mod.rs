//! The painters: what they are called, what styles there are, and the adapters behind them.

mod easel;
pub mod offline;
mod openai;

use std::sync::Arc;

use atelier_generation::{Catalogue, Listed};
use atelier_kit::service::StartError;
use atelier_simulator::Simulator;

use crate::config::Config;
use crate::ports::Painter;

/// A painter that can be asked.
pub struct Entry {
    /// The model's id.
    pub id: String,
    /// The provider that runs it.
    pub provider: &'static str,
    /// Who paints.
    pub adapter: Arc<dyn Painter>,
}

impl Listed for Entry {
    fn id(&self) -> &str {
        &self.id
    }

    fn provider(&self) -> &str {
        self.provider
    }
}

/// All painters that can be asked, the default first.
pub type Studio = Catalogue<Entry>;

/// The painters of a configuration: the real ones first where there are any, the built-in one always.
pub async fn studio(config: &Config) -> Result<Studio, StartError> {
    let mut entries = Vec::new();
    if let Some(upstream) = &config.upstream {
        let mut upstream = upstream.clone();
        let simulator = Simulator::stand_in(&mut upstream.url)
            .await
            .map_err(|error| StartError::other("the image simulator", error))?;
        let provider = match simulator {
            Some(_) => atelier_simulator::SCHEME,
            None => openai::PROVIDER,
        };
        let adapter = Arc::new(
            openai::OpenAiPainter::new(&upstream, simulator)
                .map_err(|error| StartError::other("the image provider's client", error))?,
        );
        for model in &upstream.models {
            entries.push(Entry {
                id: model.clone(),
                provider,
                adapter: adapter.clone(),
            });
        }
    }
    entries.push(Entry {
        id: easel::MODEL.to_owned(),
        provider: easel::PROVIDER,
        adapter: Arc::new(easel::OfflinePainter),
    });
    Ok(Catalogue::new(entries))
}

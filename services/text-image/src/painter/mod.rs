//! The painters: what they are called, what styles there are, and the adapters behind them.

mod easel;
pub mod offline;
mod openai;

use std::sync::Arc;

use atelier_generation::Quote;
use atelier_kit::moment::Micros;
use atelier_kit::service::StartError;
use atelier_proto::generation::v1::Usage;
use atelier_upstream::calls::Callers;
use atelier_upstream::offers::{Offered, Offers, quote};
use atelier_upstream::registry::{BuiltIn, Medium, ModelSpec, OFFLINE, Registry};

use crate::image::Commission;
use crate::ports::Painter;

/// The tokens of a prompt beyond its text.
const AROUND_A_PROMPT: i64 = 16;
/// A token of a picture is at least so many of its pixels: half of what the finest known have.
const PIXELS_A_TOKEN: i64 = 128;
/// An API may have no picture as small as was asked for, and makes one of so many pixels.
const FEWEST_PIXELS: i64 = 1024 * 1536;

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

    /// The most that a picture can cost at this model's prices, as they are at this time.
    pub fn quote(&self, commission: &Commission, at: Micros) -> Quote {
        let pixels = i64::from(commission.width) * i64::from(commission.height);
        // A token is at least a byte of the text.
        let bytes = i64::try_from(openai::prompt(commission).len()).unwrap_or(i64::MAX / 2);
        let worst = Usage {
            images: 1,
            input_tokens: bytes + AROUND_A_PROMPT,
            output_tokens: pixels.max(FEWEST_PIXELS) / PIXELS_A_TOKEN,
            ..Usage::default()
        };
        quote(&self.model, worst, at)
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

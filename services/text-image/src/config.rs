//! The settings of this service.

use atelier_generation::Owners;
use atelier_kit::config::{Setting, Settings};
use atelier_kit::outbound::Upstream;
use atelier_simulator::Script;
use atelier_upstream::offers::{self, Supply};
use atelier_upstream::registry::{Medium, ModelSpec};

use crate::painter;

/// Where a real painter is.
pub const IMAGE_URL: Setting = Setting::new(
    "ATELIER_IMAGE_URL",
    "",
    "The base URL of an OpenAI-compatible API for pictures, as in `https://api.openai.com/v1`, or `simulator://` for \
     one that ships; without it the built-in offline painter paints.",
);
/// Its key.
pub const IMAGE_API_KEY: Setting = Setting::new(
    "ATELIER_IMAGE_API_KEY",
    "",
    "The API's key; sent as `authorization: Bearer …`.",
);
/// Its models.
pub const IMAGE_MODELS: Setting = Setting::new(
    "ATELIER_IMAGE_MODELS",
    "",
    "The models to offer from it, divided by commas; the first becomes the default.",
);
/// How many pictures are made at once.
pub const IMAGE_AT_ONCE: Setting = Setting::new(
    "ATELIER_IMAGE_AT_ONCE",
    "",
    "How many pictures are made at once; by default as many as there are cores. More wait for their turn.",
);
/// All settings of this service.
pub const SETTINGS: &[Setting] = &[IMAGE_URL, IMAGE_API_KEY, IMAGE_MODELS, IMAGE_AT_ONCE];

/// How the service is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is offered.
    pub supply: Supply,
    /// How many pictures are made at once.
    pub at_once: usize,
    /// What one account may have of that.
    pub owners: Owners,
}

impl Config {
    /// Reads the settings of this service.
    pub fn read(settings: &Settings) -> Self {
        let instead = [&IMAGE_URL, &IMAGE_MODELS];
        let supply = Supply::read(settings, Medium::Image, painter::built_in(), &instead)
            .unwrap_or_else(|| variables(settings));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let at_once = settings
            .number(&IMAGE_AT_ONCE, 1..=10_000)
            .and_then(|at_once| usize::try_from(at_once).ok())
            .unwrap_or(cores);
        Self {
            supply,
            at_once,
            owners: Owners::read(settings),
        }
    }
}

/// What is offered without a file: an API where one is set, and the built-in painter.
fn variables(settings: &Settings) -> Supply {
    let api = Upstream::read(
        settings,
        &IMAGE_URL,
        &IMAGE_API_KEY,
        &IMAGE_MODELS,
        atelier_simulator::SCHEME,
    );
    if let Some(api) = &api
        && let Err(error) = Script::check(&api.url)
    {
        settings.problem(&IMAGE_URL, &error.to_string());
    }
    let mut models = Vec::new();
    let provider = api.map(|api| {
        let (name, source) = offers::named(&api.url);
        models.extend(
            api.models
                .iter()
                .map(|id| ModelSpec::new(id, Medium::Image, name, format!("{id}, from {source}"))),
        );
        offers::provider(name, api.url, api.key, &IMAGE_API_KEY, Medium::Image)
    });
    models.push(painter::offline_model());
    Supply::fixed(provider, models)
}

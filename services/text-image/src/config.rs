//! The settings of this service.

use atelier_kit::config::{Setting, Settings};
use atelier_kit::outbound::Upstream;
use atelier_simulator::Script;

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
    /// A real API, where one is set.
    pub upstream: Option<Upstream>,
    /// How many pictures are made at once.
    pub at_once: usize,
}

impl Config {
    /// Reads the settings of this service.
    pub fn read(settings: &Settings) -> Self {
        let upstream = Upstream::read(
            settings,
            &IMAGE_URL,
            &IMAGE_API_KEY,
            &IMAGE_MODELS,
            atelier_simulator::SCHEME,
        );
        if let Some(upstream) = &upstream
            && let Err(error) = Script::check(&upstream.url)
        {
            settings.problem(&IMAGE_URL, &error.to_string());
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let at_once = settings
            .number(&IMAGE_AT_ONCE, 1..=10_000)
            .and_then(|at_once| usize::try_from(at_once).ok())
            .unwrap_or(cores);
        Self { upstream, at_once }
    }
}

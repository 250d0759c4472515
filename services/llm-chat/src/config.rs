//! The settings of this service.

use atelier_kit::config::{Setting, Settings};
use atelier_kit::outbound::Upstream;
use atelier_simulator::Script;

/// Where a real model is.
pub const CHAT_URL: Setting = Setting::new(
    "ATELIER_CHAT_URL",
    "",
    "The base URL of an OpenAI-compatible API for chat, as in `https://api.openai.com/v1`, or `simulator://` for one \
     that ships; without it the built-in offline model answers.",
);
/// Its key.
pub const CHAT_API_KEY: Setting = Setting::new(
    "ATELIER_CHAT_API_KEY",
    "",
    "The API's key; sent as `authorization: Bearer …`.",
);
/// Its models.
pub const CHAT_MODELS: Setting = Setting::new(
    "ATELIER_CHAT_MODELS",
    "",
    "The models to offer from it, divided by commas; the first becomes the default.",
);
/// How many replies are made at once.
pub const CHAT_AT_ONCE: Setting = Setting::new(
    "ATELIER_CHAT_AT_ONCE",
    "256",
    "How many replies are made at once; more wait for their turn.",
);
/// All settings of this service.
pub const SETTINGS: &[Setting] = &[CHAT_URL, CHAT_API_KEY, CHAT_MODELS, CHAT_AT_ONCE];

/// How the service is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// A real API, where one is set.
    pub upstream: Option<Upstream>,
    /// How many replies are made at once.
    pub at_once: usize,
}

impl Config {
    /// Reads the settings of this service.
    pub fn read(settings: &Settings) -> Self {
        let upstream = Upstream::read(
            settings,
            &CHAT_URL,
            &CHAT_API_KEY,
            &CHAT_MODELS,
            atelier_simulator::SCHEME,
        );
        if let Some(upstream) = &upstream
            && let Err(error) = Script::check(&upstream.url)
        {
            settings.problem(&CHAT_URL, &error.to_string());
        }
        let at_once = settings.number(&CHAT_AT_ONCE, 1..=100_000).unwrap_or(256);
        Self {
            upstream,
            at_once: usize::try_from(at_once).unwrap_or(256),
        }
    }
}

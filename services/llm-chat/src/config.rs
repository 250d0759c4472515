//! The settings of this service.

use atelier_kit::config::{Setting, Settings};
use secrecy::SecretString;
use url::Url;

/// Where a real model is.
pub const CHAT_URL: Setting = Setting::new(
    "ATELIER_CHAT_URL",
    "",
    "The base URL of an OpenAI-compatible API for chat, as in `https://api.openai.com/v1`; without it the built-in \
     offline model answers.",
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

/// An OpenAI-compatible API.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The base URL.
    pub url: Url,
    /// The key, where one is needed.
    pub key: Option<SecretString>,
    /// The models to offer.
    pub models: Vec<String>,
}

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
        let models = settings.list(&CHAT_MODELS);
        let upstream = settings.url(&CHAT_URL).map(|url| Upstream {
            url,
            key: settings.secret(&CHAT_API_KEY),
            models: models.clone(),
        });
        if upstream.is_some() && models.is_empty() {
            settings.problem(
                &CHAT_MODELS,
                "must name at least one model of ATELIER_CHAT_URL",
            );
        }
        if upstream.is_none() && !models.is_empty() {
            settings.problem(&CHAT_MODELS, "needs ATELIER_CHAT_URL");
        }
        let at_once = settings.number(&CHAT_AT_ONCE, 1..=100_000).unwrap_or(256);
        Self {
            upstream,
            at_once: usize::try_from(at_once).unwrap_or(256),
        }
    }
}

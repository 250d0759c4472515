//! The settings of this service.

use atelier_generation::Owners;
use atelier_kit::config::{Setting, Settings};
use atelier_kit::outbound::Upstream;
use atelier_simulator::Script;
use atelier_upstream::offers::{self, Supply};
use atelier_upstream::registry::{Medium, ModelSpec};

use crate::model;

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
    /// What is offered.
    pub supply: Supply,
    /// How many replies are made at once.
    pub at_once: usize,
    /// What one account may have of that.
    pub owners: Owners,
}

impl Config {
    /// Reads the settings of this service.
    pub fn read(settings: &Settings) -> Self {
        let instead = [&CHAT_URL, &CHAT_MODELS];
        let supply = Supply::read(settings, Medium::Chat, model::built_in(), &instead)
            .unwrap_or_else(|| variables(settings));
        let at_once = settings.number(&CHAT_AT_ONCE, 1..=100_000).unwrap_or(256);
        Self {
            supply,
            at_once: usize::try_from(at_once).unwrap_or(256),
            owners: Owners::read(settings),
        }
    }
}

/// What is offered without a file: an API where one is set, and the built-in model.
fn variables(settings: &Settings) -> Supply {
    let api = Upstream::read(
        settings,
        &CHAT_URL,
        &CHAT_API_KEY,
        &CHAT_MODELS,
        atelier_simulator::SCHEME,
    );
    if let Some(api) = &api
        && let Err(error) = Script::check(&api.url)
    {
        settings.problem(&CHAT_URL, &error.to_string());
    }
    let mut models = Vec::new();
    let provider = api.map(|api| {
        let (name, source) = offers::named(&api.url);
        models.extend(
            api.models
                .iter()
                .map(|id| ModelSpec::new(id, Medium::Chat, name, format!("{id}, from {source}"))),
        );
        offers::provider(name, api.url, api.key, &CHAT_API_KEY, Medium::Chat)
    });
    models.push(model::offline_model());
    Supply::fixed(provider, models)
}

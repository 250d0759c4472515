//! The registry of models: which there are, who runs them and on which terms, in domain words.

mod document;
mod fields;
mod figures;
mod keys;
mod life;
mod parts;
mod price_lists;
#[cfg(test)]
mod price_tests;
mod prices;
mod problem;
mod providers;
mod references;
#[cfg(test)]
mod tests;

use std::time::Duration;

use atelier_kit::config::Setting;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub use document::{BuiltIn, Reading, Surroundings, read};
pub use keys::Seen;
pub use life::{Life, Stage, day};
pub use prices::{Price, PriceList, Prices, Unit};
pub use problem::{Problem, Problems};

/// The file of the registry.
pub const MODELS: Setting = Setting::new(
    "ATELIER_MODELS",
    "",
    "The registry of models, a TOML file that says which are offered from whom and on which terms (docs/models.md); it is \
     read again when it changes. With it, the file is the whole truth, and the URLs of the media are left unset.",
);

/// The name of the provider that is built in.
pub const OFFLINE: &str = "offline";

/// What is offered, and by whom.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// Who runs models, in the order of the file.
    pub providers: Vec<ProviderSpec>,
    /// The models, in the order of the file; the first of a medium is its default.
    pub models: Vec<ModelSpec>,
}

impl Registry {
    /// The provider of a name; one that is built in is known only where the file says something of it.
    pub fn provider(&self, name: &str) -> Option<&ProviderSpec> {
        self.providers.iter().find(|spec| spec.name == name)
    }

    /// The model of an id.
    pub fn model(&self, id: &str) -> Option<&ModelSpec> {
        self.models.iter().find(|model| model.id == id)
    }

    /// What there is of one medium, and who runs it.
    #[must_use]
    pub fn of(mut self, medium: Medium) -> Self {
        self.models.retain(|model| model.medium == medium);
        let models = &self.models;
        self.providers
            .retain(|spec| models.iter().any(|model| model.provider == spec.name));
        self
    }
}

/// Somebody who runs models behind an OpenAI-compatible API.
#[derive(Clone, Debug)]
pub struct ProviderSpec {
    /// Its name, told in every answer.
    pub name: String,
    /// Its base URLs; equal ones, between which each call chooses. At least one; `simulator://` is one too. None for
    /// the provider that is built in.
    pub endpoints: Vec<Url>,
    /// Its keys, used in turn; none where none is needed.
    pub keys: Vec<Key>,
    /// How many generations work at it at the same time; more wait for their turn. The service's own bound without one.
    pub at_once: Option<usize>,
    /// How long things may take.
    pub timeouts: Timeouts,
}

impl PartialEq for ProviderSpec {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.endpoints, &self.keys) == (&other.name, &other.endpoints, &other.keys)
            && (self.at_once, self.timeouts) == (other.at_once, other.timeouts)
    }
}

/// A key and where it comes from.
#[derive(Clone, Debug)]
pub struct Key {
    /// The name of the variable or of the file that holds it: what may be told of it.
    pub source: String,
    /// The key.
    pub secret: SecretString,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        // Both are the operator's own: nobody else can measure how long this takes.
        self.source == other.source && self.secret.expose_secret() == other.secret.expose_secret()
    }
}

/// How long the parts of a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the first byte of the answer.
    pub first_byte: Duration,
    /// The longest silence within the answer.
    pub idle: Duration,
    /// All of it.
    pub total: Duration,
}

/// What a model makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Text.
    Chat,
    /// Pictures.
    Image,
    /// Speech.
    Speech,
}

impl Medium {
    /// All of them.
    pub const ALL: [Medium; 3] = [Medium::Chat, Medium::Image, Medium::Speech];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Medium::Chat => "chat",
            Medium::Image => "image",
            Medium::Speech => "speech",
        }
    }
}

/// A model that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSpec {
    /// The id to ask for.
    pub id: String,
    /// What it makes.
    pub medium: Medium,
    /// Who runs it: the name of a [`ProviderSpec`], or of the provider that is built in.
    pub provider: String,
    /// What the provider calls it.
    pub upstream_name: String,
    /// A sentence about it.
    pub description: String,
    /// For speech: the voices to offer; at least one.
    pub voices: Vec<VoiceSpec>,
    /// For speech: the names of the formats it can be asked in; empty where it is not said.
    pub formats: Vec<String>,
    /// The ids of the models to ask in its place, in this order, when its provider gives nothing.
    pub fallbacks: Vec<String>,
    /// What it costs, and will cost.
    pub prices: Prices,
    /// What it can take.
    pub limits: Limits,
    /// What it can do, in the words of the file.
    pub capabilities: Vec<String>,
    /// Where it is in its life.
    pub life: Life,
}

impl ModelSpec {
    /// A model of which nothing more is known.
    pub fn new(id: &str, medium: Medium, provider: &str, description: impl Into<String>) -> Self {
        Self {
            id: id.to_owned(),
            medium,
            provider: provider.to_owned(),
            upstream_name: id.to_owned(),
            description: description.into(),
            voices: Vec::new(),
            formats: Vec::new(),
            fallbacks: Vec::new(),
            prices: Prices::default(),
            limits: Limits::default(),
            capabilities: Vec::new(),
            life: Life::default(),
        }
    }
}

/// A voice of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceSpec {
    /// The id to ask for; no other voice has it.
    pub id: String,
    /// What the provider calls it.
    pub upstream_name: String,
    /// A name for people, where there is another.
    pub title: Option<String>,
    /// The language it speaks, as a BCP 47 tag, where it is known.
    pub language: Option<String>,
}

impl VoiceSpec {
    /// A voice of which only the name is known.
    pub fn new(name: &str) -> Self {
        Self {
            id: name.to_owned(),
            upstream_name: name.to_owned(),
            title: None,
            language: None,
        }
    }
}

/// What a model can take, where it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most tokens of a conversation and its reply together.
    pub context_tokens: Option<u32>,
    /// The most tokens of a reply.
    pub output_tokens: Option<u32>,
    /// The most characters of a text to be spoken.
    pub input_characters: Option<u32>,
    /// The largest width of a picture in pixels.
    pub width: Option<u32>,
    /// The largest height of a picture in pixels.
    pub height: Option<u32>,
}

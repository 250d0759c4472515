//! The settings of this service.

use atelier_generation::Owners;
use atelier_kit::config::{Setting, Settings};
use atelier_simulator::Script;
use atelier_upstream::offers::{self, Supply};
use atelier_upstream::registry::{Medium, ModelSpec, VoiceSpec};

use crate::voice::{self, offline};

/// Where real voices are.
pub const SPEECH_URL: Setting = Setting::new(
    "ATELIER_SPEECH_URL",
    "",
    "The base URL of an OpenAI-compatible API for speech, as in `https://api.openai.com/v1`, or `simulator://` for \
     one that ships; the built-in offline voices speak beside it, and alone without it.",
);
/// Its key.
pub const SPEECH_API_KEY: Setting = Setting::new(
    "ATELIER_SPEECH_API_KEY",
    "",
    "The API's key; sent as `authorization: Bearer …`.",
);
/// Its model.
pub const SPEECH_MODEL: Setting = Setting::new(
    "ATELIER_SPEECH_MODEL",
    "",
    "The model that speaks there, as the API names it.",
);
/// Its voices.
pub const SPEECH_VOICES: Setting = Setting::new(
    "ATELIER_SPEECH_VOICES",
    "",
    "The voices to offer from it, divided by commas; the first becomes the default.",
);
/// How many texts are spoken at once.
pub const SPEECH_AT_ONCE: Setting = Setting::new(
    "ATELIER_SPEECH_AT_ONCE",
    "",
    "How many texts are spoken at once; by default as many as there are cores. More wait for their turn.",
);
/// All settings of this service.
pub const SETTINGS: &[Setting] = &[
    SPEECH_URL,
    SPEECH_API_KEY,
    SPEECH_MODEL,
    SPEECH_VOICES,
    SPEECH_AT_ONCE,
];

/// The longest id of a voice.
const VOICE_BYTES: usize = 64;

/// How the service is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// What is offered.
    pub supply: Supply,
    /// How many texts are spoken at once.
    pub at_once: usize,
    /// What one account may have of that.
    pub owners: Owners,
}

impl Config {
    /// Reads the settings of this service.
    pub fn read(settings: &Settings) -> Self {
        let instead = [&SPEECH_URL, &SPEECH_MODEL, &SPEECH_VOICES];
        let supply = Supply::read(settings, Medium::Speech, voice::built_in(), &instead)
            .unwrap_or_else(|| variables(settings));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let at_once = settings
            .number(&SPEECH_AT_ONCE, 1..=10_000)
            .and_then(|at_once| usize::try_from(at_once).ok())
            .unwrap_or(cores);
        Self {
            supply,
            at_once,
            owners: Owners::read(settings),
        }
    }
}

/// What is offered without a file: an API where one is set, and the built-in voices.
fn variables(settings: &Settings) -> Supply {
    let voices = settings.list(&SPEECH_VOICES);
    let model = settings.text(&SPEECH_MODEL);
    check_voices(settings, &voices);
    let url = settings.url_or(&SPEECH_URL, Some(atelier_simulator::SCHEME));
    if let Some(url) = &url
        && let Err(error) = Script::check(url)
    {
        settings.problem(&SPEECH_URL, &error.to_string());
    }
    if url.is_none() {
        for (setting, is_set) in [
            (&SPEECH_MODEL, model.is_some()),
            (&SPEECH_VOICES, !voices.is_empty()),
        ] {
            if is_set {
                settings.problem(setting, "needs ATELIER_SPEECH_URL");
            }
        }
    } else {
        if model.is_none() {
            settings.problem(&SPEECH_MODEL, "must name a model of ATELIER_SPEECH_URL");
        }
        if voices.is_empty() {
            settings.problem(
                &SPEECH_VOICES,
                "must name at least one voice of ATELIER_SPEECH_URL",
            );
        }
    }
    let mut models = Vec::new();
    let provider = url.zip(model).map(|(url, model)| {
        let (name, source) = offers::named(&url);
        models.push(ModelSpec {
            voices: voices.iter().map(|voice| VoiceSpec::new(voice)).collect(),
            ..ModelSpec::new(
                &model,
                Medium::Speech,
                name,
                format!("{model}, from {source}"),
            )
        });
        let key = settings.secret(&SPEECH_API_KEY);
        offers::provider(name, url, key, &SPEECH_API_KEY, Medium::Speech)
    });
    models.push(voice::offline_model());
    Supply::fixed(provider, models)
}

/// A voice is asked for by its name alone, so that every name must be one voice.
fn check_voices(settings: &Settings, voices: &[String]) {
    for (at, voice) in voices.iter().enumerate() {
        if voice.len() > VOICE_BYTES {
            settings.problem(
                &SPEECH_VOICES,
                &format!("a name may have at most {VOICE_BYTES} bytes"),
            );
        }
        if voices[..at].contains(voice) {
            settings.problem(&SPEECH_VOICES, &format!("{voice:?} is named twice"));
        }
        if offline::catalogue()
            .iter()
            .any(|built_in| built_in.id == voice)
        {
            settings.problem(
                &SPEECH_VOICES,
                &format!("{voice:?} is the name of a built-in voice"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let settings = Settings::new(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        );
        let config = Config::read(&settings);
        let declared: Vec<&Setting> = SETTINGS.iter().collect();
        settings
            .finish(&declared)
            .map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn nothing_set_is_the_offline_voices_alone() {
        let config = read(&[]).unwrap();
        let registry = &config.supply.registry;
        assert!(registry.providers.is_empty());
        assert_eq!(registry.models.len(), 1);
        assert!(config.at_once >= 1);
    }

    #[test]
    fn an_api_needs_a_model_and_voices_with_names_of_their_own() {
        let url = ("ATELIER_SPEECH_URL", "https://speech.example/v1");
        let model = ("ATELIER_SPEECH_MODEL", "tts-1");
        let voices = |names| ("ATELIER_SPEECH_VOICES", names);
        let config = read(&[url, model, voices("alloy, nova")]).unwrap();
        let first = &config.supply.registry.models[0];
        assert_eq!((first.id.as_str(), first.voices.len()), ("tts-1", 2));
        for (pairs, problem) in [
            (
                vec![url, voices("alloy")],
                "ATELIER_SPEECH_MODEL: must name",
            ),
            (vec![url, model], "ATELIER_SPEECH_VOICES: must name"),
            (vec![model], "ATELIER_SPEECH_MODEL: needs"),
            (vec![voices("alloy")], "ATELIER_SPEECH_VOICES: needs"),
            (vec![url, model, voices("alloy,alloy")], "named twice"),
            (vec![url, model, voices("kal")], "built-in voice"),
            (
                vec![("ATELIER_SPEECH_AT_ONCE", "0")],
                "ATELIER_SPEECH_AT_ONCE: 0 is not within",
            ),
        ] {
            let error = read(&pairs).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}

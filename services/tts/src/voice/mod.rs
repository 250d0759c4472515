//! The voices: what they are called, and the adapters behind them.

pub mod offline;
mod openai;
mod pace;
mod received;
mod speaking;

use std::sync::Arc;

pub use pace::{longest_millis, usual_millis};

use atelier_generation::ProviderError;
use atelier_kit::service::StartError;
use atelier_upstream::calls::Caller;
use atelier_upstream::calls::Callers;
use atelier_upstream::offers::{Offered, Offers};
use atelier_upstream::registry::{BuiltIn, Medium, ModelSpec, OFFLINE, Registry, VoiceSpec};
use bytes::BytesMut;

use crate::audio::AudioFormat;
use crate::conversion::{Order, format_of};
use crate::ports::Voice;

/// The model of the built-in voices.
const ENGINE: &str = "flite";

/// The largest audio file that is made. The longest text at the slowest pace needs half of it in plain PCM, unless it
/// is one of thousands of figures or signs, each read as a word.
pub(crate) const MAX_AUDIO_BYTES: usize = 64 << 20;

/// The audio is larger than what is kept.
fn too_large() -> ProviderError {
    ProviderError::Unfit {
        reason: "AUDIO_TOO_LARGE",
        message: format!("the audio is larger than {MAX_AUDIO_BYTES} bytes"),
    }
}

/// Appends to a file in the making, within its bound.
fn append(file: &mut BytesMut, bytes: &[u8]) -> Result<(), ProviderError> {
    if bytes.len() > MAX_AUDIO_BYTES.saturating_sub(file.len()) {
        return Err(too_large());
    }
    file.extend_from_slice(bytes);
    Ok(())
}

/// A voice that can be asked for.
pub struct Entry {
    /// What is known of it.
    pub voice: VoiceSpec,
    /// A name for people.
    pub title: String,
    /// The language it speaks, as a BCP 47 tag; `mul` when it speaks several.
    pub language: String,
    /// What is known of the model behind it.
    pub model: ModelSpec,
    /// The sample rate in hertz; 0 when only the provider knows.
    pub sample_rate: u32,
    /// The formats it can be asked in.
    pub formats: Vec<AudioFormat>,
    /// Whether it can be asked to speak higher or lower.
    pub has_pitch: bool,
    /// Who speaks.
    pub adapter: Arc<dyn Voice>,
}

impl Entry {
    /// The order as this voice takes it; `None` where it cannot.
    pub fn takes(&self, order: &Order) -> Option<Order> {
        let most = self.model.limits.input_characters.unwrap_or(u32::MAX);
        let is_short = order.text.chars().count() <= usize::try_from(most).unwrap_or(usize::MAX);
        let fits = is_short
            && self.formats.contains(&order.format)
            && (self.has_pitch || order.pitch == 1.0);
        fits.then(|| Order {
            voice: self.voice.upstream_name.clone(),
            ..order.clone()
        })
    }
}

impl Offered for Entry {
    fn id(&self) -> &str {
        &self.voice.id
    }

    fn model(&self) -> &ModelSpec {
        &self.model
    }

    fn resembles(&self, other: &Self) -> bool {
        self.voice.upstream_name == other.voice.upstream_name
    }
}

/// All voices that can be asked for.
pub type Voices = Offers<Entry>;

/// The voices that are built in.
pub fn built_in() -> Vec<BuiltIn> {
    vec![BuiltIn {
        medium: Medium::Speech,
        name: ENGINE,
        voices: offline::catalogue().iter().map(|voice| voice.id).collect(),
    }]
}

/// The same as they are offered without a file.
pub fn offline_model() -> ModelSpec {
    ModelSpec {
        voices: offline::catalogue()
            .iter()
            .map(|voice| VoiceSpec::new(voice.id))
            .collect(),
        ..ModelSpec::new(
            ENGINE,
            Medium::Speech,
            OFFLINE,
            "The built-in offline voices.",
        )
    }
}

/// The voices of a registry, each with who speaks: its provider's caller, or the built-in voices where there is none.
pub fn entries(registry: &Registry, callers: &Callers) -> Result<Vec<Entry>, StartError> {
    let mut built_in = None;
    let mut entries = Vec::new();
    for model in &registry.models {
        let caller = callers.get(&model.provider);
        let adapter: Arc<dyn Voice> = match (&caller, &built_in) {
            (Some(caller), _) => Arc::new(openai::OpenAiVoice::new(
                caller.clone(),
                model.upstream_name.clone(),
            )),
            (None, Some(adapter)) => Arc::clone(adapter),
            (None, None) => {
                let made = speaking::OfflineVoice::new()
                    .map_err(|error| StartError::other("the built-in voices", error))?;
                let made: Arc<dyn Voice> = Arc::new(made);
                built_in = Some(made.clone());
                made
            }
        };
        let formats = formats(model, caller.as_ref().is_some_and(Caller::is_simulated));
        for voice in &model.voices {
            let known = offline::catalogue()
                .iter()
                .find(|known| caller.is_none() && known.id == voice.upstream_name);
            let title = known.map_or(&*voice.id, |known| known.title);
            let language = known.map_or("mul", |known| known.language);
            entries.push(Entry {
                title: voice.title.as_deref().unwrap_or(title).to_owned(),
                language: voice.language.as_deref().unwrap_or(language).to_owned(),
                sample_rate: known.map_or(0, |known| known.sample_rate),
                formats: formats.clone(),
                has_pitch: known.is_some(),
                voice: voice.clone(),
                model: model.clone(),
                adapter: adapter.clone(),
            });
        }
    }
    Ok(entries)
}

/// The formats of a model: those that the registry says, or all that there are.
fn formats(model: &ModelSpec, is_simulated: bool) -> Vec<AudioFormat> {
    let said = model.formats.iter().filter_map(|name| format_of(name));
    let said: Vec<AudioFormat> = said.collect();
    match (said.is_empty(), is_simulated) {
        (false, _) => said,
        // The simulator has no other.
        (true, true) => vec![AudioFormat::Wav],
        (true, false) => vec![AudioFormat::Wav, AudioFormat::Flac],
    }
}

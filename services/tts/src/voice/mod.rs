//! The voices: what they are called, and the adapters behind them.

pub mod offline;
mod openai;
mod received;
mod speaking;

use std::collections::HashMap;
use std::sync::Arc;

use atelier_generation::Failure;
use atelier_kit::service::StartError;
use bytes::BytesMut;

use crate::audio::AudioFormat;
use crate::config::Config;
use crate::ports::Voice;

/// The largest audio file that is made. The longest text at the slowest pace needs half of it in plain PCM, unless it
/// is one of thousands of figures or signs, each read as a word.
pub(crate) const MAX_AUDIO_BYTES: usize = 64 << 20;

/// Why a voice did not speak, or broke off.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// The provider cannot be reached, or did not answer in time.
    #[error("the provider cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The provider is busy, or its limit is reached.
    #[error("the provider is busy (HTTP {0})")]
    Busy(u16),
    /// The provider refused the request, the key, the model or the voice.
    #[error("the provider refused the request (HTTP {status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said, cut short.
        message: String,
    },
    /// The provider sent something that is not the audio that was asked for.
    #[error("the provider's answer cannot be used: {0}")]
    Garbled(String),
    /// The audio is larger than what is kept.
    #[error("the audio is larger than {MAX_AUDIO_BYTES} bytes")]
    TooLarge,
    /// The text has nothing that this voice can read.
    #[error("the text has nothing that this voice can say")]
    NothingToSay,
    /// An engine of ours failed.
    #[error("a built-in voice failed")]
    Inside(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<SpeechError> for Failure {
    fn from(error: SpeechError) -> Self {
        if let SpeechError::Inside(_) = &error {
            return Failure::internal(&error);
        }
        tracing::warn!(error = %atelier_kit::fault::chain(&error), "a voice failed");
        match error {
            SpeechError::Unreachable(_) => Failure::passing(
                "UPSTREAM_UNAVAILABLE",
                "the voice's provider cannot be reached",
            ),
            SpeechError::Busy(_) => {
                Failure::passing("UPSTREAM_BUSY", "the voice's provider is busy")
            }
            SpeechError::Refused { status, .. } => Failure::lasting(
                "UPSTREAM_REFUSED",
                format!("the voice's provider refused the request (HTTP {status})"),
            ),
            SpeechError::Garbled(_) => Failure::passing(
                "UPSTREAM_GARBLED",
                "the voice's provider sent no audio that can be used",
            ),
            SpeechError::TooLarge => Failure::lasting(
                "AUDIO_TOO_LARGE",
                "the audio is larger than what can be kept",
            ),
            SpeechError::NothingToSay => Failure::lasting(
                "NOTHING_TO_SAY",
                "the text has nothing that this voice can read",
            ),
            SpeechError::Inside(_) => Failure::internal(&error),
        }
    }
}

/// Appends to a file in the making, within its bound.
fn append(file: &mut BytesMut, bytes: &[u8]) -> Result<(), SpeechError> {
    if bytes.len() > MAX_AUDIO_BYTES.saturating_sub(file.len()) {
        return Err(SpeechError::TooLarge);
    }
    file.extend_from_slice(bytes);
    Ok(())
}

/// A voice that can be asked for.
pub struct Entry {
    /// The id to ask for.
    pub id: String,
    /// A name for people.
    pub title: String,
    /// The language it speaks, as a BCP 47 tag; `mul` when it speaks several.
    pub language: String,
    /// The provider that runs it.
    pub provider: &'static str,
    /// The model behind it.
    pub model: String,
    /// The sample rate in hertz; 0 when only the provider knows.
    pub sample_rate: u32,
    /// The formats it can be asked in.
    pub formats: &'static [AudioFormat],
    /// Whether it can be asked to speak higher or lower.
    pub has_pitch: bool,
    /// Who speaks.
    pub adapter: Arc<dyn Voice>,
}

/// All voices that can be asked for, the default first.
pub struct Catalogue {
    entries: Vec<Entry>,
    by_id: HashMap<String, usize>,
}

impl Catalogue {
    /// The first entry becomes the default; there must be one.
    fn new(entries: Vec<Entry>) -> Self {
        let by_id = entries
            .iter()
            .enumerate()
            .map(|(at, entry)| (entry.id.clone(), at))
            .collect();
        Self { entries, by_id }
    }

    /// A voice by its id; the empty id is the default.
    pub fn get(&self, id: &str) -> Option<&Entry> {
        if id.is_empty() {
            return self.entries.first();
        }
        self.by_id.get(id).and_then(|at| self.entries.get(*at))
    }

    /// All voices, the default first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// For the inventory.
    pub fn describe(&self) -> String {
        let names: Vec<String> = self
            .entries
            .iter()
            .map(|entry| format!("{} ({})", entry.id, entry.provider))
            .collect();
        names.join(", ")
    }
}

/// The voices of a configuration: the real ones first where there are any, the built-in ones always.
pub fn catalogue(config: &Config) -> Result<Catalogue, StartError> {
    const FORMATS: &[AudioFormat] = &[AudioFormat::Wav, AudioFormat::Flac];
    let mut entries = Vec::new();
    if let Some(upstream) = &config.upstream {
        let adapter = Arc::new(
            openai::OpenAiVoice::new(upstream)
                .map_err(|error| StartError::other("the speech provider's client", error))?,
        );
        for voice in &upstream.voices {
            entries.push(Entry {
                id: voice.clone(),
                title: voice.clone(),
                language: "mul".to_owned(),
                provider: openai::PROVIDER,
                model: upstream.model.clone(),
                sample_rate: 0,
                formats: FORMATS,
                has_pitch: false,
                adapter: adapter.clone(),
            });
        }
    }
    let adapter = Arc::new(
        speaking::OfflineVoice::new()
            .map_err(|error| StartError::other("the built-in voices", error))?,
    );
    for voice in offline::catalogue() {
        entries.push(Entry {
            id: voice.id.to_owned(),
            title: voice.title.to_owned(),
            language: voice.language.to_owned(),
            provider: speaking::PROVIDER,
            model: voice.engine.to_owned(),
            sample_rate: voice.sample_rate,
            formats: FORMATS,
            has_pitch: true,
            adapter: adapter.clone(),
        });
    }
    Ok(Catalogue::new(entries))
}

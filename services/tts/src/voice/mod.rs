//! The voices: what they are called, and the adapters behind them.

pub mod offline;
mod openai;
mod received;
mod speaking;

use std::sync::Arc;

use atelier_generation::{Catalogue, Listed, ProviderError};
use atelier_kit::service::StartError;
use atelier_simulator::Simulator;
use bytes::BytesMut;

use crate::audio::AudioFormat;
use crate::config::Config;
use crate::ports::Voice;

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

impl Listed for Entry {
    fn id(&self) -> &str {
        &self.id
    }

    fn provider(&self) -> &str {
        self.provider
    }
}

/// All voices that can be asked for, the default first.
pub type Voices = Catalogue<Entry>;

/// The voices of a configuration: the real ones first where there are any, the built-in ones always.
pub async fn voices(config: &Config) -> Result<Voices, StartError> {
    const FORMATS: &[AudioFormat] = &[AudioFormat::Wav, AudioFormat::Flac];
    let mut entries = Vec::new();
    if let Some(upstream) = &config.upstream {
        let mut upstream = upstream.clone();
        let simulator = Simulator::stand_in(&mut upstream.url)
            .await
            .map_err(|error| StartError::other("the speech simulator", error))?;
        let (provider, formats): (_, &[AudioFormat]) = match simulator {
            Some(_) => (atelier_simulator::SCHEME, &[AudioFormat::Wav]),
            None => (openai::PROVIDER, FORMATS),
        };
        let adapter = Arc::new(
            openai::OpenAiVoice::new(&upstream, simulator)
                .map_err(|error| StartError::other("the speech provider's client", error))?,
        );
        for voice in &upstream.voices {
            entries.push(Entry {
                id: voice.clone(),
                title: voice.clone(),
                language: "mul".to_owned(),
                provider,
                model: upstream.model.clone(),
                sample_rate: 0,
                formats,
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

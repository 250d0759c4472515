//! Voices that need no network: text in, mono 16-bit samples out, sentence by sentence; no thread, file or socket is
//! used, so callers decide where the work runs.
//!
//! Only English is offered. SVOX Pico, which speaks five more languages under a free licence, writes past the end of a
//! buffer in every utterance; it may not be linked into a process that also keeps accounts.

mod catalogue;
mod flite;
mod prosody;
mod reading;
mod sentences;
mod symbols;

use std::ops::ControlFlow;

pub use catalogue::{VoiceInfo, catalogue};
use flite::{Flite, Recording};
pub use prosody::Prosody;

/// The longest text that is accepted in one call, in bytes.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Samples handed to the sink at a time: a tenth of a second at 16 kHz.
const CHUNK: usize = 1_600;

/// Why a text was not spoken.
#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    /// No offline voice has this id.
    #[error("there is no offline voice named {0:?}")]
    UnknownVoice(String),
    /// The text holds no letter and no figure that the voice can read.
    #[error("the text has nothing that this voice can say")]
    NothingToSay,
    /// The text is longer than [`MAX_TEXT_BYTES`].
    #[error("the text has {bytes} bytes, the limit is {MAX_TEXT_BYTES}")]
    TextTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Speed or pitch is outside 0.5 to 2.0.
    #[error("{field} {value} is outside 0.5 to 2.0")]
    Prosody {
        /// `speed` or `pitch`.
        field: &'static str,
        /// What was asked for.
        value: f32,
    },
    /// The engine failed; the text may be innocent.
    #[error("speech engine: {0}")]
    Engine(String),
}

/// What became of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Samples handed to the sink.
    pub samples: u64,
    /// Sentences spoken, the one that was broken off included.
    pub sentences: u32,
    /// Characters of the text that have no reading and were left out.
    pub skipped: u32,
    /// False when the sink broke off before the end.
    pub complete: bool,
}

/// All offline voices. One value serves every thread; nothing in it changes.
pub struct OfflineVoices {
    flite: Flite,
}

impl OfflineVoices {
    /// Loads the voices, which are part of the program. Takes about a millisecond; make one and share it.
    ///
    /// Fails with [`VoiceError::Engine`] only if the program was built with damaged voice data.
    pub fn new() -> Result<Self, VoiceError> {
        Ok(Self {
            flite: Flite::load()?,
        })
    }

    /// Speaks `text` with the voice whose [`VoiceInfo::id`] is `voice`, handing mono samples at the voice's rate to
    /// `sink` as each sentence is made, about a tenth of a second at a time.
    ///
    /// When the sink breaks, no further sentence is begun and the call returns at once with what was spoken so far.
    /// A text without any letter or figure is [`VoiceError::NothingToSay`], and nothing was handed to the sink.
    /// The call computes for about one thousandth of the speech's duration and does not wait for anything.
    pub fn speak(
        &self,
        text: &str,
        voice: &str,
        prosody: Prosody,
        sink: &mut dyn FnMut(&[i16]) -> ControlFlow<()>,
    ) -> Result<Spoken, VoiceError> {
        let recording = match voice {
            catalogue::KAL => Recording::Wide,
            catalogue::KAL_TELEPHONE => Recording::Telephone,
            // The name comes from outside: what is quoted back is bounded.
            other => return Err(VoiceError::UnknownVoice(other.chars().take(64).collect())),
        };
        let prosody = prosody.check()?;
        if text.len() > MAX_TEXT_BYTES {
            return Err(VoiceError::TextTooLong { bytes: text.len() });
        }
        let reading = reading::read(text);
        let mut spoken = Spoken {
            skipped: reading.skipped,
            ..Spoken::default()
        };
        for sentence in sentences::sentences(&reading.text) {
            let samples = self.flite.speak(&sentence, recording, prosody)?;
            spoken.sentences += 1;
            for chunk in samples.chunks(CHUNK) {
                spoken.samples += chunk.len() as u64;
                if sink(chunk).is_break() {
                    return Ok(spoken);
                }
            }
        }
        if spoken.samples == 0 {
            return Err(VoiceError::NothingToSay);
        }
        spoken.complete = true;
        Ok(spoken)
    }
}

#[cfg(test)]
mod tests;

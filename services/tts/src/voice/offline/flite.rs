//! The flite voice: one readable sentence in, its samples out; it never sees text that `reading` has not cleaned.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use flite_rs::language::Language;
use flite_rs::utterance::Utterance;
use flite_rs::value::Value;
use flite_rs::voice::{Voice, synthesise};
use flite_rs::{KAL_VOICE_DATA, KAL16_VOICE_DATA, pipeline, text};

use super::{Prosody, VoiceError};

/// The recordings and models of one American speaker, which are part of the program.
///
/// It holds the parts of a `flite_rs::Engine` rather than the engine: an engine keeps its speed and pitch inside, so
/// that two callers who want different ones would have to take turns.
pub(super) struct Flite {
    language: Arc<Language>,
    wide: Voice,
    telephone: Voice,
}

/// Which of the two recordings to use.
#[derive(Clone, Copy, Debug)]
pub(super) enum Recording {
    /// 16 kHz.
    Wide,
    /// 8 kHz.
    Telephone,
}

impl Flite {
    /// Reads the tables that are built into the program; takes about a millisecond.
    pub(super) fn load() -> Result<Self, VoiceError> {
        let damaged = |error: flite_rs::data::DataError| VoiceError::Engine(error.to_string());
        Ok(Self {
            language: flite_rs::Engine::try_new().map_err(damaged)?.language(),
            wide: Voice::parse(KAL16_VOICE_DATA).map_err(damaged)?,
            telephone: Voice::parse(KAL_VOICE_DATA).map_err(damaged)?,
        })
    }

    /// Speaks one sentence. About a millisecond for a second of speech.
    pub(super) fn speak(
        &self,
        sentence: &str,
        recording: Recording,
        prosody: Prosody,
    ) -> Result<Vec<i16>, VoiceError> {
        let voice = match recording {
            Recording::Wide => &self.wide,
            Recording::Telephone => &self.telephone,
        };
        let mut params = voice.params();
        params.duration_stretch /= prosody.speed;
        // No input is known that makes the library panic. Should one be found, it costs its caller an error and not
        // the thread, on which other people's sentences are waiting. Nothing is half-written: all state is local.
        catch_unwind(AssertUnwindSafe(|| {
            let tokens: Vec<_> = text::sentences(sentence).flatten().collect();
            let mut utterance = pipeline::analyse(&self.language, &tokens, &params);
            move_pitch(&mut utterance, prosody.pitch);
            synthesise(voice, &utterance, &params).samples
        }))
        .map_err(|_| VoiceError::Engine("the flite engine gave up on a sentence".to_owned()))
    }
}

/// Multiplies every point of the finished melody, which keeps its intervals. The engine's own `f0_shift` moves the
/// mean before a clamp at 50 Hz, so that an octave down came out as barely half of one.
fn move_pitch(utterance: &mut Utterance, factor: f32) {
    let targets: Vec<_> = utterance.iter_relation("Target").collect();
    for target in targets {
        let pitch = utterance.feature_f32(target, "f0") * factor;
        utterance.set_feature(target, "f0", Value::Float(pitch));
    }
}

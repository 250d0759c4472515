//! Speech: `audio/speech`, as WAV: a tone for each word, as long as the word.
//!
//! Source of the shapes: <https://platform.openai.com/docs/api-reference/audio/createSpeech>.

use std::f64::consts::TAU;
use std::io::Cursor;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use hound::{SampleFormat, WavSpec, WavWriter};
use serde::Deserialize;

use crate::fate::chance;
use crate::script::Script;
use crate::{Room, unreadable, whole};

/// How many samples a second.
const RATE: u32 = 16_000;
/// How long a letter sounds, in samples: 50 ms.
const LETTER: u32 = RATE / 20;
/// The longest text that is spoken, in letters: two minutes.
const MOST_LETTERS: usize = 2400;

#[derive(Deserialize)]
struct Request {
    input: String,
    response_format: Option<String>,
}

impl Script {
    /// The sound of a text, as WAV. `None` when the text is empty or longer than 2,400 letters.
    pub fn sound_of(&self, text: &str) -> Option<Vec<u8>> {
        if text.trim().is_empty() || text.chars().count() > MOST_LETTERS {
            return None;
        }
        let mut rng = chance(self.seed, &[b"speech", text.as_bytes()]);
        let spec = WavSpec {
            channels: 1,
            sample_rate: RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).ok()?;
        for word in text.split_whitespace() {
            let pitch = f64::from(rng.u32(200..800));
            let letters = u32::try_from(word.chars().count()).ok()?;
            for at in 0..letters * LETTER {
                let swing = (f64::from(at) * pitch * TAU / f64::from(RATE)).sin();
                writer.write_sample((swing * 8000.0) as i16).ok()?;
            }
            for _ in 0..LETTER {
                writer.write_sample(0_i16).ok()?;
            }
        }
        writer.finalize().ok()?;
        Some(file.into_inner())
    }
}

pub(crate) async fn speak(State(room): State<Arc<Room>>, request: Bytes) -> Response {
    let (read, fate, visit) = match room.receive::<Request>(&request).await {
        Ok(received) => received,
        Err(refused) => return refused,
    };
    if read.response_format.is_none_or(|format| format != "wav") {
        return unreadable(visit, "response_format: only wav is simulated");
    }
    let Some(sound) = room.fates.script().sound_of(&read.input) else {
        return unreadable(visit, "input: must be 1 to 2400 letters");
    };
    whole(sound.into(), "audio/wav", &fate, visit)
}

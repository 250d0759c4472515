//! Speaks each line of `tests/recognise/sentences.txt` into a WAV file of its own, for a recogniser to judge; it
//! needs nothing but a folder to write to.
//!
//! `cargo run -p atelier-tts --example speak_sentences -- FOLDER [VOICE [SPEED [PITCH]]]` writes `FOLDER/00.wav`,
//! `01.wav` and so on.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::PathBuf;

use atelier_tts::audio::{AudioFormat, Encoder};
use atelier_tts::voice::offline::{OfflineVoices, Prosody, catalogue};

const SENTENCES: &str = include_str!("../tests/recognise/sentences.txt");

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder to write to")?);
    let id = arguments.next().unwrap_or_else(|| "kal".to_owned());
    let speed = arguments.next().map_or(Ok(1.0), |value| value.parse())?;
    let pitch = arguments.next().map_or(Ok(1.0), |value| value.parse())?;
    let voice = catalogue()
        .iter()
        .find(|voice| voice.id == id)
        .ok_or("no such voice")?;
    std::fs::create_dir_all(&folder)?;

    let voices = OfflineVoices::new()?;
    let lines = SENTENCES.lines().filter(|line| !line.is_empty());
    for (index, sentence) in lines.enumerate() {
        let mut encoder = Encoder::new(AudioFormat::Wav, voice.sample_rate)?;
        let mut bytes = Vec::new();
        let mut failure = None;
        voices.speak(
            sentence,
            voice.id,
            Prosody { speed, pitch },
            &mut |samples| match encoder.push(samples) {
                Ok(ready) => {
                    bytes.extend(ready);
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            },
        )?;
        if let Some(error) = failure {
            return Err(error.into());
        }
        let finished = encoder.finish()?;
        bytes.extend(finished.tail);
        // The stored form: the exact header in place of the streaming one.
        bytes[..finished.header.len()].copy_from_slice(&finished.header);
        std::fs::write(folder.join(format!("{index:02}.wav")), bytes)?;
    }
    Ok(())
}

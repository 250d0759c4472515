//! Audio files that a provider sent: whether they are what was asked for, and how long they play; it fetches nothing.

use std::io::Cursor;

use atelier_generation::ProviderError;
use atelier_kit::moment::Micros;
use bytes::{Bytes, BytesMut};

use super::MAX_AUDIO_BYTES;
use crate::audio::AudioFormat;

/// The longest sound that is taken, in seconds: the longest text at the slowest pace takes a third of it. A few
/// bytes of FLAC can stand for hours of silence.
pub(super) const MAX_SECONDS: u64 = 7_200;

fn garbled(what: impl std::fmt::Display) -> ProviderError {
    ProviderError::Garbled(what.to_string())
}

/// Whether these first bytes begin a file of the format; `false` while there are too few to tell.
pub(super) fn begins(format: AudioFormat, bytes: &[u8]) -> Result<bool, ProviderError> {
    let (known, right) = match format {
        AudioFormat::Wav => (
            bytes.len() >= 12,
            bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE"),
        ),
        AudioFormat::Flac => (bytes.len() >= 4, bytes.starts_with(b"fLaC")),
    };
    if known && !right {
        return Err(garbled(format!(
            "the body is no {} file",
            format.extension()
        )));
    }
    Ok(known)
}

/// The whole file as it is to be kept, and how long it plays. Computes for up to seconds: not on an async thread.
pub(super) fn examine(
    format: AudioFormat,
    mut file: BytesMut,
) -> Result<(Bytes, Micros), ProviderError> {
    if !begins(format, &file)? {
        return Err(garbled("the body has hardly a byte"));
    }
    let duration = match format {
        AudioFormat::Wav => {
            close_wav(&mut file)?;
            wav_duration(&file)?
        }
        AudioFormat::Flac => flac_duration(&file)?,
    };
    if duration == 0 {
        return Err(garbled("the audio has no sample"));
    }
    Ok((file.freeze(), duration))
}

fn micros(samples: u64, rate: u32) -> Result<Micros, ProviderError> {
    if rate == 0 || samples / u64::from(rate) > MAX_SECONDS {
        return Err(garbled("the audio is too long"));
    }
    let micros = u128::from(samples) * 1_000_000 / u128::from(rate);
    Micros::try_from(micros).map_err(garbled)
}

fn word(file: &[u8], at: usize) -> Option<u32> {
    let bytes = file.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Writes the lengths into a header that was sent before they were known. A file that is shorter than its header
/// says was cut off.
fn close_wav(file: &mut BytesMut) -> Result<(), ProviderError> {
    let mut at = 12;
    let mut frame = 1;
    loop {
        let (Some(name), Some(length)) = (file.get(at..at + 4), word(file, at + 4)) else {
            return Err(garbled("the wav file ends before its samples"));
        };
        let body = at + 8;
        if name == b"data" {
            let there = file.len() - body;
            let told = length as usize;
            // No length above the bound can be meant: such headers say "not known yet", as does a zero.
            if told > MAX_AUDIO_BYTES || (told == 0 && there > 0) {
                let whole = there - there % frame;
                file.truncate(body + whole);
                let size = |bytes: usize| u32::try_from(bytes).map_err(garbled);
                let (riff, data) = (size(file.len() - 8)?, size(whole)?);
                file[4..8].copy_from_slice(&riff.to_le_bytes());
                file[at + 4..body].copy_from_slice(&data.to_le_bytes());
            } else if told > there {
                return Err(garbled("the wav file ends in the middle"));
            }
            return Ok(());
        }
        if name == b"fmt "
            && let Some(align) = file.get(body + 12..body + 14)
        {
            frame = usize::from(u16::from_le_bytes([align[0], align[1]])).max(1);
        }
        // Chunks begin at even places.
        at = body
            .saturating_add(length as usize)
            .saturating_add(length as usize % 2);
        if at > file.len() {
            return Err(garbled("the wav file ends before its samples"));
        }
    }
}

fn wav_duration(file: &[u8]) -> Result<Micros, ProviderError> {
    let reader = hound::WavReader::new(Cursor::new(file)).map_err(garbled)?;
    micros(reader.duration().into(), reader.spec().sample_rate)
}

/// Decodes all of it: each frame's checksum is looked at, and the header need not know the length.
fn flac_duration(file: &[u8]) -> Result<Micros, ProviderError> {
    let mut reader = claxon::FlacReader::new(Cursor::new(file)).map_err(garbled)?;
    let info = reader.streaminfo();
    let mut samples = 0;
    let mut duration = 0;
    let mut blocks = reader.blocks();
    let mut buffer = Vec::new();
    while let Some(block) = blocks.read_next_or_eof(buffer).map_err(garbled)? {
        samples += u64::from(block.duration());
        duration = micros(samples, info.sample_rate)?;
        buffer = block.into_buffer();
    }
    if info.samples.is_some_and(|told| told != samples) {
        return Err(garbled("the flac file ends in the middle"));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Encoder;

    /// A quarter of a second: as it is streamed, and as it is stored.
    fn sound(format: AudioFormat) -> (Vec<u8>, Vec<u8>) {
        let samples: Vec<i16> = (0..4000)
            .map(|at| ((at * 37) % 2000) as i16 - 1000)
            .collect();
        let mut encoder = Encoder::new(format, 16_000).unwrap();
        let mut streamed = encoder.push(&samples).unwrap();
        let finished = encoder.finish().unwrap();
        streamed.extend(finished.tail);
        let mut stored = streamed.clone();
        stored[..finished.header.len()].copy_from_slice(&finished.header);
        (streamed, stored)
    }

    fn examined(format: AudioFormat, bytes: &[u8]) -> Result<(Bytes, Micros), ProviderError> {
        examine(format, BytesMut::from(bytes))
    }

    #[test]
    fn a_wav_file_that_did_not_know_its_length_learns_it() {
        let (streamed, stored) = sound(AudioFormat::Wav);
        let right = (Bytes::from(stored.clone()), 250_000);
        assert_eq!(examined(AudioFormat::Wav, &streamed).unwrap(), right);
        assert_eq!(examined(AudioFormat::Wav, &stored).unwrap(), right);
        let mut zero = streamed.clone();
        zero[40..44].fill(0);
        assert_eq!(examined(AudioFormat::Wav, &zero).unwrap(), right);
        // Half a sample at the end of a stream is dropped.
        let mut torn = streamed;
        torn.push(1);
        assert_eq!(examined(AudioFormat::Wav, &torn).unwrap(), right);
    }

    #[test]
    fn a_flac_file_plays_as_long_as_its_frames() {
        let (streamed, stored) = sound(AudioFormat::Flac);
        for file in [streamed, stored] {
            assert_eq!(
                examined(AudioFormat::Flac, &file).unwrap(),
                (Bytes::from(file), 250_000)
            );
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        for format in [AudioFormat::Wav, AudioFormat::Flac] {
            let (_, stored) = sound(format);
            for cut in (0..200)
                .chain((200..stored.len()).step_by(61))
                .chain([stored.len() - 1])
            {
                assert!(
                    examined(format, &stored[..cut]).is_err(),
                    "{format:?} cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn another_format_is_refused_at_its_first_bytes() {
        let (wav, flac) = (sound(AudioFormat::Wav).1, sound(AudioFormat::Flac).1);
        assert!(begins(AudioFormat::Wav, &flac[..12]).is_err());
        assert!(begins(AudioFormat::Flac, &wav[..4]).is_err());
        assert!(begins(AudioFormat::Wav, b"{\"error\": 1}").is_err());
        assert!(!begins(AudioFormat::Wav, &wav[..11]).unwrap());
        assert!(begins(AudioFormat::Wav, &wav[..12]).unwrap());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange_to_be_looked_at(
            is_flac in proptest::bool::ANY,
            changes in proptest::collection::vec((0_usize..200, proptest::num::u8::ANY), 0..12),
        ) {
            let format = if is_flac { AudioFormat::Flac } else { AudioFormat::Wav };
            let mut file = sound(format).0;
            for (at, to) in changes {
                file[at] = to;
            }
            if let Ok((_, duration)) = examined(format, &file) {
                proptest::prop_assert!(duration > 0 && duration <= (MAX_SECONDS as i64 + 1) * 1_000_000);
            }
        }
    }
}

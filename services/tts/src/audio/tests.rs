//! The containers against decoders that other people wrote: stream and stored file, at every awkward length.

use std::io::Cursor;

use super::*;

/// A sound that is neither silent nor simple, with both extremes in it.
fn sound(samples: usize) -> Vec<i16> {
    let mut noise = 0x2545_f491_u32;
    (0..samples)
        .map(|at| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match at {
                0 => i16::MIN,
                1 => i16::MAX,
                _ => {
                    let tone = (at as f64 * 0.07).sin() * 12_000.0;
                    (tone as i32 + (noise >> 24) as i32 - 128) as i16
                }
            }
        })
        .collect()
}

/// Encodes in pieces of `piece` samples; returns the stream and the stored file.
fn encode(format: AudioFormat, rate: u32, samples: &[i16], piece: usize) -> (Vec<u8>, Vec<u8>) {
    let mut encoder = Encoder::new(format, rate).unwrap();
    let mut stream = Vec::new();
    for piece in samples.chunks(piece) {
        stream.extend(encoder.push(piece).unwrap());
    }
    let finished = encoder.finish().unwrap();
    stream.extend(finished.tail);
    assert_eq!(finished.samples, samples.len() as u64);
    let mut stored = stream.clone();
    stored[..finished.header.len()].copy_from_slice(&finished.header);
    (stream, stored)
}

fn read_flac(bytes: &[u8]) -> (claxon::metadata::StreamInfo, Vec<i16>) {
    let mut reader = claxon::FlacReader::new(Cursor::new(bytes)).unwrap();
    let samples = reader.samples().map(|s| s.unwrap() as i16).collect();
    (reader.streaminfo(), samples)
}

const LENGTHS: [usize; 14] = [
    1, 2, 3, 15, 16, 17, 31, 33, 1_023, 1_024, 1_025, 2_048, 4_097, 50_001,
];

#[test]
fn wav_comes_back_sample_for_sample_with_its_exact_length() {
    for length in LENGTHS {
        for rate in [8_000, 16_000, 22_050, 48_000] {
            let samples = sound(length);
            let (stream, stored) = encode(AudioFormat::Wav, rate, &samples, 777);
            let mut reader = hound::WavReader::new(Cursor::new(&stored)).unwrap();
            let expected = hound::WavSpec {
                channels: 1,
                sample_rate: rate,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            assert_eq!(reader.spec(), expected);
            assert_eq!(reader.duration() as usize, length);
            let back: Vec<i16> = reader.samples().map(Result::unwrap).collect();
            assert_eq!(back, samples);
            assert_eq!(stored.len(), 44 + length * 2);

            // The stream is playable as it is: a reader that stops at the end of the bytes gets every sample.
            let reader = hound::WavReader::new(Cursor::new(&stream)).unwrap();
            assert_eq!(reader.spec(), expected);
            let back: Vec<i16> = reader.into_samples().map_while(Result::ok).collect();
            assert_eq!(back, samples);
        }
    }
}

#[test]
fn our_wav_header_is_the_one_hound_writes() {
    let samples = sound(321);
    let (_, stored) = encode(AudioFormat::Wav, 16_000, &samples, 100);
    let mut theirs = Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut theirs, spec).unwrap();
    samples
        .iter()
        .for_each(|s| writer.write_sample(*s).unwrap());
    writer.finalize().unwrap();
    assert_eq!(stored, theirs.into_inner());
}

#[test]
fn flac_comes_back_sample_for_sample_with_its_length_and_digest() {
    for length in LENGTHS {
        for rate in [8_000, 11_025, 16_000, 24_000, 47_999] {
            let samples = sound(length);
            let (stream, stored) = encode(AudioFormat::Flac, rate, &samples, 1_000);

            let (info, back) = read_flac(&stored);
            assert_eq!(back, samples, "{length} at {rate}");
            assert_eq!((info.sample_rate, info.channels), (rate, 1));
            assert_eq!(info.samples, Some(length as u64));
            assert_ne!(info.md5sum, [0; 16]);
            assert!(info.min_frame_size.unwrap() <= info.max_frame_size.unwrap());

            let (info, back) = read_flac(&stream);
            assert_eq!(back, samples);
            assert_eq!(info.samples, None);
            assert_eq!(info.md5sum, [0; 16]);
            assert_eq!(stream[42..], stored[42..]);
        }
    }
}

#[test]
fn the_digest_is_that_of_the_samples() {
    // Made with `flac --force-raw-format` from the same 5,000 samples, read with `metaflac --show-md5sum`.
    let samples: Vec<i16> = (0..5_000)
        .map(|at| (at * 7 % 4_001) as i16 - 2_000)
        .collect();
    let (_, stored) = encode(AudioFormat::Flac, 16_000, &samples, 640);
    let (info, _) = read_flac(&stored);
    let digest: String = info.md5sum.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(digest, "2c9e6b43a7a2982e05a9e32c18a5ac60");
}

#[test]
fn how_it_is_cut_into_pieces_changes_no_byte() {
    let samples = sound(10_000);
    for format in [AudioFormat::Wav, AudioFormat::Flac] {
        let whole = encode(format, 16_000, &samples, 10_000);
        for piece in [1, 1_024, 3_000] {
            assert_eq!(encode(format, 16_000, &samples, piece), whole);
        }
    }
}

#[test]
fn bytes_leave_while_samples_still_come() {
    for (format, magic) in [(AudioFormat::Wav, b"RIFF"), (AudioFormat::Flac, b"fLaC")] {
        let mut encoder = Encoder::new(format, 16_000).unwrap();
        let first = encoder.push(&[]).unwrap();
        assert_eq!(&first[..4], magic);
        // Half a second in, at most one block is held back.
        let mut sent = 0;
        for piece in sound(8_000).chunks(400) {
            sent += usize::from(!encoder.push(piece).unwrap().is_empty());
        }
        assert!(sent >= 7, "{format:?} sent {sent} times");
    }
}

#[test]
fn a_sound_without_samples_is_a_header() {
    for format in [AudioFormat::Wav, AudioFormat::Flac] {
        let finished = Encoder::new(format, 16_000).unwrap().finish().unwrap();
        assert_eq!(finished.samples, 0);
        assert_eq!(finished.tail.len(), finished.header.len());
    }
    let (_, stored) = encode(AudioFormat::Wav, 16_000, &[], 1);
    assert_eq!(hound::WavReader::new(&stored[..]).unwrap().duration(), 0);
    let (_, stored) = encode(AudioFormat::Flac, 16_000, &[], 1);
    assert!(read_flac(&stored).1.is_empty());
}

#[test]
fn rates_outside_the_range_are_refused() {
    for rate in [0, 7_999, 48_001, u32::MAX] {
        for format in [AudioFormat::Wav, AudioFormat::Flac] {
            assert!(matches!(
                Encoder::new(format, rate),
                Err(AudioError::SampleRate(refused)) if refused == rate
            ));
        }
    }
}

#[test]
fn flac_is_smaller_than_wav_on_a_voice() {
    let mut samples = Vec::new();
    crate::voice::offline::OfflineVoices::new()
        .unwrap()
        .speak(
            "The quick brown fox jumps over the lazy dog.",
            "kal",
            Default::default(),
            &mut |chunk| {
                samples.extend_from_slice(chunk);
                std::ops::ControlFlow::Continue(())
            },
        )
        .unwrap();
    let (_, wav) = encode(AudioFormat::Wav, 16_000, &samples, 1_600);
    let (_, flac) = encode(AudioFormat::Flac, 16_000, &samples, 1_600);
    assert!(
        flac.len() * 10 < wav.len() * 7,
        "{} {}",
        flac.len(),
        wav.len()
    );
    assert_eq!(read_flac(&flac).1, samples);
}

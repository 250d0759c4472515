//! What a picture or a sound really is, found by decoding the whole of it.

use std::io::Cursor;

use sha2::{Digest as _, Sha256};

/// The size of a PNG; every pixel of it is decoded.
pub fn png_size(bytes: &[u8]) -> (u32, u32) {
    let mut reader = png::Decoder::new(Cursor::new(bytes))
        .read_info()
        .expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size that fits")];
    let info = reader.next_frame(&mut pixels).expect("whole pixels");
    assert!(
        pixels.iter().any(|value| *value != pixels[0]),
        "a picture of one colour"
    );
    (info.width, info.height)
}

/// How many seconds a WAV plays; every sample of it is decoded.
pub fn wav_seconds(bytes: &[u8]) -> f64 {
    let reader = hound::WavReader::new(Cursor::new(bytes)).expect("a WAV");
    let spec = reader.spec();
    let samples: Vec<i16> = reader
        .into_samples()
        .map(|sample| sample.expect("a whole sample"))
        .collect();
    assert!(samples.iter().any(|sample| *sample > 1000), "silence");
    samples.len() as f64 / f64::from(spec.channels) / f64::from(spec.sample_rate)
}

/// How many seconds a FLAC plays; every sample of it is decoded.
pub fn flac_seconds(bytes: &[u8]) -> f64 {
    let mut reader = claxon::FlacReader::new(Cursor::new(bytes)).expect("a FLAC");
    let info = reader.streaminfo();
    let samples: Vec<i32> = reader
        .samples()
        .map(|sample| sample.expect("a whole sample"))
        .collect();
    assert!(samples.iter().any(|sample| *sample > 1000), "silence");
    samples.len() as f64 / f64::from(info.channels) / f64::from(info.sample_rate)
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

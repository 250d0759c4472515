//! RIFF/WAVE: a header of 44 octets and then the samples; it may not buffer any.

use super::AudioError;

/// Both lengths in the header are 32 bits wide, and the outer one counts 36 header octets too.
const MAX_DATA_BYTES: u32 = (u32::MAX - 36) & !1;
const MAX_SAMPLES: u64 = MAX_DATA_BYTES as u64 / 2;

/// Writes PCM samples behind a WAVE header.
pub(super) struct WavEncoder {
    sample_rate: u32,
    samples: u64,
}

impl WavEncoder {
    /// Starts a sound of `sample_rate` hertz.
    pub(super) fn new(sample_rate: u32) -> Self {
        Self {
            sample_rate,
            samples: 0,
        }
    }

    /// The header of a sound whose length nobody knows yet: the largest lengths that are a whole number of samples.
    /// Players read such a file to its end.
    pub(super) fn streaming_header(&self) -> Vec<u8> {
        header(self.sample_rate, MAX_DATA_BYTES)
    }

    /// Appends `samples` to `out`, little-endian.
    pub(super) fn push(&mut self, samples: &[i16], out: &mut Vec<u8>) -> Result<(), AudioError> {
        let total = self.samples + samples.len() as u64;
        if total > MAX_SAMPLES {
            return Err(AudioError::TooLong { limit: MAX_SAMPLES });
        }
        self.samples = total;
        out.reserve(samples.len() * 2);
        for sample in samples {
            out.extend_from_slice(&sample.to_le_bytes());
        }
        Ok(())
    }

    /// The exact header and the number of samples.
    pub(super) fn finish(self) -> (Vec<u8>, u64) {
        // `push` refused anything above MAX_SAMPLES, so this conversion loses nothing.
        let bytes = u32::try_from(self.samples * 2).unwrap_or(MAX_DATA_BYTES);
        (header(self.sample_rate, bytes), self.samples)
    }
}

fn header(sample_rate: u32, data_bytes: u32) -> Vec<u8> {
    const CHANNELS: u16 = 1;
    const BITS: u16 = 16;
    const FRAME: u16 = CHANNELS * BITS / 8;
    let mut out = Vec::with_capacity(44);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(data_bytes + 36).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16u32.to_le_bytes());
    out.extend_from_slice(&1u16.to_le_bytes()); // plain PCM
    out.extend_from_slice(&CHANNELS.to_le_bytes());
    out.extend_from_slice(&sample_rate.to_le_bytes());
    out.extend_from_slice(&(sample_rate * u32::from(FRAME)).to_le_bytes());
    out.extend_from_slice(&FRAME.to_le_bytes());
    out.extend_from_slice(&BITS.to_le_bytes());
    out.extend_from_slice(b"data");
    out.extend_from_slice(&data_bytes.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_past_four_gigabytes_is_refused() {
        let mut encoder = WavEncoder {
            sample_rate: 48_000,
            samples: MAX_SAMPLES - 1,
        };
        let mut out = Vec::new();
        encoder.push(&[1], &mut out).unwrap();
        assert!(matches!(
            encoder.push(&[1], &mut out),
            Err(AudioError::TooLong { .. })
        ));
        assert_eq!(out, [1, 0]);
        let (exact, _) = encoder.finish();
        assert_eq!(exact, header(48_000, MAX_DATA_BYTES));
    }
}

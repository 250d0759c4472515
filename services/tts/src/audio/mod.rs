//! Audio containers: turns mono 16-bit samples into WAV or FLAC bytes while they are still being made; it knows no
//! voice, opens no file and no socket.
//!
//! Each sound has two forms. The *stream* is every byte in the order it was handed out, and can be played by someone
//! who has not seen its end: its header says "length unknown". The *stored file* is the same bytes with the header
//! exchanged for the one that [`Encoder::finish`] returns, which knows the exact length (and, in FLAC, the digest).

mod flac;
mod wav;

use flac::FlacEncoder;
use wav::WavEncoder;

/// The lowest sample rate that is accepted, in hertz.
pub const MIN_SAMPLE_RATE: u32 = 8_000;
/// The highest sample rate that is accepted, in hertz.
pub const MAX_SAMPLE_RATE: u32 = 48_000;

/// A container for mono 16-bit sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioFormat {
    /// RIFF/WAVE with plain PCM: large, played by everything.
    Wav,
    /// FLAC: the same samples, losslessly, in half to two thirds of the bytes.
    Flac,
}

impl AudioFormat {
    /// The media type to store and serve the bytes under.
    pub fn content_type(self) -> &'static str {
        match self {
            AudioFormat::Wav => "audio/wav",
            AudioFormat::Flac => "audio/flac",
        }
    }

    /// The file name ending, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            AudioFormat::Wav => "wav",
            AudioFormat::Flac => "flac",
        }
    }
}

/// Why sound could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The sample rate lies outside [`MIN_SAMPLE_RATE`] to [`MAX_SAMPLE_RATE`].
    #[error("sample rate of {0} hz is outside {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}")]
    SampleRate(u32),
    /// The container cannot describe a sound of this length.
    #[error("sound is too long for its container: at most {limit} samples")]
    TooLong {
        /// The most samples the container can hold.
        limit: u64,
    },
    /// The FLAC library refused the samples or could not write a frame.
    #[error("flac encoder failed: {0}")]
    Flac(String),
}

/// What [`Encoder::finish`] leaves behind.
#[derive(Debug)]
pub struct Finished {
    /// The last bytes of the stream.
    pub tail: Vec<u8>,
    /// The exact header: put in place of the stream's first `header.len()` bytes it makes the stored file.
    pub header: Vec<u8>,
    /// How many samples were encoded.
    pub samples: u64,
}

/// Encodes one sound, from its first sample to its last.
pub struct Encoder {
    inner: Inner,
    /// The streaming header until it has been handed out.
    opening: Vec<u8>,
}

enum Inner {
    Wav(WavEncoder),
    Flac(Box<FlacEncoder>),
}

impl Encoder {
    /// Starts a mono 16-bit sound of `sample_rate` hertz.
    ///
    /// Fails with [`AudioError::SampleRate`] outside 8,000 to 48,000 Hz.
    pub fn new(format: AudioFormat, sample_rate: u32) -> Result<Self, AudioError> {
        if !(MIN_SAMPLE_RATE..=MAX_SAMPLE_RATE).contains(&sample_rate) {
            return Err(AudioError::SampleRate(sample_rate));
        }
        let (inner, opening) = match format {
            AudioFormat::Wav => {
                let encoder = WavEncoder::new(sample_rate);
                let opening = encoder.streaming_header();
                (Inner::Wav(encoder), opening)
            }
            AudioFormat::Flac => {
                let encoder = FlacEncoder::new(sample_rate)?;
                let opening = encoder.streaming_header()?;
                (Inner::Flac(Box::new(encoder)), opening)
            }
        };
        Ok(Self { inner, opening })
    }

    /// Takes more samples and returns the bytes that are ready now, which may be none; the first call's begin with
    /// the streaming header. After an error the encoder is of no further use.
    pub fn push(&mut self, samples: &[i16]) -> Result<Vec<u8>, AudioError> {
        let mut out = std::mem::take(&mut self.opening);
        match &mut self.inner {
            Inner::Wav(encoder) => encoder.push(samples, &mut out)?,
            Inner::Flac(encoder) => encoder.push(samples, &mut out)?,
        }
        Ok(out)
    }

    /// Ends the sound. A sound without a sample is valid: its stream is the header alone.
    pub fn finish(self) -> Result<Finished, AudioError> {
        let mut tail = self.opening;
        let (header, samples) = match self.inner {
            Inner::Wav(encoder) => encoder.finish(),
            Inner::Flac(encoder) => encoder.finish(&mut tail)?,
        };
        Ok(Finished {
            tail,
            header,
            samples,
        })
    }
}

#[cfg(test)]
mod tests;

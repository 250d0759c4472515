//! FLAC: blocks of a fixed length, each one frame, the last as short as it falls; it may hold back less than one block.

use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, Stream, StreamInfo};
use flacenc::config;
use flacenc::encode_fixed_size_frame;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};

use super::AudioError;

/// Samples in a frame. At 16 kHz the first frame leaves 64 ms into the sound. On speech larger blocks are no gain: 2,048
/// samples made files one part in a hundred larger, 4,096 three.
const BLOCK: usize = 1024;
/// Frames are numbered in 31 bits.
const MAX_FRAMES: u64 = 1 << 31;

/// Compresses samples into FLAC frames.
pub(super) struct FlacEncoder {
    config: Verified<config::Encoder>,
    info: StreamInfo,
    /// Counts the samples and keeps their MD5 digest, which the exact header carries.
    digest: Context,
    frames: u64,
    smallest: usize,
    largest: usize,
    pending: Vec<i32>,
}

impl FlacEncoder {
    /// Starts a sound of `sample_rate` hertz.
    pub(super) fn new(sample_rate: u32) -> Result<Self, AudioError> {
        let config = config::Encoder::default()
            .into_verified()
            .map_err(|(_, error)| failed(error))?;
        let mut info = StreamInfo::new(sample_rate as usize, 1, 16).map_err(failed)?;
        info.set_block_sizes(BLOCK, BLOCK).map_err(failed)?;
        // Zero says "unknown" in a header that is written before the frames are.
        info.set_frame_sizes(0, 0).map_err(failed)?;
        Ok(Self {
            config,
            info,
            digest: Context::new(16, 1),
            frames: 0,
            smallest: usize::MAX,
            largest: 0,
            pending: Vec::with_capacity(BLOCK),
        })
    }

    /// The header of a sound whose length nobody knows yet: no sample count, no digest.
    pub(super) fn streaming_header(&self) -> Result<Vec<u8>, AudioError> {
        header(&self.info)
    }

    /// Takes `samples` and appends every frame that is now complete to `out`.
    pub(super) fn push(
        &mut self,
        mut samples: &[i16],
        out: &mut Vec<u8>,
    ) -> Result<(), AudioError> {
        while !samples.is_empty() {
            let (now, later) =
                samples.split_at(samples.len().min(BLOCK.saturating_sub(self.pending.len())));
            self.pending
                .extend(now.iter().map(|sample| i32::from(*sample)));
            samples = later;
            if self.pending.len() == BLOCK {
                self.write_frame(out)?;
            }
        }
        Ok(())
    }

    /// Appends the last frame to `tail`; returns the exact header and the number of samples.
    pub(super) fn finish(mut self, tail: &mut Vec<u8>) -> Result<(Vec<u8>, u64), AudioError> {
        if !self.pending.is_empty() {
            self.write_frame(tail)?;
        }
        let samples = self.digest.total_samples();
        if self.frames > 0 {
            self.info
                .set_frame_sizes(self.smallest, self.largest)
                .map_err(failed)?;
        }
        self.info.set_total_samples(samples);
        self.info.set_md5_digest(&self.digest.md5_digest());
        Ok((header(&self.info)?, samples as u64))
    }

    fn write_frame(&mut self, out: &mut Vec<u8>) -> Result<(), AudioError> {
        if self.frames >= MAX_FRAMES {
            return Err(AudioError::TooLong {
                limit: MAX_FRAMES * BLOCK as u64,
            });
        }
        let mut block = FrameBuf::with_size(1, BLOCK).map_err(failed)?;
        block.fill_interleaved(&self.pending).map_err(failed)?;
        self.digest
            .fill_interleaved(&self.pending)
            .map_err(failed)?;
        self.pending.clear();
        let frame = encode_fixed_size_frame(&self.config, &block, self.frames as usize, &self.info)
            .map_err(failed)?;
        let mut sink = ByteSink::with_capacity(frame.count_bits());
        frame.write(&mut sink).map_err(failed)?;
        let bytes = sink.into_inner();
        self.frames += 1;
        self.smallest = self.smallest.min(bytes.len());
        self.largest = self.largest.max(bytes.len());
        out.extend_from_slice(&bytes);
        Ok(())
    }
}

/// The magic word and the one metadata block that every FLAC file has: 42 octets, whatever they say.
fn header(info: &StreamInfo) -> Result<Vec<u8>, AudioError> {
    let mut sink = ByteSink::new();
    Stream::with_stream_info(info.clone())
        .write(&mut sink)
        .map_err(failed)?;
    Ok(sink.into_inner())
}

fn failed(error: impl std::fmt::Display) -> AudioError {
    AudioError::Flac(error.to_string())
}

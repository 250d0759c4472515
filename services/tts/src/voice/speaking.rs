//! The built-in voices behind the port: they speak on a thread of their own and stop when nobody listens.

use std::ops::ControlFlow;
use std::sync::Arc;

use atelier_generation::ProviderError;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::append;
use super::offline::{OfflineVoices, Prosody, VoiceError, catalogue};
use super::pace::SECONDS_A_CHARACTER;
use crate::audio::{AudioError, Encoder};
use crate::conversion::Order;
use crate::ports::{Piece, Spoken, Voice};

/// Pieces that wait to be told before the voice does.
const WAITING: usize = 8;
/// Bytes of a piece: half a second of WAV. The first one is told at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Told when a text has nothing that a voice can read.
const NOTHING_TO_SAY: &str = "NOTHING_TO_SAY";

impl From<VoiceError> for ProviderError {
    fn from(error: VoiceError) -> Self {
        match error {
            VoiceError::NothingToSay => ProviderError::Unfit {
                reason: NOTHING_TO_SAY,
                message: "the text has nothing that this voice can read".to_owned(),
            },
            // The order was checked before: what is left is a defect of ours.
            other => ProviderError::Inside(Box::new(other)),
        }
    }
}

impl From<AudioError> for ProviderError {
    fn from(error: AudioError) -> Self {
        ProviderError::Inside(Box::new(error))
    }
}

/// Speaks without any network.
pub struct OfflineVoice {
    voices: Arc<OfflineVoices>,
}

impl OfflineVoice {
    /// Loads the voices, which are part of the program.
    pub fn new() -> Result<Self, VoiceError> {
        Ok(Self {
            voices: Arc::new(OfflineVoices::new()?),
        })
    }
}

impl Voice for OfflineVoice {
    fn speak(&self, order: &Order) -> BoxStream<'static, Result<Piece, ProviderError>> {
        let (pieces, received) = mpsc::channel(WAITING);
        let (voices, order) = (self.voices.clone(), order.clone());
        tokio::task::spawn_blocking(move || {
            let done = record(&voices, &order, &pieces);
            // Nobody listens any more: the conversion was cancelled.
            if let Some(done) = done.transpose() {
                let _ = pieces.blocking_send(done.map(Piece::Done));
            }
        });
        ReceiverStream::new(received).boxed()
    }
}

type Pieces = mpsc::Sender<Result<Piece, ProviderError>>;

/// Speaks an order to its end; `None` when nobody listens any more.
fn record(
    voices: &OfflineVoices,
    order: &Order,
    pieces: &Pieces,
) -> Result<Option<Spoken>, ProviderError> {
    let rate = catalogue()
        .iter()
        .find(|voice| voice.id == order.voice)
        .map(|voice| voice.sample_rate)
        .ok_or_else(|| VoiceError::UnknownVoice(order.voice.clone()))?;
    // The factors are within 0.5 to 2, where an f32 is as good.
    let prosody = Prosody {
        speed: order.speed as f32,
        pitch: order.pitch as f32,
    };
    let characters = order.text.chars().count();
    let expected = characters as f64 * SECONDS_A_CHARACTER / order.speed * f64::from(rate);
    let mut recorder = Recorder {
        encoder: Encoder::new(order.format, rate)?,
        file: BytesMut::new(),
        told: 0,
        samples: 0,
        expected,
        pieces,
    };
    let mut failure = None;
    let spoken = voices.speak(
        &order.text,
        &order.voice,
        prosody,
        &mut |samples| match recorder.take(samples) {
            Ok(flow) => flow,
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        },
    )?;
    if let Some(error) = failure {
        return Err(error);
    }
    if !spoken.complete {
        return Ok(None);
    }
    recorder.finish(rate, spoken.skipped)
}

/// Encodes samples, keeps the file, and tells of it in pieces.
struct Recorder<'a> {
    encoder: Encoder,
    file: BytesMut,
    told: usize,
    samples: u64,
    expected: f64,
    pieces: &'a Pieces,
}

impl Recorder<'_> {
    fn take(&mut self, samples: &[i16]) -> Result<ControlFlow<()>, ProviderError> {
        self.samples += samples.len() as u64;
        append(&mut self.file, &self.encoder.push(samples)?)?;
        if self.told > 0 && self.file.len() - self.told < PIECE_BYTES {
            // A voice that is not listened to stops here too, not only where a piece is full.
            return Ok(if self.pieces.is_closed() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            });
        }
        Ok(self.tell())
    }

    fn tell(&mut self) -> ControlFlow<()> {
        let bytes = Bytes::copy_from_slice(&self.file[self.told..]);
        if bytes.is_empty() {
            return ControlFlow::Continue(());
        }
        self.told = self.file.len();
        // The end alone is the end, however far off the estimate was.
        let spoken = (self.samples as f64 / self.expected).min(0.99);
        match self.pieces.blocking_send(Ok(Piece::Audio {
            bytes,
            spoken: Some(spoken),
        })) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn finish(mut self, rate: u32, skipped: u32) -> Result<Option<Spoken>, ProviderError> {
        let encoder = self.encoder;
        let finished = encoder.finish()?;
        append(&mut self.file, &finished.tail)?;
        let rest = Bytes::copy_from_slice(&self.file[self.told..]);
        if !rest.is_empty() {
            let last = Piece::Audio {
                bytes: rest,
                spoken: Some(1.0),
            };
            if self.pieces.blocking_send(Ok(last)).is_err() {
                return Ok(None);
            }
        }
        let opening = self
            .file
            .get_mut(..finished.header.len())
            .ok_or_else(|| AudioError::Flac("the stream is shorter than its header".to_owned()))?;
        opening.copy_from_slice(&finished.header);
        let micros = u128::from(finished.samples) * 1_000_000 / u128::from(rate);
        Ok(Some(Spoken {
            file: self.file.freeze(),
            duration_micros: i64::try_from(micros).unwrap_or(i64::MAX),
            skipped,
            status_code: None,
            cost_usd: Some(0.0),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::AudioFormat;

    fn order(text: &str, format: AudioFormat) -> Order {
        Order {
            text: text.to_owned(),
            voice: "kal".to_owned(),
            language: "en-US".to_owned(),
            format,
            speed: 1.0,
            pitch: 1.0,
            request_id: None,
            create_time: 0,
            asked: None,
        }
    }

    #[tokio::test]
    async fn the_pieces_are_the_file_but_for_its_header() {
        for (format, header) in [(AudioFormat::Wav, 44), (AudioFormat::Flac, 42)] {
            let mut speech = OfflineVoice::new().unwrap().speak(&order(
                "The quick brown fox jumps over the lazy dog.",
                format,
            ));
            let mut streamed = Vec::new();
            let mut fractions = Vec::new();
            let done = loop {
                match speech.next().await.unwrap().unwrap() {
                    Piece::Audio { bytes, spoken } => {
                        streamed.extend_from_slice(&bytes);
                        fractions.push(spoken.unwrap());
                    }
                    Piece::Done(done) => break done,
                }
            };
            assert!(speech.next().await.is_none());
            assert!(fractions.len() > 2 && fractions[0] < 0.3, "{fractions:?}");
            assert!(
                (0.6..=0.99).contains(&fractions[fractions.len() - 2]),
                "{fractions:?}"
            );
            assert_eq!(streamed.len(), done.file.len());
            assert_ne!(streamed[..header], done.file[..header]);
            assert_eq!(streamed[header..], done.file[header..]);
            let again =
                super::super::received::examine(format, BytesMut::from(&done.file[..])).unwrap();
            assert_eq!(again, (done.file.clone(), done.duration_micros));
        }
    }

    #[tokio::test]
    async fn a_voice_that_nobody_listens_to_stops() {
        let voice = OfflineVoice::new().unwrap();
        let held = Arc::downgrade(&voice.voices);
        let mut speech = voice.speak(&order(
            &"Row, row, row your boat. ".repeat(200),
            AudioFormat::Wav,
        ));
        assert!(matches!(speech.next().await, Some(Ok(Piece::Audio { .. }))));
        drop(voice);
        // Its thread waits for a listener, with the voices in its hands.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(held.strong_count(), 1);
        drop(speech);
        for _ in 0..200 {
            if held.strong_count() == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the thread goes on speaking");
    }

    #[tokio::test]
    async fn a_text_that_cannot_be_read_is_nothing_to_say() {
        let mut speech = OfflineVoice::new()
            .unwrap()
            .speak(&order("你好", AudioFormat::Wav));
        assert!(matches!(
            speech.next().await,
            Some(Err(ProviderError::Unfit {
                reason: NOTHING_TO_SAY,
                ..
            }))
        ));
        assert!(speech.next().await.is_none());
    }
}

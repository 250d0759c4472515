//! Any OpenAI-compatible API behind the port, over its `audio/speech`; it names no vendor.
//!
//! Source of the shapes: <https://platform.openai.com/docs/api-reference/audio/createSpeech>.

use atelier_generation::ProviderError;
use atelier_upstream::calls::{Answer, Caller, Expected, Repeats};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde::Serialize;

use super::{MAX_AUDIO_BYTES, append, received};
use crate::conversion::{Order, format_name};
use crate::ports::{Piece, Spoken, Voice};

/// Asks an OpenAI-compatible API.
#[derive(Clone, Debug)]
pub struct OpenAiVoice {
    caller: Caller,
    model: String,
}

impl OpenAiVoice {
    /// Asks the API of this provider for this model.
    pub fn new(caller: Caller, model: String) -> Self {
        Self { caller, model }
    }

    async fn ask(&self, order: &Order) -> Result<Answer, ProviderError> {
        let body = Request {
            model: &self.model,
            input: &order.text,
            voice: &order.voice,
            response_format: format_name(order.format),
            speed: order.speed,
        };
        let asked = self
            .caller
            .post("audio/speech", &body, Repeats::Unbegun)
            .await?;
        asked.expect(Expected::Audio)
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a str,
    voice: &'a str,
    response_format: &'static str,
    speed: f64,
}

impl Voice for OpenAiVoice {
    fn speak(&self, order: &Order) -> BoxStream<'static, Result<Piece, ProviderError>> {
        let (api, order) = (self.clone(), order.clone());
        Box::pin(async_stream::try_stream! {
            let answer = api.ask(&order).await?;
            let status = answer.status();
            let length = answer.told_length();
            if length.is_some_and(|length| length > MAX_AUDIO_BYTES as u64) {
                Err(super::too_large())?;
            }
            // The file is counted as it grows, and told as too large; the stream has no bound of its own to be told.
            let mut body = std::pin::pin!(answer.bytes(usize::MAX));
            let mut file = BytesMut::new();
            let mut told = 0;
            while let Some(chunk) = body.next().await {
                append(&mut file, &chunk?)?;
                // What is not audio is not told as audio.
                if file.len() > told && received::begins(order.format, &file)? {
                    let bytes = Bytes::copy_from_slice(&file[told..]);
                    told = file.len();
                    yield Piece::Audio {
                        bytes,
                        spoken: length.map(|length| (told as f64 / length as f64).min(0.99)),
                    };
                }
            }
            let examined = tokio::task::spawn_blocking(move || received::examine(order.format, file));
            // A decoder that gave up in a panic met bytes that make no sense.
            let (file, duration_micros) =
                examined.await.map_err(|error| ProviderError::Garbled(error.to_string()))??;
            yield Piece::Done(Spoken {
                file,
                duration_micros,
                skipped: 0,
                status_code: Some(status),
                cost_usd: None,
            });
        })
    }
}

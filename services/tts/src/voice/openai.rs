//! Any OpenAI-compatible API behind the port, over its `audio/speech`; it names no vendor.
//!
//! Source of the shapes: <https://platform.openai.com/docs/api-reference/audio/createSpeech>.

use std::sync::Arc;
use std::time::Duration;

use atelier_generation::ProviderError;
use atelier_kit::outbound;
use atelier_simulator::Simulator;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::{MAX_AUDIO_BYTES, append, received};
use crate::config::Upstream;
use crate::conversion::{Order, format_name};
use crate::ports::{Piece, Spoken, Voice};

/// The provider's name, told in every answer.
pub const PROVIDER: &str = "openai-compatible";

/// How long the first byte may take: some providers speak the whole text before they send anything.
const FIRST_BYTE: Duration = Duration::from_secs(120);
/// How long the body may be silent.
const IDLE: Duration = Duration::from_secs(60);
/// How long all of it may take.
const TOTAL: Duration = Duration::from_secs(600);
/// The longest error body that is read.
const MESSAGE_BYTES: usize = 64 * 1024;

/// Asks an OpenAI-compatible API.
#[derive(Clone, Debug)]
pub struct OpenAiVoice {
    client: reqwest::Client,
    url: String,
    key: Option<SecretString>,
    model: String,
    /// It ends with this.
    _simulator: Option<Arc<Simulator>>,
}

impl OpenAiVoice {
    /// A client for this API, which may be a simulator: it runs as long as the client is there.
    pub fn new(upstream: &Upstream, simulator: Option<Simulator>) -> Result<Self, reqwest::Error> {
        outbound::crypto();
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(TOTAL)
            // An API has no reason to send a key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            url: outbound::endpoint(&upstream.url, "audio/speech", upstream.key.as_ref()),
            key: upstream.key.clone(),
            model: upstream.model.clone(),
            _simulator: simulator.map(Arc::new),
        })
    }

    async fn ask(&self, order: &Order) -> Result<reqwest::Response, ProviderError> {
        let body = Request {
            model: &self.model,
            input: &order.text,
            voice: &order.voice,
            response_format: format_name(order.format),
            speed: order.speed,
        };
        let mut request = self.client.post(&self.url).json(&body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = tokio::time::timeout(FIRST_BYTE, request.send())
            .await
            .map_err(|late| ProviderError::Unreachable(Box::new(late)))?
            .map_err(unreachable)?;
        let status = response.status();
        if !status.is_success() {
            return Err(refusal(status.as_u16(), response, self.key.as_ref()).await);
        }
        Ok(response)
    }
}

/// The URL may carry a password.
fn unreachable(error: reqwest::Error) -> ProviderError {
    ProviderError::Unreachable(Box::new(error.without_url()))
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
            let response = api.ask(&order).await?;
            let status = response.status().as_u16();
            let length = response.content_length().filter(|length| *length > 0);
            if length.is_some_and(|length| length > MAX_AUDIO_BYTES as u64) {
                Err(super::too_large())?;
            }
            let mut body = response.bytes_stream();
            let mut file = BytesMut::new();
            let mut told = 0;
            loop {
                let next = tokio::time::timeout(IDLE, body.next())
                    .await
                    .map_err(|late| ProviderError::Unreachable(Box::new(late)))?;
                let Some(chunk) = next else { break };
                append(&mut file, &chunk.map_err(unreachable)?)?;
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

async fn refusal(
    status: u16,
    response: reqwest::Response,
    key: Option<&SecretString>,
) -> ProviderError {
    if matches!(status, 408 | 409 | 425 | 429 | 500..=599) {
        return ProviderError::Busy(status);
    }
    let mut body = response.bytes_stream();
    let mut text = Vec::new();
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(IDLE, body.next()).await {
        text.extend_from_slice(&chunk[..chunk.len().min(MESSAGE_BYTES - text.len())]);
        if text.len() >= MESSAGE_BYTES {
            break;
        }
    }
    let message = outbound::quote(&String::from_utf8_lossy(&text), key);
    ProviderError::Refused { status, message }
}

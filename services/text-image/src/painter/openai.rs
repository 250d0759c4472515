//! Any OpenAI-compatible API behind the port, over `images/generations`; it names no vendor.
//!
//! Source of the shapes: <https://platform.openai.com/docs/api-reference/images/create>.

use std::sync::Arc;
use std::time::Duration;

use atelier_generation::ProviderError;
use atelier_kit::outbound::{self, Upstream};
use atelier_simulator::Simulator;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::offline::Style;
use crate::image::Commission;
use crate::ports::{Painted, Painter, Stroke};

/// The provider's name, told in every answer.
pub const PROVIDER: &str = "openai-compatible";

/// How long a picture may take: the API answers when it is done.
const ANSWER: Duration = Duration::from_secs(300);
/// The largest picture that is taken.
const PICTURE_BYTES: usize = 20 << 20;
/// The largest answer that is read: a picture in base64, and something around it.
const ANSWER_BYTES: usize = PICTURE_BYTES / 3 * 4 + (64 << 10);
/// The longest error body that is read.
const ERROR_BYTES: usize = 64 << 10;

/// Asks an OpenAI-compatible API.
#[derive(Clone, Debug)]
pub struct OpenAiPainter {
    client: reqwest::Client,
    base: Url,
    key: Option<SecretString>,
    /// It ends with this.
    _simulator: Option<Arc<Simulator>>,
}

impl OpenAiPainter {
    /// A client for this API, which may be a simulator: it runs as long as the client is there.
    pub fn new(upstream: &Upstream, simulator: Option<Simulator>) -> Result<Self, reqwest::Error> {
        outbound::crypto();
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(ANSWER)
            // An API has no reason to send a key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            base: upstream.url.clone(),
            key: upstream.key.clone(),
            _simulator: simulator.map(Arc::new),
        })
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    prompt: String,
    size: String,
    n: u8,
    response_format: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Datum>,
}

#[derive(Deserialize)]
struct Datum {
    b64_json: Option<String>,
    url: Option<String>,
}

impl Painter for OpenAiPainter {
    fn paint(
        &self,
        model: &str,
        commission: Commission,
    ) -> BoxStream<'static, Result<Stroke, ProviderError>> {
        let (painter, model) = (self.clone(), model.to_owned());
        Box::pin(futures_util::stream::once(async move {
            painter.ask(&model, &commission).await.map(Stroke::Done)
        }))
    }
}

impl OpenAiPainter {
    async fn ask(&self, model: &str, commission: &Commission) -> Result<Painted, ProviderError> {
        let style = Style::from_id(&commission.style).map_or("", |style| style.title());
        let body = Request {
            model,
            // These APIs know no styles of ours: the style is a part of what is asked for.
            prompt: format!("{}\n\nStyle: {style}", commission.prompt),
            size: format!("{}x{}", commission.width, commission.height),
            n: 1,
            response_format: "b64_json",
        };
        let url = outbound::endpoint(&self.base, "images/generations", self.key.as_ref());
        let mut request = self.client.post(url).json(&body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            return Err(self.refusal(status, response).await);
        }
        let text = read(response, ANSWER_BYTES).await?;
        let answer: Answer = serde_json::from_slice(&text).map_err(|error| {
            // The error may repeat a piece of what was said.
            ProviderError::Garbled(outbound::quote(&error.to_string(), self.key.as_ref()))
        })?;
        let datum = answer
            .data
            .into_iter()
            .next()
            .ok_or_else(|| ProviderError::Garbled("no picture in the answer".to_owned()))?;
        let bytes = match (datum.b64_json, datum.url) {
            (Some(text), _) => STANDARD
                .decode(text)
                .map_err(|error| ProviderError::Garbled(error.to_string()))?
                .into(),
            (None, Some(url)) => self.fetch(&url).await?,
            (None, None) => {
                return Err(ProviderError::Garbled(
                    "neither b64_json nor url".to_owned(),
                ));
            }
        };
        measure(bytes)
    }

    /// Fetches a picture that the API answered with a URL for; from the API's own origin alone, so that an answer
    /// cannot send this process anywhere.
    async fn fetch(&self, url: &str) -> Result<Bytes, ProviderError> {
        let url = Url::parse(url).map_err(|error| ProviderError::Garbled(error.to_string()))?;
        if url.origin() != self.base.origin() {
            return Err(ProviderError::Garbled(
                "the picture's URL leads to another origin".to_owned(),
            ));
        }
        let response = self.client.get(url).send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            return Err(self.refusal(status, response).await);
        }
        read(response, PICTURE_BYTES).await
    }

    async fn refusal(&self, status: u16, response: reqwest::Response) -> ProviderError {
        if matches!(status, 402 | 408 | 409 | 425 | 429 | 500..=599) {
            return ProviderError::Busy(status);
        }
        let text = read(response, ERROR_BYTES).await.unwrap_or_default();
        let message = outbound::quote(&String::from_utf8_lossy(&text), self.key.as_ref());
        ProviderError::Refused { status, message }
    }
}

/// The URL may carry a password.
fn unreachable(error: reqwest::Error) -> ProviderError {
    ProviderError::Unreachable(Box::new(error.without_url()))
}

/// Reads a body of at most so many bytes; they are counted, and no header is believed.
async fn read(response: reqwest::Response, most: usize) -> Result<Bytes, ProviderError> {
    let mut body = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(unreachable)?;
        if bytes.len() + chunk.len() > most {
            return Err(ProviderError::Garbled(format!(
                "the answer has more than {most} bytes"
            )));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// Looks at the bytes, not at what somebody says of them.
fn measure(bytes: Bytes) -> Result<Painted, ProviderError> {
    if bytes.len() > PICTURE_BYTES {
        return Err(ProviderError::Garbled(
            "the picture is too large".to_owned(),
        ));
    }
    let garbled = |error: imagesize::ImageError| ProviderError::Garbled(error.to_string());
    let content_type = match imagesize::image_type(&bytes).map_err(garbled)? {
        imagesize::ImageType::Png => "image/png",
        imagesize::ImageType::Jpeg => "image/jpeg",
        imagesize::ImageType::Webp => "image/webp",
        _ => {
            return Err(ProviderError::Garbled(
                "neither PNG, JPEG nor WebP".to_owned(),
            ));
        }
    };
    let size = imagesize::blob_size(&bytes).map_err(garbled)?;
    let side = |side: usize| {
        u32::try_from(side)
            .ok()
            .filter(|side| (1..=16_384).contains(side))
            .ok_or_else(|| ProviderError::Garbled("an impossible size".to_owned()))
    };
    Ok(Painted {
        content_type,
        width: side(size.width)?,
        height: side(size.height)?,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(measure(Bytes::from_static(b"<html>busy</html>")).is_err());
        assert!(measure(Bytes::new()).is_err());
        assert!(measure(Bytes::from_static(b"\x89PNG\r\n\x1a\n")).is_err());
    }
}

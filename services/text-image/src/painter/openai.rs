//! Any OpenAI-compatible API behind the port, over `images/generations`; it names no vendor.
//!
//! Source of the shapes: <https://platform.openai.com/docs/api-reference/images/create>.

use atelier_generation::ProviderError;
use atelier_upstream::calls::{Caller, Expected, Repeats};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::offline::Style;
use crate::image::Commission;
use crate::ports::{Painted, Painter, Stroke};

/// The largest picture that is taken.
const PICTURE_BYTES: usize = 20 << 20;
/// The largest answer that is read: a picture in base64, and something around it.
const ANSWER_BYTES: usize = PICTURE_BYTES / 3 * 4 + (64 << 10);

/// Asks an OpenAI-compatible API.
#[derive(Clone, Debug)]
pub struct OpenAiPainter {
    caller: Caller,
}

impl OpenAiPainter {
    /// Asks the API of this provider.
    pub fn new(caller: Caller) -> Self {
        Self { caller }
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
    // Told by models that are paid by tokens. What it looks like elsewhere keeps nobody from the picture.
    usage: Option<serde_json::Value>,
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
        let body = Request {
            model,
            prompt: prompt(commission),
            size: format!("{}x{}", commission.width, commission.height),
            n: 1,
            response_format: "b64_json",
        };
        let answered = self
            .caller
            .post("images/generations", &body, Repeats::Unbegun)
            .await?
            .expect(Expected::Json)?;
        let secrets = answered.secrets().clone();
        let origin = answered.origin();
        let text = answered.read(ANSWER_BYTES).await?;
        let (found, used) = picture(&text, |text| secrets.quote(text))?;
        let painted = match found {
            Found::File(bytes) => measure(bytes)?,
            // A URL is followed to the API's own origin alone, so that an answer sends this process nowhere.
            Found::At(url) => {
                let fetched = origin.fetch(&url).await?.expect(Expected::Picture)?;
                measure(fetched.read(PICTURE_BYTES).await?)?
            }
        };
        Ok(Painted {
            input_tokens: used.input_tokens,
            output_tokens: used.output_tokens,
            ..painted
        })
    }
}

/// The prompt as it is sent. These APIs know no styles of ours: the style is a part of what is asked for.
pub(super) fn prompt(commission: &Commission) -> String {
    let style = Style::from_id(&commission.style).map_or("", |style| style.title());
    format!("{}\n\nStyle: {style}", commission.prompt)
}

/// Where an answer has its picture.
#[derive(Debug)]
enum Found {
    /// In itself.
    File(Bytes),
    /// At a URL.
    At(String),
}

/// The tokens that an answer tells; 0 where it tells none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Used {
    input_tokens: i64,
    output_tokens: i64,
}

impl Used {
    fn read(usage: Option<&serde_json::Value>) -> Self {
        let figure = |name: &str| {
            let told = usage.and_then(|usage| usage.get(name)?.as_i64());
            told.map_or(0, |told| told.max(0))
        };
        Self {
            input_tokens: figure("input_tokens"),
            output_tokens: figure("output_tokens"),
        }
    }
}

/// Finds the picture in an answer, and what it used. An error may repeat a piece of what was said: `quote` makes it fit to be
/// told.
fn picture(text: &[u8], quote: impl Fn(&str) -> String) -> Result<(Found, Used), ProviderError> {
    let answer: Answer = serde_json::from_slice(text)
        .map_err(|error| ProviderError::Garbled(quote(&error.to_string())))?;
    let used = Used::read(answer.usage.as_ref());
    let datum = answer
        .data
        .into_iter()
        .next()
        .ok_or_else(|| ProviderError::Garbled("no picture in the answer".to_owned()))?;
    let found = match (datum.b64_json, datum.url) {
        (Some(text), _) => Found::File(
            STANDARD
                .decode(text)
                .map_err(|error| ProviderError::Garbled(error.to_string()))?
                .into(),
        ),
        (None, Some(url)) => Found::At(url),
        (None, None) => {
            return Err(ProviderError::Garbled(
                "neither b64_json nor url".to_owned(),
            ));
        }
    };
    Ok((found, used))
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
        input_tokens: 0,
        output_tokens: 0,
    })
}

#[cfg(test)]
#[path = "openai_tests.rs"]
mod tests;

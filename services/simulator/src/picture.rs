//! Pictures: `images/generations`, as PNG in base64.
//!
//! Source of the shapes: <https://platform.openai.com/docs/api-reference/images/create>.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::fate::chance;
use crate::script::Script;
use crate::{Room, unreadable, whole};

/// The most pixels of a side.
const MOST_PIXELS: u32 = 2048;

#[derive(Deserialize)]
struct Request {
    prompt: String,
    size: Option<String>,
    response_format: Option<String>,
}

/// `512x768`.
fn size_of(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    let side = |text: &str| {
        text.parse()
            .ok()
            .filter(|side| (1..=MOST_PIXELS).contains(side))
    };
    Some((side(width)?, side(height)?))
}

impl Script {
    /// The picture of a prompt, as PNG: stripes whose colours are the prompt's own. `None` when it is larger than 2048
    /// pixels on a side, or has none.
    pub fn picture_of(&self, prompt: &str, width: u32, height: u32) -> Option<Vec<u8>> {
        size_of(&format!("{width}x{height}"))?;
        let mut rng = chance(self.seed, &[b"picture", prompt.as_bytes()]);
        let colours: [[u8; 3]; 8] = std::array::from_fn(|_| [rng.u8(..), rng.u8(..), rng.u8(..)]);
        let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
        for y in 0..height {
            for x in 0..width {
                pixels.extend(colours[((x + y) / 16 % 8) as usize]);
            }
        }
        let mut picture = Vec::new();
        let mut encoder = png::Encoder::new(&mut picture, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().ok()?;
        writer.write_image_data(&pixels).ok()?;
        writer.finish().ok()?;
        Some(picture)
    }
}

pub(crate) async fn generate(State(room): State<Arc<Room>>, request: Bytes) -> Response {
    let (read, fate, visit) = match room.receive::<Request>(&request).await {
        Ok(received) => received,
        Err(refused) => return refused,
    };
    if read
        .response_format
        .is_some_and(|format| format != "b64_json")
    {
        return unreadable(visit, "response_format: only b64_json is simulated");
    }
    let size = size_of(read.size.as_deref().unwrap_or("1024x1024"));
    let picture = size
        .and_then(|(width, height)| room.fates.script().picture_of(&read.prompt, width, height));
    let Some(picture) = picture else {
        return unreadable(visit, "size: must be as in 512x512, at most 2048 on a side");
    };
    let answer = json!({"created": 0, "data": [{"b64_json": STANDARD.encode(picture)}]});
    whole(answer.to_string().into(), "application/json", &fate, visit)
}

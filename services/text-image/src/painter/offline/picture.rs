//! The finished picture and its PNG file. Paints nothing.

use super::PaintError;

/// A finished picture: tightly packed 8-bit RGB rows, top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub rgb: Vec<u8>,
    prompt: String,
}

impl Picture {
    pub(super) fn new(width: u32, height: u32, rgb: Vec<u8>, prompt: &str) -> Picture {
        Picture {
            width,
            height,
            rgb,
            // A NUL would end the text field early, other controls have no place in a caption.
            prompt: prompt
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect(),
        }
    }

    /// The picture as a PNG file that says who painted it and from which prompt.
    ///
    /// # Errors
    /// [`PaintError::Encode`] when the encoder refuses, which correct sizes never cause.
    pub fn to_png(&self) -> Result<Vec<u8>, PaintError> {
        let mut file = Vec::with_capacity(self.rgb.len() / 2);
        let refused = |error: png::EncodingError| PaintError::Encode(error.to_string());
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        // Grain compresses badly at any effort: large pictures are not made to wait for it.
        let large = self.rgb.len() > 3 << 20;
        encoder.set_compression(if large {
            png::Compression::Fast
        } else {
            png::Compression::Balanced
        });
        for (key, text) in [
            ("Software", "Atelier"),
            ("Source", "atelier offline painter"),
        ] {
            encoder
                .add_text_chunk(key.into(), text.into())
                .map_err(refused)?;
        }
        encoder
            .add_itxt_chunk("Description".into(), self.prompt.clone())
            .map_err(refused)?;
        let mut writer = encoder.write_header().map_err(refused)?;
        writer.write_image_data(&self.rgb).map_err(refused)?;
        writer.finish().map_err(refused)?;
        Ok(file)
    }
}

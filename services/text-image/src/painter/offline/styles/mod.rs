//! Renderings of a drawing: each style turns the same three layers into pixels in its own way.

mod illustration;
mod line;
mod neon;
mod oil;
mod paper;
mod pixel;
mod realistic;
mod watercolor;

use super::canvas::Canvas;
use super::style::Style;
use super::{PaintError, Ticker};

/// Renders the canvas; returns packed RGB rows of its size.
pub fn render(
    style: Style,
    canvas: &Canvas,
    seed: u64,
    ticker: &mut Ticker<'_>,
) -> Result<Vec<u8>, PaintError> {
    let grain = (seed >> 32) as u32;
    let image = match style {
        Style::Illustration => illustration::render(canvas, grain, ticker)?,
        Style::Realistic => realistic::render(canvas, grain, ticker)?,
        Style::Watercolor => watercolor::render(canvas, grain, ticker)?,
        Style::Oil => oil::render(canvas, grain, ticker)?,
        Style::PixelArt => pixel::render(canvas, ticker)?,
        Style::LineArt => line::render(canvas, grain, ticker)?,
        Style::Neon => neon::render(canvas, grain, ticker)?,
        Style::PaperCut => paper::render(canvas, grain, ticker)?,
    };
    Ok(image.bytes())
}

/// Runs `tone` for every pixel, telling progress between `from` and `to` of the style's part.
fn each(
    w: usize,
    h: usize,
    ticker: &mut Ticker<'_>,
    (from, to): (f32, f32),
    mut tone: impl FnMut(usize, usize, usize) -> super::palette::Rgb,
) -> Result<Vec<super::palette::Rgb>, PaintError> {
    let mut out = Vec::with_capacity(w * h);
    for y in 0..h {
        if y % 32 == 0 {
            ticker.styled(from + (to - from) * y as f32 / h as f32)?;
        }
        for x in 0..w {
            out.push(tone(x, y, y * w + x));
        }
    }
    Ok(out)
}

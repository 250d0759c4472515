//! The offline painter: a composed scene from the words of a prompt, rendered in a style. Pure
//! computation; it may not touch the network, the clock, files or threads.
//!
//! A prompt is read into a scene, a light and subjects (`words`); the scene and the subjects are drawn
//! on three layers, colour, ink and depth (`canvas`); a style renders the three into a picture
//! (`styles`). The same commission gives the same bytes.

mod canvas;
mod compose;
mod light;
mod noise;
mod palette;
mod pen;
mod picture;
mod raster;
mod scenes;
mod stand;
mod style;
mod styles;
mod subjects;
#[cfg(test)]
mod tests;
mod words;

use std::ops::ControlFlow;

pub use picture::Picture;
pub use style::Style;

use canvas::Canvas;
use noise::{Rng, mix64};
use raster::Image;
use words::{Habitat, What};

/// The smallest side of a picture, in pixels.
pub const MIN_SIDE: u32 = 64;
/// The largest side of a picture, in pixels.
pub const MAX_SIDE: u32 = 2048;
/// The long side of a preview, in pixels.
const PREVIEW_SIDE: usize = 128;
/// The part of the work that is done when the drawing is and the style begins.
const DRAWN: f32 = 0.4;

/// What to paint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commission<'a> {
    /// Any text; its first 4,000 characters are read.
    pub prompt: &'a str,
    /// How to render it.
    pub style: Style,
    /// Width in pixels, [`MIN_SIDE`] to [`MAX_SIDE`].
    pub width: u32,
    /// Height in pixels, [`MIN_SIDE`] to [`MAX_SIDE`].
    pub height: u32,
    /// Chooses among the many pictures a prompt allows.
    pub seed: u64,
}

/// A small image of the work so far.
#[derive(Clone, Copy, Debug)]
pub struct Preview<'a> {
    /// Width in pixels, at most 128.
    pub width: u32,
    /// Height in pixels, at most 128.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub rgb: &'a [u8],
}

/// How far the work is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// 0 at the start to 1 at the end; never falls.
    pub fraction: f32,
    /// The work so far, given a few times early on.
    pub preview: Option<Preview<'a>>,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaintError {
    /// The callback asked to stop.
    #[error("painting was cancelled")]
    Cancelled,
    /// A side is out of range.
    #[error("a side of {width}x{height} is outside {MIN_SIDE}..={MAX_SIDE} pixels")]
    Size {
        /// The width asked for.
        width: u32,
        /// The height asked for.
        height: u32,
    },
    /// The PNG encoder refused.
    #[error("the png encoder refused: {0}")]
    Encode(String),
}

/// Passes progress on and turns a wish to stop into an error.
struct Ticker<'a> {
    listen: &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
}

impl Ticker<'_> {
    fn tell(&mut self, fraction: f32) -> Result<(), PaintError> {
        self.send(Progress {
            fraction,
            preview: None,
        })
    }

    fn show(&mut self, fraction: f32, canvas: &Canvas) -> Result<(), PaintError> {
        let small = Image::of(&canvas.colour).reduced(PREVIEW_SIDE);
        let rgb = small.bytes();
        let preview = Preview {
            width: small.w as u32,
            height: small.h as u32,
            rgb: &rgb,
        };
        self.send(Progress {
            fraction,
            preview: Some(preview),
        })
    }

    /// Tells how far the style is, from 0 to 1 of its own part.
    fn styled(&mut self, part: f32) -> Result<(), PaintError> {
        self.tell(DRAWN + (0.98 - DRAWN) * part.clamp(0.0, 1.0))
    }

    fn send(&mut self, progress: Progress<'_>) -> Result<(), PaintError> {
        match (self.listen)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(PaintError::Cancelled),
        }
    }
}

/// Paints a commission. `on_progress` hears how far it is, and stops the work by breaking.
///
/// # Errors
/// [`PaintError::Size`] when a side is out of range, [`PaintError::Cancelled`] when the callback broke.
pub fn paint(
    c: &Commission<'_>,
    on_progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Picture, PaintError> {
    let sides = MIN_SIDE..=MAX_SIDE;
    let size = PaintError::Size {
        width: c.width,
        height: c.height,
    };
    if !sides.contains(&c.width) || !sides.contains(&c.height) {
        return Err(size);
    }
    let mut ticker = Ticker {
        listen: on_progress,
    };
    ticker.tell(0.0)?;
    let reading = words::read(c.prompt);
    // The backdrop hangs on seed and scene alone, so another subject leaves the place as it was.
    let seed = mix64(c.seed ^ (reading.scene as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut rng = Rng::new(seed);
    let (air, light) = light::of(&reading, &mut rng);
    let Some(mut canvas) = Canvas::new(c.width, c.height, light) else {
        return Err(size);
    };
    let stage = scenes::stage(&canvas, &reading);
    let still_life = reading.subjects.first().is_none_or(|s| match s.what {
        What::Known(noun) => noun.habitat() == Habitat::Table,
        What::Unknown(_) => true,
    });
    let grain = (rng.bits() & 0xffff) as u32;
    let mut set = scenes::Set {
        reading: &reading,
        air,
        rng: Rng::new(rng.bits()),
        grain,
        table: still_life,
    };
    scenes::backdrop(&mut canvas, &stage, &mut set);
    ticker.show(0.15, &canvas)?;
    let placed = compose::layout(&canvas, &stage, &reading, &mut rng);
    for one in &placed {
        stand::draw(&mut canvas, &stage, &reading, one, c.seed);
        ticker.tell(0.2)?;
    }
    scenes::foreground(&mut canvas, &stage, &mut set);
    ticker.show(DRAWN, &canvas)?;
    let rgb = styles::render(c.style, &canvas, seed, &mut ticker)?;
    ticker.tell(1.0)?;
    Ok(Picture::new(c.width, c.height, rgb, c.prompt))
}

//! The house style: clean shapes, soft contours, grain that gathers in the shade.

use super::super::canvas::Canvas;
use super::super::noise::{fbm, lattice};
use super::super::palette::{Rgb, hex};
use super::super::raster::{Image, Plane};
use super::super::{PaintError, Ticker};

pub fn render(canvas: &Canvas, seed: u32, ticker: &mut Ticker<'_>) -> Result<Image, PaintError> {
    let base = Image::of(&canvas.colour);
    let unit = canvas.unit();
    ticker.styled(0.1)?;
    let soft = base.blurred(unit * 1.6);
    ticker.styled(0.3)?;
    let ink = Plane::channel(&canvas.ink, 3).blurred(unit * 0.16);
    let (w, h) = (base.w, base.h);
    let cell = (unit * 0.22).max(1.0);
    let v = super::each(w, h, ticker, (0.4, 1.0), |x, y, i| {
        let c = base.v[i];
        let dark = (1.0 - c.luma()).powi(2);
        let speck = lattice((x as f32 / cell) as i32, (y as f32 / cell) as i32, seed) - 0.5;
        let paper = fbm(
            x as f32 / (unit * 1.2),
            y as f32 / (unit * 1.2),
            2,
            seed ^ 3,
        ) - 0.5;
        let lined = c.mix(c.dark(0.8), (ink.v[i] * 0.55).min(0.6));
        // The blur laid over the sharp shapes makes light spill a little over its edges.
        let lit = lined.mix(screen(lined, soft.v[i].scale(0.5)), 0.22);
        let (u, t) = (x as f32 / w as f32 - 0.5, y as f32 / h as f32 - 0.5);
        let edge = (u * u + t * t) * 0.3;
        lit.scale(1.0 + speck * (0.05 + 0.16 * dark) + paper * 0.05)
            .mix(hex(0x2a1f3a), edge * 0.5)
            .mix(hex(0xfff3df), 0.03)
    })?;
    Ok(Image { w, h, v })
}

fn screen(a: Rgb, b: Rgb) -> Rgb {
    let one = |a: f32, b: f32| 1.0 - (1.0 - a) * (1.0 - b);
    Rgb::new(one(a.r, b.r), one(a.g, b.g), one(a.b, b.b))
}

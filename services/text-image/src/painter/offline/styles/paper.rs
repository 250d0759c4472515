//! Cut paper: sheets stacked by depth, flat in colour, each with a soft shadow on the one below.

use super::super::canvas::Canvas;
use super::super::noise::fbm;
use super::super::palette::Rgb;
use super::super::raster::{Image, Plane};
use super::super::{PaintError, Ticker};

/// Sheets from the farthest to the nearest.
const SHEETS: f32 = 9.0;

pub fn render(canvas: &Canvas, seed: u32, ticker: &mut Ticker<'_>) -> Result<Image, PaintError> {
    let unit = canvas.unit();
    let base = Image::of(&canvas.colour);
    let (w, h) = (base.w, base.h);
    let near = Plane::channel(&canvas.field, 0);
    let body = Plane::channel(&canvas.field, 2);
    // Sky gets sheets of its own, cut along bands of tone.
    let soft = base.blurred(unit * 1.3);
    let tone = soft.luma();
    ticker.styled(0.25)?;
    let height: Vec<f32> = (0..w * h)
        .map(|i| {
            // Ground that recedes evenly is cut along waves, as hills of paper would be.
            let (x, y) = ((i % w) as f32, (i / w) as f32);
            let wave = (fbm(x / (unit * 22.0), y / (unit * 40.0), 2, seed ^ 60) - 0.5)
                * 1.5
                * (1.0 - body.v[i]);
            let sheet = (near.v[i] * SHEETS + if near.v[i] < 0.02 { 0.0 } else { wave }).floor();
            let band = if near.v[i] < 0.02 {
                (tone.v[i] * 6.0).floor() * 0.25
            } else {
                0.0
            };
            sheet + band + body.v[i] * 2.0
        })
        .collect();
    let height = Plane { w, h, v: height };
    let ink = Plane::channel(&canvas.ink, 3);
    let seams = ink.blurred(unit * 0.5);
    // A shadow falls where something higher lies towards the light.
    let (lx, ly) = canvas.light.from;
    let (dx, dy) = ((lx * unit * 1.5) as i32, (ly * unit * 1.5) as i32);
    let cast: Vec<f32> = (0..w * h)
        .map(|i| {
            let (x, y) = ((i % w) as i32, (i / w) as i32);
            let above = height.at(x + dx, y + dy) - height.v[i];
            above.clamp(0.0, 2.0) * 0.5
        })
        .collect();
    let shadow = Plane { w, h, v: cast }.blurred(unit * 0.9);
    ticker.styled(0.55)?;
    let v = super::each(w, h, ticker, (0.55, 1.0), |x, y, i| {
        let (px, py) = (x as i32, y as i32);
        // Flat colour: tone in few steps, hue kept, as if chosen from a pad of papers.
        let c = if body.v[i] > 0.5 {
            base.v[i]
        } else {
            soft.v[i]
        };
        let luma = c.luma().max(0.02);
        let steps = if body.v[i] > 0.5 { 9.0 } else { 6.0 };
        let level = ((luma * steps).floor() + 0.5) / steps;
        let pull = if body.v[i] > 0.5 { 0.35 } else { 1.0 };
        let flat = c
            .scale(1.0 + ((level / luma).clamp(0.6, 1.6) - 1.0) * pull)
            .vivid(1.15)
            .mix(Rgb::WHITE, 0.05);
        let fibre = fbm(
            x as f32 / (unit * 0.5),
            y as f32 / (unit * 0.5),
            3,
            seed ^ (height.v[i] as u32),
        ) - 0.5;
        let speck = fbm(
            x as f32 / (unit * 2.2),
            y as f32 / (unit * 0.7),
            2,
            seed ^ 5,
        ) - 0.5;
        let mut c = flat.scale(1.0 + fibre * 0.1 + speck * 0.05);
        // The cut edge catches light on the side of the lamp.
        let (ex, ey) = (lx.signum() as i32, ly.signum() as i32);
        let step = (unit * 0.16).max(1.0) as i32;
        let rim = (height.v[i] - height.at(px + ex * step, py + ey * step)).clamp(0.0, 1.0);
        let seam = ink.v[i] - ink.at(px - ex * step, py - ey * step);
        c = c.light((rim * 0.4 + (-seam).max(0.0) * 0.16).min(0.5));
        c.dark(
            (shadow.v[i] * 0.85).min(0.62) + (seams.v[i] * 0.34 * (0.3 + 0.7 * near.v[i])).min(0.3),
        )
    })?;
    Ok(Image { w, h, v })
}

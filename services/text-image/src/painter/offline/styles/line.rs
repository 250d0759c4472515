//! Pen and ink on paper: contours with a living hand, hatching for tone, a thin wash on the subject.

use super::super::canvas::Canvas;
use super::super::noise::{fbm, value};
use super::super::palette::hex;
use super::super::raster::{Image, Plane};
use super::super::{PaintError, Ticker};

pub fn render(canvas: &Canvas, seed: u32, ticker: &mut Ticker<'_>) -> Result<Image, PaintError> {
    let unit = canvas.unit();
    let base = Image::of(&canvas.colour);
    let (w, h) = (base.w, base.h);
    let tone = base.luma().blurred(unit * 0.5);
    ticker.styled(0.15)?;
    let ink = Plane::channel(&canvas.ink, 3);
    let near = Plane::channel(&canvas.field, 0);
    let body = Plane::channel(&canvas.field, 2);
    let wash = base.blurred(unit * 0.9);
    ticker.styled(0.35)?;
    // Night scenes would be black with hatching: tone is stretched to the range that is there.
    let mut sorted: Vec<f32> = tone.v.iter().step_by(97).copied().collect();
    sorted.sort_by(f32::total_cmp);
    let pick = |q: f32| {
        sorted
            .get((sorted.len() as f32 * q) as usize)
            .copied()
            .unwrap_or(0.5)
    };
    let (low, high) = (pick(0.04), pick(0.9).max(pick(0.04) + 0.15));
    let paper = hex(0xf7f1e3);
    let black = hex(0x1d1b22);
    let gap = (unit * 0.95).max(3.0);
    let v = super::each(w, h, ticker, (0.4, 1.0), |x, y, i| {
        let (fx, fy) = (x as f32, y as f32);
        let grain = fbm(fx / (unit * 0.8), fy / (unit * 0.8), 2, seed ^ 17) - 0.5;
        let mut c = paper.scale(1.0 + grain * 0.035);
        let edge = (fx.min(w as f32 - fx).min(fy).min(h as f32 - fy) / (unit * 9.0)).min(1.0);
        let spot = body.v[i] * 0.85 + (1.0 - body.v[i]) * 0.14;
        let slip = (unit * 0.5) as i32;
        let tint = wash
            .at(x as i32 - slip, y as i32 - slip)
            .vivid(1.4)
            .light(0.2);
        c = c.mix(c.times(tint.clamp()), spot * (0.8 + grain));
        // The hand trembles: lines are read a little beside where they are.
        let k = unit * 3.0;
        let tx = (value(fx / k, fy / k, seed) - 0.5) * unit * 0.8;
        let ty = (value(fx / k, fy / k, seed ^ 4) - 0.5) * unit * 0.8;
        let (qx, qy) = ((fx + tx) as i32, (fy + ty) as i32);
        let press = 0.62 + 0.55 * value(fx / (unit * 5.0), fy / (unit * 5.0), seed ^ 8);
        let strength = (0.42 + 0.58 * near.v[i]) * press;
        let contour = (ink.at(qx, qy) * 1.25 * strength).min(1.0);
        let level = ((tone.v[i] - low) / (high - low)).clamp(0.0, 1.0);
        let mut hatch: f32 = 0.0;
        let wob = (value(fx / (unit * 4.0), fy / (unit * 4.0), seed ^ 31) - 0.5) * gap * 0.5;
        // Darker places take more layers, each at its own angle.
        for (limit, cos, sin, soft) in [
            (0.62, 0.766, 0.643, 0.5),
            (0.4, -0.643, 0.766, 0.55),
            (0.22, 0.259, 0.966, 0.6),
            (0.1, 0.966, -0.259, 0.6),
        ] {
            if level > limit {
                break;
            }
            let across = (fx * cos + fy * sin + wob) / gap;
            let from_line = (across - across.floor() - 0.5).abs() * gap;
            let along = (fx * sin - fy * cos) / (unit * 6.0);
            let lift = value(along, across.floor() * 7.3, seed ^ 3);
            let weight =
                ((limit - level) * 3.4).min(1.0) * unit.max(1.6) * 0.17 * (0.5 + lift) + 0.22;
            hatch = hatch.max((weight - from_line + 0.5).clamp(0.0, 1.0) * soft);
        }
        let depth = 0.35 + 0.65 * near.v[i];
        let pen = black.mix(tint.dark(0.45), body.v[i] * 0.75);
        c = c.mix(pen, (hatch * depth * edge.max(0.2)).min(0.85));
        c.mix(black, contour * edge.max(0.25))
    })?;
    Ok(Image { w, h, v })
}

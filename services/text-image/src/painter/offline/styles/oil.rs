//! Thick paint: strokes from broad to fine that follow the forms, with bristle marks lit from the side.

use super::super::canvas::Canvas;
use super::super::noise::{Rng, fbm, lattice, value};
use super::super::palette::Rgb;
use super::super::raster::{Image, Plane};
use super::super::{PaintError, Ticker};

/// Streaks across a brush.
const BRISTLES: usize = 12;

/// One stroke of the brush.
struct Stroke {
    x: f32,
    y: f32,
    cos: f32,
    sin: f32,
    long: f32,
    wide: f32,
    bend: f32,
    colour: Rgb,
    seed: u32,
}

pub fn render(canvas: &Canvas, seed: u32, ticker: &mut Ticker<'_>) -> Result<Image, PaintError> {
    let unit = canvas.unit();
    let base = Image::of(&canvas.colour);
    let (w, h) = (base.w, base.h);
    let body = Plane::channel(&canvas.field, 2);
    let ink = Plane::channel(&canvas.ink, 3).blurred(unit * 0.3);
    let flow = base.luma().blurred(unit * 0.8);
    let mut out = Image {
        w,
        h,
        v: base
            .blurred(unit * 3.0)
            .v
            .iter()
            .map(|c| c.dark(0.2))
            .collect(),
    };
    let mut relief = Plane {
        w,
        h,
        v: vec![0.0; w * h],
    };
    let mut rng = Rng::new(u64::from(seed));
    ticker.styled(0.08)?;
    // Broad strokes everywhere, then ever finer ones where there is more to say.
    for (pass, (wide, stretch, detail)) in [
        (3.4, 3.2, 0.0),
        (1.9, 3.4, 0.0),
        (1.0, 3.4, 0.035),
        (0.55, 3.2, 0.09),
    ]
    .into_iter()
    .enumerate()
    {
        let wide = (unit * wide).max(1.2);
        let soft = base.blurred(wide * 0.45);
        let step = wide * 1.05;
        let (columns, rows) = (
            (w as f32 / step) as usize + 2,
            (h as f32 / step) as usize + 2,
        );
        let mut spots: Vec<u32> = (0..(columns * rows) as u32).collect();
        for i in (1..spots.len()).rev() {
            let j = rng.below(i + 1);
            spots.swap(i, j);
        }
        let total = spots.len() as f32;
        for (k, spot) in spots.into_iter().enumerate() {
            if k % 512 == 0 {
                ticker.styled(0.08 + 0.82 * (pass as f32 + k as f32 / total) / 4.0)?;
            }
            let x = ((spot as usize % columns) as f32 + rng.range(-0.5, 0.5)) * step;
            let y = ((spot as usize / columns) as f32 + rng.range(-0.5, 0.5)) * step;
            let (ix, iy) = (x as i32, y as i32);
            let d = (wide * 0.7).max(1.0) as i32;
            let gx = flow.at(ix + d, iy) - flow.at(ix - d, iy);
            let gy = flow.at(ix, iy + d) - flow.at(ix, iy - d);
            let slope = (gx * gx + gy * gy).sqrt();
            let busy = slope + ink.at(ix, iy) * 0.2 + body.at(ix, iy) * 0.06;
            if busy < detail {
                continue;
            }
            // Along the contour where there is one, along a slow wind elsewhere.
            let wind = (fbm(x / (unit * 24.0), y / (unit * 24.0), 2, seed ^ 5) - 0.5) * 5.0 + 0.3;
            let (mut cos, mut sin) = (wind.cos(), wind.sin() * 0.7);
            if slope > 0.012 {
                let t = ((slope - 0.012) * 28.0).min(1.0);
                let s = if cos * -gy + sin * gx < 0.0 {
                    -1.0
                } else {
                    1.0
                };
                cos = cos * (1.0 - t) + -gy / slope * s * t;
                sin = sin * (1.0 - t) + gx / slope * s * t;
            }
            let n = (cos * cos + sin * sin).sqrt().max(1e-3);
            let mut colour = soft.at(ix, iy);
            // Broken colour: neighbouring strokes differ a little in hue and tone.
            let tone = rng.range(-0.07, 0.07);
            colour = colour
                .turn(rng.range(-0.016, 0.016))
                .vivid(1.18)
                .scale(1.0 + tone);
            let shrink = 1.0 - (slope * 3.0).min(0.5);
            let stroke = Stroke {
                x,
                y,
                cos: cos / n,
                sin: sin / n,
                long: wide * stretch * shrink,
                wide,
                bend: rng.range(-0.16, 0.16),
                colour,
                seed: rng.bits() as u32,
            };
            lay(&mut out, &mut relief, &stroke);
        }
    }
    let v = super::each(w, h, ticker, (0.9, 1.0), |x, y, i| {
        let (px, py) = (x as i32, y as i32);
        let slope = (relief.at(px - 1, py - 1) - relief.at(px + 1, py + 1))
            + (relief.at(px, py - 1) - relief.at(px, py + 1)) * 0.5;
        let weave = value(x as f32 / (unit * 0.32).max(1.0), y as f32 * 0.11, seed)
            + value(x as f32 * 0.11, y as f32 / (unit * 0.32).max(1.0), seed ^ 2)
            - 1.0;
        let light = -slope * 0.42;
        let c = out.v[i];
        let c = if light > 0.0 {
            c.light((light * 0.55).min(0.3))
        } else {
            c.dark((-light * 0.7).min(0.35))
        };
        c.scale(1.0 + weave * 0.035)
    })?;
    Ok(Image { w, h, v })
}

/// Lays one stroke on the picture and its thickness on the relief.
fn lay(out: &mut Image, relief: &mut Plane, s: &Stroke) {
    let (half_l, half_w) = (s.long / 2.0, s.wide / 2.0);
    // Single bristles leave their own streak, the same along the whole stroke.
    let bristles: [f32; BRISTLES + 1] = std::array::from_fn(|k| lattice(k as i32, 0, s.seed));
    let sway = half_w + (s.bend * half_l).abs() * 0.6;
    let reach = s.sin.abs() * half_l + s.cos.abs() * sway;
    let y0 = (s.y - reach).floor().max(0.0) as usize;
    let y1 = ((s.y + reach).ceil().max(0.0) as usize).min(out.h);
    for y in y0..y1 {
        let dy = y as f32 - s.y;
        // Only the part of the row that the slanted box of the stroke covers is visited.
        let lengthwise = span(s.cos, dy * s.sin, half_l);
        let crosswise = span(-s.sin, dy * s.cos, sway);
        let (low, high) = (lengthwise.0.max(crosswise.0), lengthwise.1.min(crosswise.1));
        let x0 = (s.x + low).floor().max(0.0) as usize;
        let x1 = ((s.x + high).ceil().max(0.0) as usize).min(out.w);
        for x in x0..x1 {
            let dx = x as f32 - s.x;
            let t = (dx * s.cos + dy * s.sin) / half_l;
            let across = dy * s.cos - dx * s.sin + s.bend * half_l * (t * t - 0.4);
            let u = across / half_w;
            if t.abs() > 1.0 || u.abs() > 1.0 {
                continue;
            }
            let lane = (u * 0.5 + 0.5) * (BRISTLES as f32 - 0.001);
            let k = lane as usize;
            let streak = bristles[k] + (bristles[k + 1] - bristles[k]) * (lane - k as f32);
            // At the end of the stroke the bristles run dry.
            let dry = 1.0 - ((t - 0.35).max(0.0) * 1.5 + (u.abs() - 0.55).max(0.0) * 1.6);
            let body = ((1.0 - u.abs()) * 4.0).min(1.0) * ((1.0 - t.abs()) * 5.0).min(1.0);
            let cover = (body * (dry + (streak - 0.45) * 1.1)).clamp(0.0, 1.0);
            if cover <= 0.02 {
                continue;
            }
            let at = y * out.w + x;
            out.v[at] = out.v[at].mix(s.colour.scale(0.94 + streak * 0.12), cover);
            let thick = 0.25 + streak * 0.75 + (u.abs() - 0.6).max(0.0) * 0.8;
            relief.v[at] += (thick - relief.v[at]) * cover;
        }
    }
}

/// The steps d for which `slope * d + offset` lies within `limit` of zero.
fn span(slope: f32, offset: f32, limit: f32) -> (f32, f32) {
    if slope.abs() < 1e-3 {
        return if offset.abs() <= limit + 1.0 {
            (f32::MIN / 4.0, f32::MAX / 4.0)
        } else {
            (0.0, -1.0)
        };
    }
    let (a, b) = ((-limit - offset) / slope, (limit - offset) / slope);
    (a.min(b), a.max(b))
}

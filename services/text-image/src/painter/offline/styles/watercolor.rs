//! Wet paper: washes that wander over their edges, dry with a dark rim, and let the grain show.

use super::super::canvas::Canvas;
use super::super::noise::{Rng, fbm, value};
use super::super::palette::{Rgb, hex};
use super::super::raster::{Image, Plane};
use super::super::{PaintError, Ticker};

pub fn render(canvas: &Canvas, seed: u32, ticker: &mut Ticker<'_>) -> Result<Image, PaintError> {
    let unit = canvas.unit();
    let base = Image::of(&canvas.colour);
    let (w, h) = (base.w, base.h);
    let body = Plane::channel(&canvas.field, 2);
    let wet = base.blurred(unit * 1.7);
    let damp = base.blurred(unit * 0.45);
    ticker.styled(0.2)?;
    // Pigment wanders: every pixel takes its colour from a place nearby.
    let washed = super::each(w, h, ticker, (0.2, 0.5), |x, y, i| {
        let (fx, fy) = (x as f32, y as f32);
        let k = unit * 3.2;
        let calm = 1.0 - 0.55 * body.v[i];
        let dx = (fbm(fx / k, fy / k, 3, seed) - 0.5) * unit * 3.4 * calm;
        let dy = (fbm(fx / k, fy / k, 3, seed ^ 11) - 0.5) * unit * 3.4 * calm;
        let pool = fbm(fx / (unit * 13.0), fy / (unit * 13.0), 3, seed ^ 29);
        let flow = ((pool - 0.42) * 3.0).clamp(0.0, 1.0) * (1.0 - body.v[i] * 0.75);
        damp.sample(fx + dx, fy + dy)
            .mix(wet.sample(fx + dx * 1.6, fy + dy * 1.6), flow)
    })?;
    let washed = Image { w, h, v: washed };
    let tone = washed.luma();
    let around = tone.blurred(unit * 0.8);
    ticker.styled(0.6)?;
    let pencil = Plane::channel(&canvas.ink, 3);
    let paper = hex(0xfbf7ec);
    let border = unit * 3.4;
    let v = super::each(w, h, ticker, (0.62, 0.97), |x, y, i| {
        let (fx, fy) = (x as f32, y as f32);
        let grain = fbm(fx / (unit * 0.7), fy / (unit * 0.7), 2, seed ^ 71);
        let c = washed.v[i];
        // How much pigment lies here: pools, dry spots, granulation in the paper's valleys.
        let pool = fbm(fx / (unit * 8.0), fy / (unit * 8.0), 4, seed ^ 41) - 0.5;
        let rim =
            (around.v[i] - tone.v[i]).max(0.0) * 3.1 + (tone.v[i] - around.v[i]).max(0.0) * 0.5;
        let airy = 0.3 + 0.7 * tone.v[i];
        let load = (1.0 + (pool * 0.55 + (0.5 - grain) * 0.24) * airy + rim).clamp(0.45, 1.7);
        let mut out = stain(paper, c.vivid(1.22).light(0.05), load);
        let px = fx + (value(fx / (unit * 2.0), fy / (unit * 2.0), seed) - 0.5) * unit * 0.35;
        let line =
            pencil.at(px as i32, y as i32) * (0.25 + 0.35 * grain) * (0.35 + body.v[i] * 0.65);
        out = out.mix(hex(0x4a4652), line * 0.8);
        // An unpainted margin with a torn-looking wash edge.
        let inset = fx.min(w as f32 - 1.0 - fx).min(fy.min(h as f32 - 1.0 - fy));
        let ragged =
            border * (0.55 + fbm(fx / (unit * 5.0), fy / (unit * 5.0), 4, seed ^ 90) * 0.9);
        let bare = ((ragged - inset) / (unit * 0.5)).clamp(0.0, 1.0);
        let lip = (1.0 - ((inset - ragged - unit * 0.3) / (unit * 0.5)).abs()).clamp(0.0, 1.0);
        out = out.scale(1.0 - lip * 0.16).mix(paper, bare);
        let tooth = grain
            - fbm(
                fx / (unit * 0.7) - 0.35,
                fy / (unit * 0.7) - 0.35,
                2,
                seed ^ 71,
            );
        out.scale(1.0 + tooth * 0.16)
    })?;
    let mut image = Image { w, h, v };
    spatter(&mut image, &washed, unit, seed);
    Ok(image)
}

/// Transparent pigment on paper: more load, deeper colour.
fn stain(paper: Rgb, pigment: Rgb, load: f32) -> Rgb {
    let p = pigment.clamp();
    let one = |paper: f32, c: f32| {
        let through = c.max(0.03);
        // Between one coat and two the light passes twice; a square approximates the power.
        let coat = if load < 1.0 {
            1.0 + (through - 1.0) * load
        } else {
            through * (1.0 + (through - 1.0) * (load - 1.0) * 0.8)
        };
        paper * coat
    };
    Rgb::new(one(paper.r, p.r), one(paper.g, p.g), one(paper.b, p.b))
}

/// A few drops shaken from the brush.
fn spatter(image: &mut Image, source: &Image, unit: f32, seed: u32) {
    let mut rng = Rng::new(u64::from(seed) ^ 0xd70b);
    let (w, h) = (image.w as f32, image.h as f32);
    for _ in 0..26 {
        let (x, y) = (rng.range(0.0, w), rng.range(0.0, h));
        let r = unit * (0.15 + rng.unit().powi(3) * 0.8);
        let c = source
            .sample(rng.range(0.0, w), rng.range(0.0, h))
            .vivid(1.2);
        let reach = r.ceil() as i32;
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let (px, py) = (x as i32 + dx, y as i32 + dy);
                let d = ((dx * dx + dy * dy) as f32).sqrt() / r;
                if d < 1.0
                    && px >= 0
                    && py >= 0
                    && (px as usize) < image.w
                    && (py as usize) < image.h
                {
                    let at = py as usize * image.w + px as usize;
                    let load = if d > 0.7 { 0.55 } else { 0.35 };
                    image.v[at] = image.v[at].mix(image.v[at].times(c.light(0.2)), load);
                }
            }
        }
    }
}

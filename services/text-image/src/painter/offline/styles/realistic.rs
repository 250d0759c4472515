//! Soft light on rounded forms: occlusion where forms meet, focus on what is near, bloom and fine grain.

use super::super::canvas::Canvas;
use super::super::noise::{fbm, lattice};
use super::super::palette::Rgb;
use super::super::raster::{Image, Plane};
use super::super::{PaintError, Ticker};

pub fn render(canvas: &Canvas, seed: u32, ticker: &mut Ticker<'_>) -> Result<Image, PaintError> {
    let base = Image::of(&canvas.colour);
    let unit = canvas.unit();
    let (w, h) = (base.w, base.h);
    let far = base.blurred(unit * 0.5);
    ticker.styled(0.15)?;
    let near = Plane::channel(&canvas.field, 0);
    let rough = Plane::channel(&canvas.field, 1);
    let body = Plane::channel(&canvas.field, 2);
    // Blurred at two widths, the subject's silhouette becomes a hill whose slopes take the light.
    let hill = body.blurred(unit * 2.4);
    let knoll = Plane {
        w,
        h,
        v: Plane::channel(&canvas.ink, 3).blurred(unit * 0.9).v,
    };
    ticker.styled(0.35)?;
    let crease = Plane::channel(&canvas.ink, 3).blurred(unit * 0.35);
    let bright: Vec<Rgb> = base
        .v
        .iter()
        .map(|c| c.scale(((c.luma() - 0.62) * 2.6).clamp(0.0, 1.0)))
        .collect();
    let bloom = Image { w, h, v: bright }.blurred(unit * 3.5);
    ticker.styled(0.55)?;
    let (lx, ly) = canvas.light.from;
    let key = canvas.light.key;
    let night = canvas.light.night;
    let v = super::each(w, h, ticker, (0.55, 1.0), |x, y, i| {
        let (px, py) = (x as i32, y as i32);
        let depth = near.v[i];
        let focus = ((depth - 0.35) * 2.6).clamp(0.0, 1.0);
        let mut c = far.v[i].mix(base.v[i], focus);
        let step = (unit * 0.6).max(1.0) as i32;
        let slope_x = hill.at(px + step, py) - hill.at(px - step, py);
        let slope_y = hill.at(px, py + step) - hill.at(px, py - step);
        let facing = -(slope_x * lx + slope_y * ly) * 1.5 * body.v[i];
        c = if facing > 0.0 {
            c.mix(key, (facing * 0.5).min(0.45))
        } else {
            c.dark((-facing * 0.85).min(0.5))
        };
        c = c.dark((crease.v[i] * 0.3 + knoll.v[i] * 0.3).min(0.42) * (0.35 + 0.65 * depth));
        // Texture: fine for things, streaked and coarser for the ground.
        let k = unit * (0.35 + depth * 0.35);
        let grit = fbm(
            x as f32 / k,
            y as f32 / (k * (1.0 - 0.4 * (1.0 - body.v[i]))),
            3,
            seed,
        ) - 0.5;
        let blot = fbm(
            x as f32 / (unit * 6.0),
            y as f32 / (unit * 5.0),
            3,
            seed ^ 7,
        ) - 0.5;
        let amount = rough.v[i] * (0.25 + 0.75 * depth);
        c = c.scale(1.0 + grit * 0.34 * amount + blot * 0.22 * (0.3 + amount));
        let glow = bloom.v[i];
        // Light adds up as on film: what is bright already gains little.
        let room = 1.0 - c.luma().clamp(0.0, 1.0) * 0.85;
        c = c.plus(glow.scale((0.36 + 0.3 * night) * room));
        let (u, t) = (x as f32 / w as f32 - 0.5, y as f32 / h as f32 - 0.5);
        c = c.scale(1.0 - (u * u + t * t) * 0.62);
        // A film curve: soft shoulders, slightly lifted blacks, warm lights and cool darks.
        let film = |v: f32| {
            let v = v.max(0.0);
            (v * (1.0 + v * 0.12) / (1.0 + v * 0.22)) * 1.1
        };
        let c = Rgb::new(film(c.r) * 1.01, film(c.g), film(c.b) * 0.99 + 0.008);
        let grain = lattice(px, py, seed ^ 99) - 0.5;
        c.vivid(1.06)
            .plus(Rgb::new(grain, grain, grain).scale(0.022))
    })?;
    Ok(Image { w, h, v })
}

//! The sky, its clouds and stars, and the weather that falls from it.

use tiny_skia::{BlendMode, Shader};

use super::super::canvas::{Canvas, Finish, skia};
use super::super::noise::{fbm, value};
use super::super::palette::{Rgb, hex};
use super::super::pen::{oval, poly};
use super::super::words::{Noun, Time, Weather, What};
use super::{Set, Stage};

/// Paints the sky down to the row `to`.
pub fn paint(canvas: &mut Canvas, set: &mut Set<'_>, to: f32) {
    let (w, h) = canvas.size();
    let to = (to + 2.0).min(h);
    let air = set.air;
    let seed = set.grain;
    let unit = canvas.unit();
    let from = canvas.light.from;
    let night = canvas.light.night;
    // Clouds keep their shape in any format: their measure is the unit, stretched sideways.
    let (sx, sy) = (1.0 / (unit * 34.0), 1.0 / (unit * 15.0));
    let reach = to.max(1.0);
    let low_cover = 1.0 - air.cover;
    canvas.paint(0.0, to, |x, y, _| {
        let t = (y / reach).min(1.0);
        let clear = if t < 0.55 {
            air.zenith.mix(air.middle, t / 0.55)
        } else {
            air.middle.mix(air.low, (t - 0.55) / 0.45)
        };
        // Nearer the horizon clouds are seen from the side: flatter and smaller.
        let flat = 1.0 + t * 1.4;
        let (u, v) = (x * sx * (0.7 + t * 0.5), y * sy * flat);
        let warp = value(u * 1.3, v * 1.3, seed ^ 77) - 0.5;
        let density = fbm(u + warp * 0.6, v, 5, seed);
        let body = ((density - low_cover * 0.82 - 0.06) * 5.0).clamp(0.0, 1.0);
        if body <= 0.0 {
            return clear;
        }
        let toward = fbm(u + from.0 * 0.22 + warp * 0.6, v + from.1 * 0.3, 3, seed);
        let lit = (0.55 + (density - toward) * 3.2).clamp(0.0, 1.0);
        let cloud = air.gloom.mix(air.cloud, lit).mix(air.low, t * t * 0.45);
        clear.mix(cloud, body * body * (3.0 - 2.0 * body) * 0.92)
    });
    if night > 0.7 {
        stars(canvas, set, to * 0.92);
    }
    let has = |n: Noun| {
        set.reading
            .subjects
            .iter()
            .any(|s| s.what == What::Known(n))
    };
    let open = !matches!(
        set.reading.weather,
        Weather::Storm | Weather::Rain | Weather::Snowfall
    );
    if open && !has(Noun::Sun) && !has(Noun::Moon) {
        let side = w * (0.5 + canvas.light.from.0 * 0.36);
        match set.reading.time {
            Time::Night => disc(canvas, side, to * 0.24, unit * 5.5, hex(0xf1eedd), 0.55),
            Time::Day => disc(canvas, side, to * 0.2, unit * 5.0, hex(0xfffbe6), 0.6),
            _ => disc(canvas, side, to * 0.84, unit * 8.0, hex(0xfff0c0), 0.9),
        }
    } else if open && set.reading.time == Time::Dusk {
        canvas.glow(w * 0.5, to, unit * 60.0, hex(0xffb060), 0.4);
    }
}

fn disc(canvas: &mut Canvas, x: f32, y: f32, r: f32, colour: Rgb, alpha: f32) {
    let halo = if canvas.light.night > 0.7 {
        hex(0xb8ccff)
    } else {
        hex(0xffd890)
    };
    canvas.glow(x, y, r * 9.0, halo, alpha * 0.6);
    canvas.glow(x, y, r * 3.0, colour, alpha);
    let keep = canvas.near;
    canvas.near = 0.02;
    if let Some(path) = oval(x, y, r, r) {
        canvas.fill(&path, colour, 1.0, Finish::Glow);
    }
    canvas.near = keep;
}

/// Scatters stars down to the row `to`.
pub fn stars(canvas: &mut Canvas, set: &mut Set<'_>, to: f32) {
    let mut rng = set.fork();
    let (w, _) = canvas.size();
    let unit = canvas.unit();
    let n = ((w * to) / (unit * unit * 26.0)).clamp(20.0, 900.0) as usize;
    for _ in 0..n {
        let (x, y) = (rng.range(0.0, w), rng.range(0.0, to));
        let size = rng.unit().powi(4);
        let tint = [hex(0xffffff), hex(0xcfe0ff), hex(0xffe9cf)][rng.below(3)];
        let r = (unit * (0.1 + size * 0.26)).max(0.45);
        if let Some(path) = oval(x, y, r, r) {
            canvas.veil(
                &path,
                Shader::SolidColor(skia(tint, 0.45 + size * 0.55)),
                BlendMode::SourceOver,
            );
        }
        if size > 0.55 {
            canvas.glow(x, y, r * 7.0, tint, 0.5);
        }
    }
}

/// A world of clouds seen from above.
pub fn above_clouds(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    let (w, h) = canvas.size();
    paint(canvas, set, h);
    let unit = canvas.unit();
    let air = set.air;
    for layer in 0..4 {
        let t = layer as f32 / 3.0;
        let y = stage.horizon - h * 0.1 + t * h * 0.16;
        canvas.near = 0.2 + t * 0.5;
        let n = (w / (unit * 13.0)).ceil() as i32 + 2;
        for i in -1..n {
            let x = (i as f32 + set.rng.range(-0.3, 0.3)) * unit * 13.0;
            let r = unit * set.rng.range(8.0, 15.0) * (0.7 + t * 0.6);
            let c = air.gloom.mix(air.cloud, 0.55 + t * 0.45);
            if let Some(p) = oval(x, y + r * 0.7, r, r * 0.72) {
                canvas.fill(&p, c, 0.95, Finish::Round);
            }
        }
        let line = [(-4.0, y + unit * 9.0), (w + 4.0, y + unit * 9.0)];
        let c = air.gloom.mix(air.cloud, 0.3 + t * 0.4);
        let keep = canvas.line;
        canvas.line = 0.0;
        super::below(canvas, &line, c, Finish::Flat);
        canvas.line = keep;
    }
}

/// Thin clouds drifting in front.
pub fn wisps(canvas: &mut Canvas, set: &mut Set<'_>) {
    let (_, h) = canvas.size();
    let unit = canvas.unit();
    let (seed, cloud) = (set.grain ^ 991, set.air.cloud);
    canvas.paint(h * 0.72, h, |x, y, under| {
        let t = ((y / h - 0.72) / 0.28).clamp(0.0, 1.0);
        let d = fbm(x / (unit * 26.0), y / (unit * 8.0), 4, seed);
        under.mix(cloud, ((d - 0.42) * 3.0).clamp(0.0, 0.7) * t)
    });
}

/// Rain, snow, fog and lightning over the finished scene.
pub fn weather(canvas: &mut Canvas, set: &mut Set<'_>) {
    use super::super::words::Scene;
    if matches!(
        set.reading.scene,
        Scene::Room | Scene::Space | Scene::Moonscape | Scene::Underwater
    ) {
        return;
    }
    match set.reading.weather {
        Weather::Rain => rain(canvas, set, 1.0),
        Weather::Storm => {
            rain(canvas, set, 1.4);
        }
        Weather::Snowfall => snowfall(canvas, set),
        Weather::Fog => fog(canvas, set),
        Weather::Clear | Weather::Cloudy => {}
    }
}

/// A bolt from the clouds to the horizon, with its light; painted behind the subjects.
pub fn lightning(canvas: &mut Canvas, set: &mut Set<'_>, to: f32) {
    let (w, _) = canvas.size();
    let unit = canvas.unit();
    let mut x = w * set.rng.range(0.2, 0.8);
    canvas.glow(x, to * 0.3, unit * 70.0, hex(0xc8d4ff), 0.6);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let steps = 12;
    for i in 0..=steps {
        let t = i as f32 / steps as f32;
        let half = unit * (0.9 - t * 0.7);
        left.push((x - half, t * to));
        right.push((x + half, t * to));
        if i == 5 {
            let end = (x + unit * 16.0, t * to + unit * 20.0);
            let fork = [
                (x, t * to),
                (x + unit * 7.0, t * to + unit * 8.0),
                end,
                (x + unit * 6.0, t * to + unit * 9.5),
            ];
            if let Some(p) = poly(&fork) {
                canvas.fill(&p, hex(0xf2f4ff), 1.0, Finish::Glow);
            }
        }
        x += set.rng.range(-1.0, 1.0) * unit * 5.0;
    }
    left.extend(right.into_iter().rev());
    if let Some(p) = poly(&left) {
        canvas.fill(&p, hex(0xf6f7ff), 1.0, Finish::Glow);
    }
}

fn rain(canvas: &mut Canvas, set: &mut Set<'_>, force: f32) {
    let mut rng = set.fork();
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    let n = ((w * h) / (unit * unit * 24.0) * force).clamp(60.0, 1400.0) as usize;
    for _ in 0..n {
        let (x, y) = (rng.range(-0.1, 1.1) * w, rng.range(-0.1, 1.0) * h);
        let k = rng.range(0.5, 1.3);
        let (len, wide) = (unit * 6.5 * k, (unit * 0.11 * k).max(0.35));
        let lean = len * 0.22 * force;
        let streak = [
            (x - wide, y),
            (x + wide, y),
            (x - lean + wide, y + len),
            (x - lean - wide, y + len),
        ];
        if let Some(p) = poly(&streak) {
            let c = Shader::SolidColor(skia(hex(0xdfe9f5), 0.34 * k));
            canvas.veil(&p, c, BlendMode::SourceOver);
        }
    }
}

fn snowfall(canvas: &mut Canvas, set: &mut Set<'_>) {
    let mut rng = set.fork();
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    let n = ((w * h) / (unit * unit * 36.0)).clamp(50.0, 1000.0) as usize;
    for _ in 0..n {
        let (x, y) = (rng.range(0.0, w), rng.range(0.0, h));
        let r = unit * (0.18 + rng.unit().powi(3) * 0.85);
        if let Some(p) = oval(x, y, r.max(0.5), r.max(0.5)) {
            let alpha = 0.9 - r / unit * 0.4;
            canvas.veil(
                &p,
                Shader::SolidColor(skia(Rgb::WHITE, alpha)),
                BlendMode::SourceOver,
            );
        }
    }
}

fn fog(canvas: &mut Canvas, set: &mut Set<'_>) {
    let (_, h) = canvas.size();
    let unit = canvas.unit();
    let (seed, haze) = (set.grain ^ 4242, canvas.light.haze.light(0.12));
    canvas.paint(0.0, h, |x, y, under| {
        let band = 1.0 - ((y / h - 0.66) / 0.34).abs().min(1.0);
        let d = fbm(x / (unit * 42.0), y / (unit * 12.0), 4, seed);
        under.mix(haze, ((d - 0.3) * 1.9 * band).clamp(0.0, 0.72))
    });
}

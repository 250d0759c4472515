//! The world under water.

use super::super::canvas::{Canvas, Finish, skia};
use super::super::noise::fbm;
use super::super::palette::{Rgb, hex};
use super::super::pen::{oval, smooth};
use super::{Set, Stage, below, ridge};

pub fn underwater(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    let night = canvas.light.night;
    let (top, deep) = (
        hex(0x6fd6e6).mix(hex(0x1d4a7a), night),
        hex(0x083a63).mix(hex(0x04142c), night),
    );
    let accent = set.reading.accent;
    let tint = |c: Rgb| accent.map_or(c, |a| c.mix(a, 0.45));
    let (top, mid, deep) = (
        tint(top),
        tint(hex(0x1f8ab4).mix(hex(0x0a2c52), night)),
        tint(deep),
    );
    let seed = set.grain;
    let lean = canvas.light.from.0;
    canvas.paint(0.0, h, |x, y, _| {
        let t = y / h;
        let base = if t < 0.4 {
            top.mix(mid, t / 0.4)
        } else {
            mid.mix(deep, (t - 0.4) / 0.6)
        };
        // Rays fan out from above the surface.
        let u = (x + lean * y * 0.6) / (unit * 13.0) / (1.0 + t * 0.8);
        let ray = (fbm(u, t * 0.25, 2, seed ^ 6) - 0.46).max(0.0) * 2.4 * (1.0 - t).powi(2);
        base.light(ray.min(0.5))
    });
    for (i, near) in [0.15, 0.35].into_iter().enumerate() {
        canvas.near = near;
        let line = ridge(
            canvas,
            stage.horizon + unit * (i as f32 * 4.0 - 3.0),
            unit * (34.0 - i as f32 * 10.0),
            26.0,
            3,
            set.grain + i as u32 * 11,
        );
        below(canvas, &line, hex(0x2f5f78), Finish::Slope);
    }
    canvas.near = 0.75;
    let line = ridge(
        canvas,
        stage.horizon + unit * 4.0,
        unit * 7.0,
        40.0,
        2,
        set.grain + 3,
    );
    below(canvas, &line, hex(0xcdb987), Finish::Slope);
    let from = stage.horizon + unit * 4.0;
    canvas.paint(from, h, |x, y, under| {
        let net = (fbm(x / (unit * 5.0), y / (unit * 2.0), 3, seed ^ 51) - 0.5).abs();
        under.light((0.12 - net * 2.0).max(0.0) * (1.0 - night * 0.6))
    });
    canvas.rough = 0.6;
    for _ in 0..((w / unit * 0.16) as usize).clamp(5, 22) {
        let x = set.rng.range(0.0, w);
        let centre = ((x - w * 0.5).abs() / (w * 0.5)).min(1.0);
        let size = unit * set.rng.range(6.0, 11.0) * (0.55 + centre * 0.7);
        let y = stage.horizon + unit * set.rng.range(6.0, 13.0);
        canvas.near = 0.7;
        growth(canvas, set, x, y, size);
    }
}

fn growth(canvas: &mut Canvas, set: &mut Set<'_>, x: f32, y: f32, size: f32) {
    let tones = [0xf0608a, 0xf59a4a, 0xb868d8, 0xf4d35e, 0x5ec8a8];
    let c = Rgb::hex(tones[set.rng.below(tones.len())]);
    match set.rng.below(3) {
        0 => {
            for i in 0..6 {
                let a = (i as f32 - 2.5) * 0.42;
                let tip = (x + a.sin() * size * 1.1, y - a.cos() * size * 1.3);
                let w = size * 0.12;
                let bend = ((x + tip.0) / 2.0 + w, (y + tip.1) / 2.0);
                if let Some(p) = smooth(
                    &[
                        (x - w, y),
                        (bend.0 - w, bend.1),
                        (tip.0 - w * 0.7, tip.1),
                        (tip.0, tip.1 - w),
                        (tip.0 + w * 0.7, tip.1),
                        (bend.0 + w, bend.1),
                        (x + w, y),
                    ],
                    true,
                ) {
                    canvas.fill(&p, c, 1.0, Finish::Round);
                }
            }
        }
        1 => {
            for i in 0..4 {
                let x = x + (i as f32 - 1.5) * size * 0.28;
                let tall = size * set.rng.range(1.8, 3.2);
                let sway = size * 0.22;
                let w = size * 0.13;
                let blade = [
                    (x - w, y),
                    (x + sway - w, y - tall * 0.33),
                    (x - sway - w * 0.7, y - tall * 0.66),
                    (x + sway * 0.6, y - tall),
                    (x - sway + w, y - tall * 0.62),
                    (x + sway + w, y - tall * 0.3),
                    (x + w, y),
                ];
                if let Some(p) = smooth(&blade, true) {
                    canvas.fill(&p, hex(0x3f9a62), 1.0, Finish::Slope);
                }
            }
        }
        _ => {
            for (dx, dy, k) in [(-0.5, 0.0, 0.5), (0.5, 0.0, 0.45), (0.0, -0.3, 0.6)] {
                if let Some(p) = oval(x + dx * size, y + dy * size, size * k, size * k * 0.8) {
                    canvas.fill(&p, c, 1.0, Finish::Round);
                }
            }
        }
    }
}

pub fn bubbles(canvas: &mut Canvas, set: &mut Set<'_>) {
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    for _ in 0..3 {
        let x0 = set.rng.range(0.1, 0.9) * w;
        for _ in 0..9 {
            let (x, y) = (
                x0 + set.rng.range(-4.0, 4.0) * unit,
                set.rng.range(0.1, 0.8) * h,
            );
            let r = unit * set.rng.range(0.4, 1.5);
            for (r, c, a) in [(r, hex(0xd8f6ff), 0.36), (r * 0.75, hex(0x5fc0dc), 0.3)] {
                if let Some(p) = oval(x, y, r, r) {
                    canvas.veil(
                        &p,
                        tiny_skia::Shader::SolidColor(skia(c, a)),
                        tiny_skia::BlendMode::SourceOver,
                    );
                }
            }
            if let Some(p) = oval(x - r * 0.3, y - r * 0.3, r * 0.25, r * 0.25) {
                canvas.veil(
                    &p,
                    tiny_skia::Shader::SolidColor(skia(Rgb::WHITE, 0.9)),
                    tiny_skia::BlendMode::SourceOver,
                );
            }
        }
    }
}

//! Deep space, and the ground of an airless moon.

use super::super::canvas::{Canvas, Finish};
use super::super::noise::{Rng, fbm, value};
use super::super::palette::{Rgb, hex};
use super::super::pen::{Pen, oval};
use super::super::words::{Noun, What};
use super::{Set, Stage, below, land, ridge, sky};

pub fn deep(canvas: &mut Canvas, _stage: &Stage, set: &mut Set<'_>) {
    let (w, h) = canvas.size();
    nebula(canvas, set, h);
    sky::stars(canvas, set, h);
    let planet = set
        .reading
        .subjects
        .iter()
        .any(|s| s.what == What::Known(Noun::Planet));
    if !planet {
        let unit = canvas.unit();
        let (x, r) = (
            w * if set.rng.chance(0.5) { 0.14 } else { 0.88 },
            unit * set.rng.range(26.0, 36.0),
        );
        world(canvas, set, x, h * 0.96, r);
    }
}

fn nebula(canvas: &mut Canvas, set: &mut Set<'_>, to: f32) {
    let unit = canvas.unit();
    let seed = set.grain;
    let hue = set.rng.unit();
    let first = set
        .reading
        .accent
        .unwrap_or(Rgb::hsl(0.55 + hue * 0.4, 0.75, 0.5));
    let second = first.turn(set.rng.range(0.12, 0.3));
    let slope = set.rng.range(-0.6, 0.6);
    let (w, h) = canvas.size();
    canvas.paint(0.0, to, |x, y, _| {
        let (u, v) = (x / (unit * 32.0), y / (unit * 32.0));
        let warp = fbm(u * 0.9, v * 0.9, 3, seed ^ 5);
        let n = fbm(u + warp * 1.6, v - warp * 1.2, 5, seed);
        // A brighter band crosses the picture.
        let across = ((y - h * 0.5) - (x - w * 0.5) * slope).abs() / (unit * 55.0);
        let band = (1.0 - across).clamp(0.0, 1.0);
        let glow = ((n - 0.4) * 2.4).clamp(0.0, 1.0) * (0.3 + band * 0.8);
        let dust = value(u * 3.0, v * 3.0, seed ^ 8);
        hex(0x050611)
            .mix(first, glow * 0.62)
            .mix(second, (glow * (warp - 0.3) * 1.5).clamp(0.0, 0.6))
            .light(glow * glow * dust * 0.4)
    });
}

fn world(canvas: &mut Canvas, set: &mut Set<'_>, x: f32, y: f32, r: f32) {
    canvas.near = 0.1;
    let base = Rgb::hsl(set.rng.unit(), 0.45, 0.5);
    canvas.glow(x, y, r * 1.4, base.light(0.3), 0.5);
    if let Some(p) = oval(x, y, r, r) {
        canvas.fill(&p, base, 1.0, Finish::Round);
    }
    let seed = set.grain ^ 1234;
    let (top, low) = (y - r, y + r);
    canvas.paint(top, low, |px, py, under| {
        let (dx, dy) = ((px - x) / r, (py - y) / r);
        if dx * dx + dy * dy > 0.995 {
            return under;
        }
        let n = fbm(dx * 2.2 + 7.0, dy * 5.0, 4, seed);
        under.scale(0.8 + n * 0.5)
    });
}

pub fn moonscape(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    nebula(canvas, set, stage.horizon + unit * 8.0);
    canvas.paint(0.0, stage.horizon + unit * 8.0, |_, _, c| c.scale(0.55));
    sky::stars(canvas, set, stage.horizon);
    earth(
        canvas,
        set,
        w * (0.5 - canvas.light.from.0 * 0.42),
        stage.horizon * 0.36,
        unit * 13.0,
    );
    let dust = hex(0xa8a6a6);
    canvas.near = 0.3;
    canvas.rough = 0.8;
    let line = ridge(canvas, stage.horizon, unit * 16.0, 24.0, 4, set.grain);
    below(canvas, &line, dust.dark(0.25), Finish::Slope);
    land::ground(canvas, set, stage.horizon + unit * 4.0, dust, 0.8);
    for i in 0..12 {
        let t = (i as f32 + set.rng.unit()) / 12.0;
        let (x, y) = (
            set.rng.range(0.0, w),
            stage.horizon + unit * 7.0 + (h - stage.horizon) * t * 0.85,
        );
        let r = unit * (1.2 + t * 7.0) * set.rng.range(0.5, 1.1);
        canvas.near = 0.5 + t * 0.5;
        for (k, dy, c) in [
            (1.0, 0.0, dust.light(0.25)),
            (0.86, 0.05, dust.dark(0.45)),
            (0.66, 0.1, dust.dark(0.15)),
        ] {
            if let Some(p) = oval(x, y + dy * r, r * k, r * k * 0.32) {
                canvas.fill(&p, c, 1.0, Finish::Slope);
            }
        }
    }
}

fn earth(canvas: &mut Canvas, set: &mut Set<'_>, x: f32, y: f32, r: f32) {
    canvas.near = 0.05;
    canvas.glow(x, y, r * 2.0, hex(0x6ab8ff), 0.5);
    let rng = Rng::new(set.rng.bits());
    let mut pen = Pen::new(canvas, x, y, r, rng);
    pen.oval(0.0, 0.0, 1.0, 1.0, hex(0x2f78c8));
    for land in [
        [
            (-0.6, -0.5),
            (-0.1, -0.7),
            (0.05, -0.3),
            (-0.2, 0.0),
            (-0.5, -0.1),
        ],
        [
            (-0.3, 0.1),
            (0.1, 0.2),
            (0.0, 0.7),
            (-0.2, 0.8),
            (-0.34, 0.4),
        ],
        [
            (0.4, -0.6),
            (0.74, -0.3),
            (0.6, 0.2),
            (0.4, 0.0),
            (0.3, -0.3),
        ],
    ] {
        pen.blob(&land, hex(0x57a05a));
    }
    pen.alpha = 0.8;
    for c in [
        [(-0.8, -0.2), (-0.2, -0.34), (0.3, -0.2), (-0.2, -0.16)],
        [(-0.1, 0.36), (0.4, 0.26), (0.8, 0.36), (0.3, 0.46)],
    ] {
        pen.blob(&c, Rgb::WHITE);
    }
}

//! Mountains, snowfields and dunes.

use super::super::canvas::{Canvas, Finish};
use super::super::noise::{Rng, fbm, value};
use super::super::palette::hex;
use super::super::pen::{Pen, poly};
use super::super::subjects::plants;
use super::super::words::{Noun, Season, What};
use super::land::{blooms, far_trees, ground, thunder, turf};
use super::{Set, Stage, below, ridge, sky};

pub fn mountains(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    sky::paint(canvas, set, stage.horizon + canvas.unit() * 6.0);
    thunder(canvas, stage, set);
    let unit = canvas.unit();
    let lead = |n: Noun| {
        set.reading
            .subjects
            .iter()
            .any(|s| s.what == What::Known(n))
    };
    // A mountain that was asked for stands alone; the range behind it stays low.
    let tall = if lead(Noun::Mountain) || lead(Noun::Volcano) {
        0.5
    } else {
        1.0
    };
    range(canvas, set, stage.horizon, unit * 74.0 * tall, 0.1, 0);
    range(
        canvas,
        set,
        stage.horizon + unit * 3.0,
        unit * 50.0 * tall,
        0.24,
        31,
    );
    let green = turf(set.reading.season);
    canvas.near = 0.4;
    let line = ridge(
        canvas,
        stage.horizon + unit * 4.0,
        unit * 10.0,
        30.0,
        2,
        set.grain + 5,
    );
    below(canvas, &line, green.mix(hex(0x3f6a5a), 0.5), Finish::Slope);
    far_trees(canvas, set, &line, unit * 3.0, 0.45, 0.5);
    ground(canvas, set, stage.horizon + unit * 9.0, green, 0.9);
    blooms(canvas, stage, set);
}

/// One jagged range with lit and shaded faces and snow on its heights.
pub fn range(canvas: &mut Canvas, set: &mut Set<'_>, base: f32, height: f32, near: f32, salt: u32) {
    let (w, _) = canvas.size();
    let unit = canvas.unit();
    let rock = hex(0x6c7690);
    let lit_left = canvas.light.from.0 < 0.0;
    canvas.near = near;
    canvas.rough = 0.8;
    let gap = unit * 30.0;
    let n = (w / gap).ceil() as i32 + 2;
    let mut peaks: Vec<(f32, f32)> = (-1..n)
        .map(|i| {
            (
                (i as f32 + set.rng.range(0.1, 0.9)) * gap,
                height * set.rng.range(0.5, 1.0),
            )
        })
        .collect();
    // Higher peaks stand behind lower ones.
    peaks.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (k, (x, tall)) in peaks.into_iter().enumerate() {
        let seed = set.grain.wrapping_add(salt).wrapping_add(k as u32 * 17);
        let half = tall * set.rng.range(0.62, 0.85);
        let steps = 14;
        let edge = |side: f32, seed: u32| -> Vec<(f32, f32)> {
            (0..=steps)
                .map(|i| {
                    let t = i as f32 / steps as f32;
                    let jag = (value(t * 7.0, side, seed) - 0.5)
                        * half
                        * 0.16
                        * (1.0 - (2.0 * t - 1.0).abs());
                    (
                        x + side * half * t.powf(0.9) + jag,
                        base - tall * (1.0 - t) + unit * 2.0,
                    )
                })
                .collect()
        };
        let (left, right) = (edge(-1.0, seed), edge(1.0, seed ^ 3));
        let spine: Vec<_> = (0..=steps)
            .map(|i| {
                let t = i as f32 / steps as f32;
                let jag = (value(t * 6.0, 9.0, seed) - 0.5) * half * 0.55 * t.min(0.6);
                (x + jag, base - tall * (1.0 - t) + unit * 2.0)
            })
            .collect();
        let side = |canvas: &mut Canvas, outer: &[(f32, f32)], bright: bool| {
            let face = |inner: &[(f32, f32)], outer: &[(f32, f32)]| {
                let mut all = outer.to_vec();
                all.extend(inner.iter().rev());
                poly(&all)
            };
            let (c, s) = if bright {
                (rock.light(0.2), hex(0xfbfcff))
            } else {
                (rock.dark(0.3), hex(0xc3cfe4))
            };
            if let Some(p) = face(&spine, outer) {
                canvas.fill(&p, c, 1.0, Finish::Slope);
            }
            // Snow ends in tongues that run down the gullies.
            let depth = if set.reading.season == Season::Winter {
                10
            } else {
                5
            };
            let mut cap: Vec<_> = outer[..=depth].to_vec();
            let (a, b) = (outer[depth], spine[depth]);
            for i in 1..6 {
                let t = i as f32 / 6.0;
                let drop = if i % 2 == 0 { 0.09 } else { -0.05 } * tall;
                cap.push((a.0 + (b.0 - a.0) * t, a.1 + drop));
            }
            cap.extend(spine[..=depth].iter().rev());
            if let Some(p) = poly(&cap) {
                let keep = canvas.line;
                canvas.line = 0.0;
                canvas.fill(&p, s, 1.0, Finish::Slope);
                canvas.line = keep;
            }
        };
        side(canvas, &left, lit_left);
        side(canvas, &right, !lit_left);
    }
}

pub fn desert(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    sky::paint(canvas, set, stage.horizon + canvas.unit() * 6.0);
    thunder(canvas, stage, set);
    let unit = canvas.unit();
    let sand = hex(0xe3b56c);
    canvas.near = 0.12;
    // Table mountains far away.
    for _ in 0..3 {
        let (w, _) = canvas.size();
        let x = set.rng.range(0.0, w);
        let (half, tall) = (
            unit * set.rng.range(9.0, 22.0),
            unit * set.rng.range(7.0, 15.0),
        );
        let y = stage.horizon + unit * 2.0;
        if let Some(p) = poly(&[
            (x - half, y),
            (x - half * 0.8, y - tall * 0.6),
            (x - half * 0.66, y - tall),
            (x + half * 0.6, y - tall),
            (x + half * 0.74, y - tall * 0.55),
            (x + half, y),
        ]) {
            canvas.fill(&p, hex(0xb0683f), 1.0, Finish::Slope);
        }
    }
    for (i, near) in [0.3, 0.5, 0.7].into_iter().enumerate() {
        canvas.near = near;
        let base = stage.horizon + unit * (2.0 + i as f32 * 7.0);
        let line = ridge(
            canvas,
            base,
            unit * (12.0 + i as f32 * 5.0),
            40.0 + i as f32 * 14.0,
            1,
            set.grain + i as u32 * 3,
        );
        below(canvas, &line, sand.dark(0.05 * i as f32), Finish::Slope);
        // The lee side of each dune lies in shade below a sharp crest.
        let shade: Vec<_> = line
            .iter()
            .map(|&(x, y)| (x, y + unit * 1.2 + (y - base + unit * 9.0).max(0.0) * 0.9))
            .collect();
        let keep = canvas.line;
        canvas.line = 0.0;
        below(canvas, &shade, sand.light(0.1), Finish::Flat);
        canvas.line = keep;
    }
    let (_, h) = canvas.size();
    let (seed, from) = (set.grain ^ 5, stage.horizon + unit * 20.0);
    canvas.recede(from, 0.6, 1.0, 0.5);
    canvas.paint(from, h, |x, y, under| {
        let t = ((y - from) / (h - from).max(1.0)).clamp(0.0, 1.0);
        let bend = fbm(x / (unit * 30.0), y / (unit * 20.0), 3, seed) * 9.0;
        let wave = ((y / (unit * (0.7 + t * 1.1)) + bend) * 2.2).sin();
        under.scale(1.0 + wave * 0.045 * (0.3 + t))
    });
}

pub fn snow(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    sky::paint(canvas, set, stage.horizon + canvas.unit() * 6.0);
    let unit = canvas.unit();
    range(canvas, set, stage.horizon, unit * 36.0, 0.14, 77);
    for (i, near) in [0.3, 0.45].into_iter().enumerate() {
        canvas.near = near;
        let line = ridge(
            canvas,
            stage.horizon + unit * (1.0 + i as f32 * 4.0),
            unit * 10.0,
            34.0,
            2,
            set.grain + i as u32,
        );
        below(canvas, &line, hex(0xe9eff7), Finish::Slope);
        for &(x, y) in line.iter().step_by(3) {
            if set.rng.chance(0.26) {
                let size = unit * set.rng.range(3.0, 6.0) * (1.0 + i as f32 * 0.6);
                let rng = Rng::new(set.rng.bits());
                plants::pine(
                    &mut Pen::new(canvas, x, y - size * 0.8, size, rng),
                    Season::Winter,
                );
            }
        }
    }
    ground(canvas, set, stage.horizon + unit * 9.0, hex(0xf0f4fa), 0.5);
}

//! A street between towers.

use super::super::canvas::{Canvas, Finish};
use super::super::noise::fbm;
use super::super::palette::{Rgb, hex};
use super::super::pen::poly;
use super::super::words::Weather;
use super::{Set, Stage, sky};

fn block(x0: f32, y0: f32, x1: f32, y1: f32) -> Option<tiny_skia::Path> {
    poly(&[(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
}

pub fn street(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    sky::paint(canvas, set, stage.horizon);
    if set.reading.weather == Weather::Storm {
        sky::lightning(canvas, set, stage.horizon);
    }
    for (layer, near) in [0.1, 0.25, 0.42].into_iter().enumerate() {
        let k = layer as f32;
        canvas.near = near;
        let mut x = -unit * 4.0;
        while x < w {
            let wide = unit * set.rng.range(7.0, 13.0) * (1.0 + k * 0.3);
            // Towers rise to the sides, so that the middle shows the sky behind the subject.
            let open = (((x + wide * 0.5) - w * 0.5).abs() / (w * 0.5)).min(1.0);
            let tall = unit * set.rng.range(20.0, 52.0) * (0.5 + 0.65 * open) * (1.1 - k * 0.14);
            tower(
                canvas,
                set,
                (x, stage.horizon - tall, x + wide, stage.horizon + unit),
                k,
            );
            x += wide * set.rng.range(0.9, 1.25);
        }
    }
    pavement(canvas, stage, set);
    if matches!(set.reading.weather, Weather::Rain | Weather::Storm) || canvas.light.night > 0.6 {
        canvas.reflect(
            stage.horizon + unit * 3.0,
            hex(0x23262e),
            0.42,
            set.grain ^ 5,
        );
    }
    let seed = set.grain ^ 71;
    canvas.paint(stage.horizon, h, |x, y, under| {
        let n = fbm(x / (unit * 3.0), y / (unit * 1.0), 3, seed) - 0.5;
        under.scale(1.0 + n * 0.16)
    });
}

fn tower(
    canvas: &mut Canvas,
    set: &mut Set<'_>,
    (x0, y0, x1, y1): (f32, f32, f32, f32),
    layer: f32,
) {
    let unit = canvas.unit();
    let night = canvas.light.night;
    let tones = [0x7a8798, 0x9a8272, 0x66798a, 0xa3968a, 0x5f6a80, 0x8d6a5f];
    let wall = Rgb::hex(tones[set.rng.below(tones.len())]).dark(0.35 * night);
    canvas.rough = 0.4;
    if let Some(p) = block(x0, y0, x1, y1) {
        canvas.fill(&p, wall, 1.0, Finish::Slope);
    }
    let side = x0
        + (x1 - x0)
            * if canvas.light.from.0 < 0.0 {
                0.72
            } else {
                0.28
            };
    let (a, b) = if canvas.light.from.0 < 0.0 {
        (side, x1)
    } else {
        (x0, side)
    };
    if let Some(p) = block(a, y0, b, y1) {
        let keep = canvas.line;
        canvas.line = 0.0;
        canvas.fill(&p, wall.dark(0.25), 1.0, Finish::Flat);
        canvas.line = keep;
    }
    match set.rng.below(4) {
        0 => {
            let x = (x0 + x1) / 2.0;
            if let Some(p) = block(x - unit * 0.2, y0 - unit * 7.0, x + unit * 0.2, y0) {
                canvas.fill(&p, wall.dark(0.4), 1.0, Finish::Flat);
            }
            canvas.glow(x, y0 - unit * 7.0, unit * 2.0, hex(0xff5050), 0.7 * night);
        }
        1 => {
            if let Some(p) = block(
                x0 + (x1 - x0) * 0.25,
                y0 - unit * 2.6,
                x0 + (x1 - x0) * 0.75,
                y0,
            ) {
                canvas.fill(&p, wall.dark(0.1), 1.0, Finish::Slope);
            }
        }
        _ => {}
    }
    let cell = unit * (1.5 + layer * 0.4);
    let (cols, rows) = (
        ((x1 - x0) / cell - 0.6).max(1.0) as i32,
        ((y1 - y0) / (cell * 1.35) - 0.6).max(1.0) as i32,
    );
    let pad = ((x1 - x0) - cols as f32 * cell) / 2.0;
    let keep = canvas.line;
    canvas.line = keep * 0.45;
    for row in 0..rows.min(60) {
        for col in 0..cols.min(14) {
            let (x, y) = (
                x0 + pad + col as f32 * cell + cell * 0.2,
                y0 + cell * 0.7 + row as f32 * cell * 1.35,
            );
            let lit = set.rng.chance(0.12 + 0.42 * night);
            let warm =
                [hex(0xffdd8a), hex(0xffc46a), hex(0xfff0c4), hex(0x9fe0ff)][set.rng.below(4)];
            let Some(p) = block(x, y, x + cell * 0.6, y + cell * 0.8) else {
                continue;
            };
            if lit && night > 0.25 {
                canvas.fill(&p, warm, 1.0, Finish::Glow);
            } else {
                canvas.fill(
                    &p,
                    hex(0x9fc0d6).mix(wall.dark(0.4), 0.35 + 0.5 * night),
                    1.0,
                    Finish::Flat,
                );
            }
        }
    }
    canvas.line = keep;
}

fn pavement(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    canvas.near = 0.75;
    canvas.rough = 0.4;
    let y = stage.horizon;
    for (y0, c) in [(y, hex(0x8c8d92)), (y + unit * 4.0, hex(0x55575f))] {
        if let Some(p) = block(-4.0, y0, w + 4.0, h + 4.0) {
            canvas.fill(&p, c, 1.0, Finish::Flat);
        }
    }
    canvas.recede(y + unit * 4.0, 0.6, 1.0, 0.5);
    let mid = stage.ground + (h - stage.ground) * 0.45;
    let mut x = -unit * 3.0 + set.rng.unit() * unit * 4.0;
    while x < w {
        let dash = [
            (x, mid),
            (x + unit * 8.0, mid),
            (x + unit * 7.4, mid + unit * 1.3),
            (x - unit * 0.8, mid + unit * 1.3),
        ];
        if let Some(p) = poly(&dash) {
            canvas.fill(&p, hex(0xe9dfb4), 0.95, Finish::Flat);
        }
        x += unit * 16.0;
    }
}

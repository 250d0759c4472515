//! An interior: a wall with a window, a table or a floor.

use super::super::canvas::{Canvas, Finish};
use super::super::noise::{Rng, fbm};
use super::super::palette::{Rgb, hex};
use super::super::pen::{Pen, oval, poly};
use super::super::words::Time;
use super::{Set, Stage};

fn block(canvas: &mut Canvas, x0: f32, y0: f32, x1: f32, y1: f32, c: Rgb, finish: Finish) {
    if let Some(p) = poly(&[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) {
        canvas.fill(&p, c, 1.0, finish);
    }
}

pub fn interior(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    let tones = [0x8fa79a, 0xc9a98c, 0x8a9bb4, 0xb78f8c, 0xa79bb8];
    let paper = set
        .reading
        .accent
        .unwrap_or(Rgb::hex(tones[set.rng.below(tones.len())]));
    canvas.near = 0.5;
    canvas.rough = 0.3;
    block(canvas, -4.0, -4.0, w + 4.0, h + 4.0, paper, Finish::Slope);
    stripes(canvas, paper, stage.horizon);
    let left = canvas.light.from.0 < 0.0;
    let wx = w * if left { 0.22 } else { 0.78 };
    window(
        canvas,
        set,
        wx,
        stage.horizon * 0.44,
        (w * 0.17).min(unit * 24.0).max(unit * 10.0),
        (stage.horizon * 0.34).min(unit * 30.0),
    );
    frame(canvas, set, w - wx, stage.horizon * 0.36, unit * 9.0);
    if set.table {
        table(canvas, set, stage);
    } else {
        floor(canvas, set, stage, paper);
    }
    if set.reading.time == Time::Night {
        canvas.glow(
            w * 0.5,
            stage.horizon * 0.5,
            unit * 90.0,
            hex(0xffb860),
            0.28,
        );
    } else {
        beam(canvas, stage, wx, left);
    }
}

fn stripes(canvas: &mut Canvas, paper: Rgb, to: f32) {
    let (w, _) = canvas.size();
    let unit = canvas.unit();
    let keep = canvas.line;
    canvas.line = 0.0;
    let mut x = unit * 3.0;
    while x < w {
        block(
            canvas,
            x,
            0.0,
            x + unit * 3.0,
            to,
            paper.light(0.1),
            Finish::Slope,
        );
        x += unit * 8.0;
    }
    canvas.line = keep;
}

fn window(canvas: &mut Canvas, set: &mut Set<'_>, x: f32, y: f32, half: f32, tall: f32) {
    let unit = canvas.unit();
    let (x0, x1, y0, y1) = (x - half, x + half, y - tall, y + tall);
    block(
        canvas,
        x0 - unit * 2.0,
        y0 - unit * 2.0,
        x1 + unit * 2.0,
        y1 + unit * 2.0,
        hex(0xf2ebdd),
        Finish::Slope,
    );
    block(canvas, x0, y0, x1, y1, set.air.middle, Finish::Glow);
    let (air, seed) = (set.air, set.grain);
    let edge = canvas.w as f32;
    canvas.paint(y0, y1, |px, py, under| {
        if px < x0 || px > x1 || px > edge {
            return under;
        }
        let t = (py - y0) / (y1 - y0).max(1.0);
        let n = fbm(px / (unit * 9.0), py / (unit * 4.5), 4, seed);
        let sky = air
            .zenith
            .mix(air.low, t)
            .mix(air.cloud, ((n - 0.5) * 4.0).clamp(0.0, 0.8));
        let hill = 0.78 + (fbm(px / (unit * 11.0), 3.0, 2, seed) - 0.5) * 0.3;
        if t > hill {
            air.low
                .mix(hex(0x5f8f52).scale(0.35 + 0.65 * air.low.luma()), 0.75)
        } else {
            sky
        }
    });
    block(
        canvas,
        x - unit * 0.6,
        y0,
        x + unit * 0.6,
        y1,
        hex(0xf2ebdd),
        Finish::Slope,
    );
    block(
        canvas,
        x0,
        y - unit * 0.6,
        x1,
        y + unit * 0.6,
        hex(0xf2ebdd),
        Finish::Slope,
    );
    block(
        canvas,
        x0 - unit * 3.4,
        y1 + unit * 1.4,
        x1 + unit * 3.4,
        y1 + unit * 4.0,
        hex(0xe6dcc8),
        Finish::Slope,
    );
    let cloth = Rgb::hsl(set.rng.unit(), 0.35, 0.6);
    for s in [-1.0, 1.0] {
        let outer = x + s * (half + unit * 3.4);
        let inner = x + s * half * 0.62;
        let folds = [
            (outer, y0 - unit * 3.0),
            (inner, y0 - unit * 3.0),
            (x + s * half * 0.74, y),
            (outer - s * unit * 1.4, y1 + unit * 2.0),
            (outer + s * unit * 0.8, y1 + unit * 2.4),
        ];
        if let Some(p) = poly(&folds) {
            canvas.fill(&p, cloth, 0.95, Finish::Slope);
        }
    }
    block(
        canvas,
        x0 - unit * 5.0,
        y0 - unit * 4.0,
        x1 + unit * 5.0,
        y0 - unit * 2.6,
        hex(0x8a6240),
        Finish::Slope,
    );
}

fn frame(canvas: &mut Canvas, set: &mut Set<'_>, x: f32, y: f32, r: f32) {
    let wide = r * set.rng.range(0.9, 1.3);
    block(
        canvas,
        x - wide,
        y - r,
        x + wide,
        y + r,
        hex(0x7a5434),
        Finish::Slope,
    );
    block(
        canvas,
        x - wide * 0.84,
        y - r * 0.8,
        x + wide * 0.84,
        y + r * 0.8,
        hex(0xf2ebdd),
        Finish::Slope,
    );
    let c = Rgb::hsl(set.rng.unit(), 0.4, 0.6);
    block(
        canvas,
        x - wide * 0.66,
        y - r * 0.6,
        x + wide * 0.66,
        y + r * 0.6,
        c.light(0.4),
        Finish::Slope,
    );
    if let Some(p) = oval(x + wide * 0.2, y - r * 0.2, r * 0.2, r * 0.2) {
        canvas.fill(&p, hex(0xf2c14a), 1.0, Finish::Flat);
    }
    let hill = [
        (x - wide * 0.66, y + r * 0.6),
        (x - wide * 0.2, y),
        (x + wide * 0.1, y + r * 0.3),
        (x + wide * 0.4, y + r * 0.05),
        (x + wide * 0.66, y + r * 0.6),
    ];
    if let Some(p) = poly(&hill) {
        canvas.fill(&p, c.dark(0.2), 1.0, Finish::Slope);
    }
}

fn table(canvas: &mut Canvas, set: &mut Set<'_>, stage: &Stage) {
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    let wood = Rgb::hex([0x9a6a42, 0x7d4f33, 0xb98a58][set.rng.below(3)]);
    canvas.near = 0.8;
    let top = stage.horizon + unit * 4.0;
    block(canvas, -4.0, top, w + 4.0, h + 4.0, wood, Finish::Slope);
    canvas.recede(top, 0.7, 1.0, 0.5);
    let seed = set.grain ^ 90;
    canvas.paint(top, h, |x, y, under| {
        let t = ((y - top) / (h - top).max(1.0)).clamp(0.0, 1.0);
        let (u, v) = (x / (unit * 34.0), y / (unit * (1.2 + t)));
        let bend = fbm(u, v * 0.12, 3, seed) * 5.0;
        let ring = ((v + bend) * 1.9).sin();
        let fine = fbm(u * 5.0, v * 4.0, 2, seed ^ 1) - 0.5;
        under.scale(1.0 + ring * 0.05 + fine * 0.14)
    });
    let edge = h - unit * 4.0;
    if edge > stage.ground + unit * 3.0 {
        block(
            canvas,
            -4.0,
            edge,
            w + 4.0,
            h + 4.0,
            wood.dark(0.35),
            Finish::Slope,
        );
    }
}

fn floor(canvas: &mut Canvas, set: &mut Set<'_>, stage: &Stage, paper: Rgb) {
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    canvas.near = 0.75;
    let top = stage.horizon + unit * 2.0;
    block(
        canvas,
        -4.0,
        top - unit * 4.0,
        w + 4.0,
        top,
        hex(0xf2ebdd),
        Finish::Slope,
    );
    block(
        canvas,
        -4.0,
        top,
        w + 4.0,
        h + 4.0,
        hex(0xa3754c),
        Finish::Slope,
    );
    canvas.recede(top, 0.65, 1.0, 0.5);
    // Boards run to a vanishing point behind the wall.
    for i in -14..=14 {
        let (far, near) = (
            w * 0.5 + i as f32 * unit * 8.0,
            w * 0.5 + i as f32 * unit * 15.0,
        );
        let line = [
            (far, top),
            (far + unit * 0.3, top),
            (near + unit * 0.5, h),
            (near, h),
        ];
        if let Some(p) = poly(&line) {
            canvas.fill(&p, hex(0x74502f), 1.0, Finish::Flat);
        }
    }
    let rug = paper.turn(0.45).vivid(1.6).dark(0.15);
    for (k, c) in [(1.0, rug), (0.86, rug.light(0.5)), (0.78, rug.light(0.12))] {
        if let Some(p) = oval(
            w * 0.5,
            stage.ground,
            (w * 0.4).min(unit * 48.0) * k,
            unit * 9.0 * k,
        ) {
            canvas.fill(&p, c, 1.0, Finish::Flat);
        }
    }
    let rng = Rng::new(set.rng.bits());
    let size = unit * 15.0;
    let x = w * if canvas.light.from.0 < 0.0 { 0.9 } else { 0.1 };
    let mut pen = Pen::new(canvas, x, top + unit * 2.0 - size, size, rng);
    for (dx, a) in [
        (-0.5, -40.0),
        (0.5, 40.0),
        (-0.26, -20.0),
        (0.26, 20.0),
        (0.0, 0.0),
    ] {
        pen.leaf(
            (dx * 0.7, -0.1 - 0.3 * (0.6 - f32::abs(dx))),
            0.14,
            0.55,
            a,
            hex(0x4f8a52),
        );
    }
    pen.poly(
        &[(-0.36, 0.4), (0.36, 0.4), (0.26, 1.0), (-0.26, 1.0)],
        hex(0xc06a44),
    );
}

/// Daylight from the window across the room.
fn beam(canvas: &mut Canvas, stage: &Stage, x: f32, left: bool) {
    let (w, h) = canvas.size();
    let dir = if left { 1.0 } else { -1.0 };
    let light = [
        (x - w * 0.1, stage.horizon * 0.16),
        (x + w * 0.1, stage.horizon * 0.16),
        (x + w * 0.1 + dir * w * 0.62, h),
        (x - w * 0.14 + dir * w * 0.36, h),
    ];
    if let Some(p) = poly(&light) {
        let shader =
            tiny_skia::Shader::SolidColor(super::super::canvas::skia(canvas.light.key, 0.1));
        canvas.veil(&p, shader, tiny_skia::BlendMode::Screen);
    }
}

//! Meadows, woods, mountains, deserts and snowfields.

use super::super::canvas::{Canvas, Finish};
use super::super::noise::{Rng, fbm, value};
use super::super::palette::{Rgb, hex};
use super::super::pen::{Pen, poly, smooth};
use super::super::subjects::plants;
use super::super::words::{Season, Weather};
use super::{Set, Stage, below, ridge, sky};

/// The colour of grass in a season.
pub fn turf(season: Season) -> Rgb {
    match season {
        Season::Spring => hex(0x86ba52),
        Season::Summer => hex(0x6a9f45),
        Season::Autumn => hex(0xb08f46),
        Season::Winter => hex(0xe8eef5),
    }
}

/// Paints the ground from the row `from`, mottled, lighter and hazier far away.
pub fn ground(canvas: &mut Canvas, set: &Set<'_>, from: f32, colour: Rgb, mottle: f32) {
    let (_, h) = canvas.size();
    let unit = canvas.unit();
    let line = ridge(canvas, from, unit * 3.0, 60.0, 2, set.grain ^ 15);
    canvas.near = 0.55;
    canvas.rough = 0.7;
    below(canvas, &line, colour, Finish::Flat);
    let (lit, dim) = {
        canvas.near = 0.8;
        canvas.lit(colour, Finish::Slope)
    };
    let far = lit.mix(
        canvas.light.haze,
        (canvas.light.haze_amount * 0.35).min(0.75),
    );
    let seed = set.grain ^ 313;
    let top = from - unit * 4.0;
    let rows: Vec<f32> = line.iter().map(|p| p.1).collect();
    let step = (unit * 0.8).max(1.5);
    canvas.paint(top, h, |x, y, under| {
        let edge = rows
            .get(((x + step) / step) as usize)
            .copied()
            .unwrap_or(from);
        if y < edge + 0.6 {
            return under;
        }
        let t = ((y - from) / (h - from).max(1.0)).clamp(0.0, 1.0);
        let near = 0.25 + t * 1.3;
        let n = fbm(x / (unit * 10.0 * near), y / (unit * 2.6 * near), 4, seed);
        let fine = value(x / (unit * 0.7 * near), y / (unit * 0.5 * near), seed ^ 9) - 0.5;
        let base = far.mix(lit, (t * 2.2).min(1.0)).mix(dim, t * t * 0.38);
        base.mix(dim, ((n - 0.42) * mottle * 2.4).clamp(0.0, 0.7))
            .light(((0.36 - n) * mottle).max(0.0))
            .scale(1.0 + fine * 0.1 * mottle)
    });
    canvas.recede(from, 0.5, 1.0, 0.8);
}

/// A row of distant trees along a ridge.
pub(super) fn far_trees(
    canvas: &mut Canvas,
    set: &mut Set<'_>,
    line: &[(f32, f32)],
    size: f32,
    near: f32,
    chance: f32,
) {
    let mut rng = set.fork();
    canvas.near = near;
    let keep = canvas.line;
    canvas.line = keep * 0.7;
    for &(x, y) in line.iter().step_by(2) {
        if !rng.chance(chance) {
            continue;
        }
        let s = size * rng.range(0.6, 1.2);
        let season = set.reading.season;
        let leaf = plants::foliage(
            if season == Season::Winter {
                Season::Summer
            } else {
                season
            },
            &mut rng,
        )
        .dark(0.2);
        let conical = rng.chance(0.4);
        let path = if conical {
            poly(&[
                (x - s * 0.5, y + s * 0.1),
                (x, y - s * 1.9),
                (x + s * 0.5, y + s * 0.1),
            ])
        } else {
            smooth(
                &[
                    (x - s * 0.7, y),
                    (x - s * 0.6, y - s * 0.9),
                    (x, y - s * 1.35),
                    (x + s * 0.6, y - s * 0.9),
                    (x + s * 0.7, y),
                ],
                true,
            )
        };
        if let Some(path) = path {
            canvas.fill(&path, leaf, 1.0, Finish::Round);
        }
    }
    canvas.line = keep;
}

/// Storm light behind everything that stands.
pub(super) fn thunder(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    if set.reading.weather == Weather::Storm {
        sky::lightning(canvas, set, stage.horizon);
    }
}

pub fn meadow(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    sky::paint(canvas, set, stage.horizon + canvas.unit() * 6.0);
    thunder(canvas, stage, set);
    let unit = canvas.unit();
    let green = turf(set.reading.season);
    for (i, (near, height, scale)) in [(0.08, 22.0, 46.0), (0.22, 15.0, 38.0), (0.38, 10.0, 30.0)]
        .into_iter()
        .enumerate()
    {
        canvas.near = near;
        let base = stage.horizon + unit * (i as f32 * 3.2 - 1.0);
        let line = ridge(
            canvas,
            base,
            unit * height,
            scale,
            2,
            set.grain + i as u32 * 7,
        );
        let c = green
            .mix(hex(0x5f86a8), 0.42 - i as f32 * 0.16)
            .dark(0.06 * i as f32);
        below(canvas, &line, c, Finish::Slope);
        if i > 0 {
            far_trees(
                canvas,
                set,
                &line,
                unit * (1.6 + i as f32 * 1.1),
                near + 0.05,
                0.2,
            );
        }
    }
    ground(canvas, set, stage.horizon + unit * 9.0, green, 0.8);
    path_to_horizon(canvas, stage, set);
    blooms(canvas, stage, set);
}

/// A winding path leads the eye from the front into the distance.
fn path_to_horizon(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    if !set.rng.chance(0.6) {
        return;
    }
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    let top = stage.horizon + unit * 9.5;
    let side = if set.rng.chance(0.5) { 1.0 } else { -1.0 };
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for i in 0..=8 {
        let t = i as f32 / 8.0;
        let y = top + (h + unit * 4.0 - top) * t * t;
        let x = w * 0.5 + side * unit * ((t * 5.0).sin() * 16.0 * t + 18.0 * (1.0 - t));
        let half = unit * (0.5 + 9.0 * t * t);
        left.push((x - half, y));
        right.push((x + half, y));
    }
    left.extend(right.into_iter().rev());
    let c = if set.reading.season == Season::Winter {
        hex(0xcfd8e4)
    } else {
        hex(0xcdb68a)
    };
    canvas.near = 0.8;
    if let Some(path) = smooth(&left, true) {
        canvas.fill(&path, c, 0.9, Finish::Flat);
    }
}

/// Small flowers in the grass, or fallen leaves, by season.
pub(super) fn blooms(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    let tones: &[u32] = match set.reading.season {
        Season::Winter => return,
        Season::Spring => &[0xf6d24a, 0xf7f3ee, 0xf277ad, 0xb79ae6],
        Season::Summer => &[0xf7f3ee, 0xe4476a, 0xf6d24a],
        Season::Autumn => &[0xd9762b, 0xc24a26, 0xe0a436],
    };
    let mut rng = set.fork();
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    let top = stage.horizon + unit * 12.0;
    let keep = canvas.line;
    canvas.line = 0.0;
    for _ in 0..((w / unit * 1.3) as usize).min(420) {
        let t = rng.unit();
        let (x, y) = (rng.range(0.0, w), top + (h - top) * t);
        let r = unit * (0.16 + 0.5 * t);
        canvas.near = 0.6 + t * 0.4;
        let c = Rgb::hex(tones[rng.below(tones.len())]);
        if let Some(p) = super::super::pen::oval(x, y, r, r * 0.7) {
            canvas.fill(&p, c, 1.0, Finish::Flat);
        }
    }
    canvas.line = keep;
}

/// Tufts of grass along the lower edge.
pub fn grass(canvas: &mut Canvas, set: &mut Set<'_>, from: f32) {
    if set.reading.season == Season::Winter {
        return;
    }
    let mut rng = set.fork();
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    let blade = turf(set.reading.season);
    let keep = canvas.line;
    canvas.line = keep * 0.5;
    canvas.rough = 0.6;
    for _ in 0..((w / unit * 2.2) as usize).min(700) {
        let t = rng.unit().sqrt();
        let y = from + (h - from) * (0.35 + 0.75 * t);
        let x = rng.range(0.0, w);
        let len = unit * rng.range(2.0, 4.6) * (0.4 + t * 0.8);
        let lean = rng.range(-0.5, 0.5) * len;
        let half = unit * 0.22 * (0.5 + t);
        let c = if rng.chance(0.5) {
            blade.dark(0.25)
        } else {
            blade.light(0.12)
        };
        if let Some(p) = smooth(
            &[
                (x - half, y),
                (x + lean * 0.4, y - len * 0.6),
                (x + lean, y - len),
                (x + half, y),
            ],
            true,
        ) {
            canvas.fill(&p, c, 1.0, Finish::Flat);
        }
    }
    canvas.line = keep;
}

pub fn forest(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    sky::paint(canvas, set, h);
    let deep = matches!(set.reading.season, Season::Summer | Season::Spring);
    let glow = canvas.light.haze.mix(
        if deep { hex(0xcfe6a8) } else { hex(0xf0d8a8) },
        0.35 * (1.0 - canvas.light.night),
    );
    canvas.paint(0.0, h, |_, y, under| {
        under.mix(glow, (0.35 + 0.5 * y / h).min(0.8))
    });
    for layer in 0..4 {
        let t = layer as f32 / 3.0;
        canvas.near = 0.06 + t * 0.5;
        canvas.rough = 0.7;
        let foot = stage.horizon + unit * (2.0 + t * 7.0);
        let gap = unit * (7.0 + t * 9.0);
        let n = (w / gap).ceil() as i32 + 2;
        for i in -1..n {
            let x = (i as f32 + set.rng.range(-0.35, 0.35)) * gap;
            // The middle stays open, so that the subject stands in a clearing.
            let open = ((x - w * 0.5).abs() / (w * 0.5)).min(1.0);
            if t > 0.55 && open < 0.5 {
                continue;
            }
            let size = unit * (15.0 + t * 19.0) * set.rng.range(0.8, 1.2);
            let rng = Rng::new(set.rng.bits());
            let conifer = set.reading.season == Season::Winter || set.rng.chance(0.55);
            let mut pen = Pen::new(canvas, x, foot - size * 0.95, size, rng);
            if conifer {
                plants::pine(&mut pen, set.reading.season);
            } else {
                plants::tree(&mut pen, set.reading.season);
            }
        }
        if layer == 1 {
            shafts(canvas, set, stage);
        }
    }
    let floor = match set.reading.season {
        Season::Winter => hex(0xe6ecf4),
        Season::Autumn => hex(0xa8713a),
        _ => hex(0x5f7f3c),
    };
    ground(canvas, set, stage.horizon + unit * 9.0, floor, 1.0);
    blooms(canvas, stage, set);
}

/// Slanting light between the trunks.
fn shafts(canvas: &mut Canvas, set: &mut Set<'_>, stage: &Stage) {
    let (w, _) = canvas.size();
    let side = canvas.light.from.0.signum();
    let night = canvas.light.night;
    for _ in 0..5 {
        let x = set.rng.range(0.1, 0.9) * w;
        let wide = w * set.rng.range(0.02, 0.07);
        let shift = -side * stage.horizon * 0.35;
        let beam = [
            (x, 0.0),
            (x + wide, 0.0),
            (x + wide * 2.2 + shift, stage.ground),
            (x + shift, stage.ground),
        ];
        if let Some(p) = poly(&beam) {
            let c = hex(0xfff4c8).mix(hex(0xbcd0ff), night);
            let shader = tiny_skia::Shader::SolidColor(super::super::canvas::skia(c, 0.11));
            canvas.veil(&p, shader, tiny_skia::BlendMode::Screen);
        }
    }
}

//! Open sea, coast, lake, and the world under water.

use super::super::canvas::{Canvas, Finish, skia};
use super::super::noise::{fbm, value};
use super::super::palette::{Rgb, hex};
use super::super::pen::{oval, poly, smooth};
use super::super::words::{Season, Time, Weather};
use super::{Set, Stage, below, heights, land, ridge, sky};

/// The colour of deep water under this sky.
pub fn water(canvas: &Canvas, set: &Set<'_>) -> Rgb {
    let deep = match set.reading.time {
        Time::Night => hex(0x0a1a3c),
        Time::Dusk => hex(0x34325f),
        Time::Dawn => hex(0x4a6f96),
        Time::Day => hex(0x1f6a9c),
    };
    deep.mix(canvas.light.haze, 0.12)
}

/// Water from the row `from` to the row `to`, with the sky in it and waves that grow to the front.
fn surface(canvas: &mut Canvas, set: &Set<'_>, from: f32, to: f32, rough: f32) {
    let deep = water(canvas, set);
    let (low, high) = (set.air.low, set.air.middle);
    let unit = canvas.unit();
    let seed = set.grain ^ 808;
    let span = (to - from).max(1.0);
    canvas.recede(from, 0.25, 1.0, 0.2);
    canvas.paint(from, to, |x, y, _| {
        let t = ((y - from) / span).clamp(0.0, 1.0);
        let near = 0.12 + t * 1.5;
        let swell = fbm(x / (unit * 20.0 * near), y / (unit * 2.6 * near), 4, seed);
        let chop = value(x / (unit * 4.0 * near), y / (unit * 0.8 * near), seed ^ 3);
        let sky = low.mix(high, t);
        let base = deep.mix(sky, (0.62 - t * 0.42).max(0.1));
        let crest = ((swell - 0.5) * 3.4 * rough + (chop - 0.5) * 0.5).clamp(-0.5, 0.6);
        if crest > 0.0 {
            base.mix(sky.light(0.25), crest * 0.8)
        } else {
            base.dark(-crest * 0.6)
        }
    });
}

/// The sun's or moon's road on the water.
fn glitter(canvas: &mut Canvas, set: &mut Set<'_>, from: f32, to: f32) {
    if matches!(
        set.reading.weather,
        Weather::Storm | Weather::Rain | Weather::Fog
    ) {
        return;
    }
    let (w, _) = canvas.size();
    let unit = canvas.unit();
    let x0 = w * (0.5 + canvas.light.from.0 * 0.36);
    let c = match set.reading.time {
        Time::Night => hex(0xe6ecff),
        Time::Day => hex(0xffffff),
        _ => hex(0xffe0a0),
    };
    for _ in 0..170 {
        let t = set.rng.unit();
        let y = from + (to - from) * t;
        let x = x0 + (set.rng.unit() - set.rng.unit()) * unit * (4.0 + t * 16.0);
        let len = unit * (0.6 + t * 3.2) * set.rng.range(0.4, 1.0);
        if let Some(p) = oval(x, y, len, (unit * (0.1 + t * 0.24)).max(0.4)) {
            let shader = tiny_skia::Shader::SolidColor(skia(c, 0.42));
            canvas.veil(&p, shader, tiny_skia::BlendMode::SourceOver);
        }
    }
}

/// Drawn crests: they give the line styles something to draw.
fn crests(canvas: &mut Canvas, set: &mut Set<'_>, from: f32, to: f32, force: f32) {
    let (w, _) = canvas.size();
    let unit = canvas.unit();
    let tone = water(canvas, set).mix(set.air.low, 0.45);
    for _ in 0..((w / unit) * 0.5 * force) as usize {
        let t = set.rng.unit();
        let y = from + (to - from) * (0.04 + 0.96 * t);
        let x = set.rng.range(0.0, w);
        let len = unit * (1.5 + t * 7.0) * set.rng.range(0.6, 1.2);
        let tall = unit * (0.16 + t * 0.8) * force;
        canvas.near = 0.3 + t * 0.7;
        let wave = [
            (x - len, y),
            (x - len * 0.3, y - tall),
            (x + len * 0.2, y - tall * 0.8),
            (x + len, y),
            (x + len * 0.1, y - tall * 0.2),
        ];
        if let Some(p) = smooth(&wave, true) {
            canvas.fill(&p, tone.light(0.25), 0.6, Finish::Flat);
        }
    }
}

pub fn open(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    let (_, h) = canvas.size();
    sky::paint(canvas, set, stage.horizon);
    let stormy = set.reading.weather == Weather::Storm;
    if stormy {
        sky::lightning(canvas, set, stage.horizon);
    }
    if set.rng.chance(0.6) {
        canvas.near = 0.1;
        let (w, _) = canvas.size();
        let unit = canvas.unit();
        let x = if set.rng.chance(0.5) {
            w * 0.12
        } else {
            w * 0.86
        };
        let r = unit * 22.0;
        let y = stage.horizon + unit * 0.5;
        if let Some(p) = smooth(
            &[
                (x - r, y),
                (x - r * 0.5, y - r * 0.2),
                (x - r * 0.1, y - r * 0.42),
                (x + r * 0.4, y - r * 0.2),
                (x + r, y),
            ],
            true,
        ) {
            canvas.fill(&p, hex(0x4f7a68), 1.0, Finish::Slope);
        }
    }
    surface(
        canvas,
        set,
        stage.horizon,
        h,
        if stormy { 1.6 } else { 1.0 },
    );
    canvas.reflect(stage.horizon, water(canvas, set), 0.34, set.grain ^ 41);
    glitter(canvas, set, stage.horizon, h);
    crests(
        canvas,
        set,
        stage.horizon,
        h,
        if stormy { 2.0 } else { 1.0 },
    );
}

pub fn coast(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    sky::paint(canvas, set, stage.horizon);
    if set.reading.weather == Weather::Storm {
        sky::lightning(canvas, set, stage.horizon);
    }
    canvas.near = 0.15;
    let side = if set.rng.chance(0.5) { 0.0 } else { w };
    let r = unit * 40.0;
    let y = stage.horizon + unit;
    let cape = [
        (side - r, y),
        (side - r * 0.7, y - r * 0.26),
        (side, y - r * 0.4),
        (side + r * 0.6, y - r * 0.24),
        (side + r, y),
    ];
    if let Some(p) = poly(&cape) {
        canvas.fill(&p, hex(0x6f8a6a), 1.0, Finish::Slope);
    }
    surface(canvas, set, stage.horizon, h, 1.0);
    canvas.reflect(stage.horizon, water(canvas, set), 0.3, set.grain ^ 41);
    let shore = stage.horizon + (stage.ground - stage.horizon) * 0.56;
    glitter(canvas, set, stage.horizon, shore);
    crests(canvas, set, stage.horizon, shore, 0.8);
    let sand = hex(0xe8d09c);
    canvas.near = 0.8;
    for (dy, c, a) in [
        (-2.4, hex(0xf6fbfd), 0.5),
        (-1.2, hex(0xfdfefe), 0.95),
        (0.2, sand.dark(0.3), 1.0),
        (2.4, sand, 1.0),
    ] {
        let line = ridge(
            canvas,
            shore + unit * dy,
            unit * 7.0,
            44.0,
            2,
            set.grain + 9,
        );
        let mut points = line;
        points.push((w + 4.0, h + 4.0));
        points.push((-4.0, h + 4.0));
        if let Some(p) = poly(&points) {
            canvas.fill(&p, c, a, Finish::Flat);
        }
    }
    canvas.recede(shore + unit * 4.0, 0.7, 1.0, 0.6);
    let (seed, from) = (set.grain ^ 21, shore + unit * 5.0);
    canvas.paint(from, h, |x, y, under| {
        let n = fbm(x / (unit * 9.0), y / (unit * 3.0), 4, seed);
        let fine = value(x / (unit * 0.5), y / (unit * 0.4), seed) - 0.5;
        under.scale(1.0 - (n - 0.5) * 0.22 + fine * 0.07)
    });
    for _ in 0..14 {
        let (x, y) = (set.rng.range(0.0, w), set.rng.range(from + unit * 3.0, h));
        let r = unit * set.rng.range(0.4, 1.3);
        if let Some(p) = oval(x, y, r, r * 0.6) {
            let c = [hex(0xb9b0a4), hex(0xe8a08a), hex(0xf3ead8)][set.rng.below(3)];
            canvas.fill(&p, c, 1.0, Finish::Round);
        }
    }
}

pub fn lake(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    let (w, h) = canvas.size();
    let unit = canvas.unit();
    sky::paint(canvas, set, stage.horizon + unit * 4.0);
    heights::range(canvas, set, stage.horizon, unit * 40.0, 0.14, 8);
    let green = land::turf(set.reading.season);
    for (i, near) in [0.25, 0.4].into_iter().enumerate() {
        canvas.near = near;
        let line = ridge(
            canvas,
            stage.horizon - unit * (2.0 - i as f32 * 1.5),
            unit * (13.0 - i as f32 * 6.0),
            26.0,
            3,
            set.grain + i as u32 * 5,
        );
        below(canvas, &line, green.mix(hex(0x2f5f4a), 0.5), Finish::Slope);
    }
    let bank = stage.ground - unit * 1.0;
    surface(canvas, set, stage.horizon, h, 0.35);
    canvas.reflect(stage.horizon, water(canvas, set), 0.72, set.grain ^ 41);
    glitter(canvas, set, stage.horizon, bank);
    crests(
        canvas,
        set,
        stage.horizon + (bank - stage.horizon) * 0.3,
        bank,
        0.35,
    );
    canvas.near = 0.9;
    canvas.rough = 0.8;
    let line = ridge(canvas, bank, unit * 5.0, 40.0, 2, set.grain + 60);
    below(
        canvas,
        &line,
        if set.reading.season == Season::Winter {
            hex(0xe8eef5)
        } else {
            green
        },
        Finish::Slope,
    );
    canvas.recede(bank + unit, 0.85, 1.0, 0.7);
    for _ in 0..26 {
        // Reeds stand at both sides and leave the middle free.
        let side = if set.rng.chance(0.5) { 0.0 } else { w };
        let x = side + (set.rng.unit() - 0.5) * w * 0.34;
        let len = unit * set.rng.range(9.0, 20.0);
        let lean = set.rng.range(-1.5, 1.5) * unit;
        let y = bank + unit * 4.0;
        if let Some(p) = smooth(
            &[
                (x - unit * 0.35, y),
                (x + lean * 0.5, y - len * 0.6),
                (x + lean, y - len),
                (x + unit * 0.35, y),
            ],
            true,
        ) {
            canvas.fill(&p, green.dark(0.35), 1.0, Finish::Flat);
        }
        if set.rng.chance(0.35)
            && let Some(p) = oval(x + lean, y - len, unit * 0.6, unit * 2.2)
        {
            canvas.fill(&p, hex(0x6a4327), 1.0, Finish::Round);
        }
    }
}

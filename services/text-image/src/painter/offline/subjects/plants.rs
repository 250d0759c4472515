//! Trees, flowers and other growing things.

use super::super::noise::Rng;
use super::super::palette::{Rgb, hex};
use super::super::pen::Pen;
use super::super::words::Season;

const BARK: Rgb = hex(0x6b4a33);

/// The colour leaves have in a season.
pub fn foliage(season: Season, rng: &mut Rng) -> Rgb {
    let tones: [u32; 3] = match season {
        Season::Spring => [0xf2b3c8, 0x9ccb62, 0xe89ab6],
        Season::Summer => [0x4f8f3a, 0x3f7d3d, 0x6aa043],
        Season::Autumn => [0xd9762b, 0xc24a26, 0xe0a436],
        Season::Winter => [0xe9eff5, 0xdfe7f0, 0xf4f7fa],
    };
    Rgb::hex(tones[rng.below(3)])
}

pub fn tree(p: &mut Pen<'_>, season: Season) {
    let usual = foliage(season, &mut p.rng);
    let leaf = p.main(usual);
    p.ground(0.0, 0.98, 0.62);
    p.poly(
        &[
            (-0.16, 1.0),
            (-0.08, 0.7),
            (-0.07, 0.2),
            (0.07, 0.2),
            (0.09, 0.7),
            (0.18, 1.0),
        ],
        BARK,
    );
    p.taper(
        &[(-0.04, 0.4), (-0.24, 0.1), (-0.34, -0.1)],
        0.1,
        0.04,
        BARK,
    );
    p.taper(
        &[(0.04, 0.36), (0.24, 0.08), (0.36, -0.14)],
        0.1,
        0.04,
        BARK,
    );
    let bare = season == Season::Winter && p.tints.is_empty();
    if bare {
        for (x, y, lean) in [
            (-0.03, 0.3, -0.75),
            (0.03, 0.3, 0.7),
            (0.0, 0.2, -0.2),
            (0.0, 0.24, 0.3),
        ] {
            twig(p, (x, y), lean, 0.62, 4);
        }
        return;
    }
    // Clumps from the shaded back to the lit front make the crown.
    for (ring, n, tone) in [
        (0.5, 9, 0.28),
        (0.36, 8, 0.1),
        (0.2, 6, -0.08),
        (0.12, 4, -0.2),
    ] {
        for i in 0..n {
            let a = i as f32 / n as f32 * std::f32::consts::TAU + p.rng.unit() * 0.5;
            let r = ring * p.rng.range(0.75, 1.1);
            let (x, y) = (
                a.cos() * r * 1.1,
                -0.34 + a.sin() * r - if tone < 0.0 { 0.1 } else { 0.0 },
            );
            let size = p.rng.range(0.17, 0.25);
            let c = if tone > 0.0 {
                leaf.dark(tone)
            } else {
                leaf.light(-tone)
            };
            let wild: Vec<_> = (0..8)
                .map(|k| {
                    let b = k as f32 / 8.0 * std::f32::consts::TAU;
                    let s = size * p.rng.range(0.82, 1.16);
                    (x + b.cos() * s, y + b.sin() * s * 0.9)
                })
                .collect();
            p.blob(&wild, c);
        }
    }
    for _ in 0..26 {
        let a = p.rng.range(0.0, std::f32::consts::TAU);
        let r = 0.56 * p.rng.unit().sqrt();
        p.dot(
            a.cos() * r * 1.1 - 0.04,
            -0.42 + a.sin() * r,
            p.rng.clone().range(0.014, 0.03),
            leaf.light(0.35),
        );
    }
}

/// A bare branch that forks until it is a twig; snow lies along its upper side.
fn twig(p: &mut Pen<'_>, (x, y): (f32, f32), lean: f32, length: f32, forks: u32) {
    let tip = (x + lean.sin() * length, y - lean.cos() * length);
    let bend = ((x + tip.0) / 2.0 + lean * 0.04, (y + tip.1) / 2.0 + 0.02);
    let width = 0.022 * forks as f32;
    p.taper(&[(x, y), bend, tip], width, width * 0.5, BARK);
    p.taper(
        &[(bend.0, bend.1 - width * 0.3), (tip.0, tip.1 - width * 0.3)],
        width * 0.4,
        0.006,
        hex(0xf4f8fc),
    );
    if forks > 1 {
        for side in [-1.0, 1.0] {
            let turn = lean + side * p.rng.range(0.25, 0.6);
            let shorter = length * p.rng.range(0.5, 0.68);
            let from = if side < 0.0 { tip } else { bend };
            twig(p, from, turn, shorter, forks - 1);
        }
    }
}

pub fn pine(p: &mut Pen<'_>, season: Season) {
    let needle = p.main(hex(0x2f6b48));
    p.ground(0.0, 0.98, 0.5);
    p.rect(-0.07, 0.66, 0.07, 1.0, BARK);
    for i in 0..5 {
        let t = i as f32 / 4.0;
        let (y, half) = (0.74 - t * 1.1, 0.62 - t * 0.42);
        let top = y - 0.52 + t * 0.06;
        let mut edge = vec![(0.0, top)];
        for k in 0..=8 {
            let x = half - k as f32 / 8.0 * half * 2.0;
            let drop = if k % 2 == 0 { 0.05 } else { -0.02 };
            edge.push((x, y + drop - (x / half).abs() * 0.05));
        }
        p.poly(&edge, needle.light(t * 0.1).dark(0.1));
        p.flat(
            &[(0.0, top), (0.0, y), (half * 0.96, y - 0.03)],
            needle.dark(0.24),
        );
        if season == Season::Winter {
            p.blob(
                &[
                    (0.0, top),
                    (-half * 0.4, top + 0.26),
                    (-half * 0.7, y - 0.1),
                    (-half * 0.35, y - 0.17),
                    (0.0, y - 0.22),
                    (half * 0.3, y - 0.2),
                ],
                hex(0xf2f6fb),
            );
        }
    }
}

pub fn palm(p: &mut Pen<'_>) {
    let leaf = p.main(hex(0x3f8d4b));
    p.ground(0.0, 0.98, 0.5);
    p.taper(
        &[(-0.1, 1.0), (-0.02, 0.5), (0.1, 0.0), (0.08, -0.42)],
        0.2,
        0.1,
        hex(0x93704a),
    );
    for i in 0..8 {
        let y = 0.9 - i as f32 * 0.16;
        let x = -0.08 + 0.16 * (1.0 - y) * 0.6;
        p.curve(&[(x - 0.06, y), (x + 0.07, y - 0.03)], 0.015, hex(0x6a4e32));
    }
    for (i, (dx, dy)) in [
        (-0.9, 0.05),
        (0.95, 0.0),
        (-0.8, -0.34),
        (0.84, -0.36),
        (-0.42, -0.5),
        (0.5, -0.52),
        (-0.6, 0.36),
        (0.66, 0.34),
    ]
    .into_iter()
    .enumerate()
    {
        let c = leaf.dark(0.04 * (i % 4) as f32);
        let (ox, oy) = (0.08, -0.45);
        let mid = (ox + dx * 0.5, oy + dy * 0.5 - 0.22);
        p.blob(
            &[
                (ox, oy),
                (mid.0, mid.1 - 0.07),
                (ox + dx, oy + dy),
                (mid.0, mid.1 + 0.1),
            ],
            c,
        );
        p.curve(&[(ox, oy), mid, (ox + dx, oy + dy)], 0.018, leaf.light(0.3));
    }
    for (x, y) in [(0.0, -0.36), (0.14, -0.34), (0.08, -0.28)] {
        p.oval(x, y, 0.07, 0.07, hex(0x6a4327));
    }
}

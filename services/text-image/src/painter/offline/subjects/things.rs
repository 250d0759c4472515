//! Things to hold, eat and read, as a still life has them.

use super::super::palette::{Rgb, hex};
use super::super::pen::Pen;

pub fn umbrella(p: &mut Pen<'_>) {
    let cloth = p.main(hex(0xd2363f));
    p.ground(0.1, 0.98, 0.5);
    p.curve(
        &[
            (0.0, -0.7),
            (0.0, 0.2),
            (0.0, 0.78),
            (0.1, 0.96),
            (0.24, 0.9),
            (0.26, 0.78),
        ],
        0.05,
        hex(0x6b4a2e),
    );
    p.line(&[(0.0, -0.8), (0.0, -0.96)], 0.04, hex(0x6b4a2e));
    let hem = |x: f32| -0.02 - 0.08 * (1.0 - x * x);
    for (i, (a, b)) in [
        (-0.96, -0.58),
        (0.58, 0.96),
        (-0.58, -0.2),
        (0.2, 0.58),
        (-0.2, 0.2),
    ]
    .into_iter()
    .enumerate()
    {
        let c = if i % 2 == 0 { cloth } else { cloth.dark(0.16) };
        let c = if i == 4 { cloth.light(0.1) } else { c };
        p.blob(
            &[
                (a, hem(a)),
                (a * 0.92, -0.4 - 0.12 * (1.0 - a.abs())),
                (a * 0.45, -0.74),
                (0.0, -0.84),
                (b * 0.45, -0.74),
                (b * 0.92, -0.4 - 0.12 * (1.0 - b.abs())),
                (b, hem(b)),
                ((a + b) / 2.0, hem((a + b) / 2.0) - 0.1),
            ],
            c,
        );
    }
}

pub fn book(p: &mut Pen<'_>) {
    let cover = p.main(hex(0x9c2f3a));
    p.ground(0.0, 0.92, 1.0);
    p.poly(
        &[
            (-1.0, 0.3),
            (-0.02, 0.46),
            (0.02, 0.46),
            (1.0, 0.3),
            (1.0, 0.86),
            (0.02, 1.0),
            (-0.02, 1.0),
            (-1.0, 0.86),
        ],
        cover,
    );
    for s in [-1.0, 1.0] {
        for k in [0.06, 0.03, 0.0] {
            p.blob(
                &[
                    (0.0, 0.42 + k),
                    (s * 0.1, 0.26 + k),
                    (s * 0.5, 0.2 + k),
                    (s * 0.94, 0.26 + k),
                    (s * 0.95, 0.5 + k),
                    (s * 0.94, 0.78 + k),
                    (s * 0.5, 0.74 + k),
                    (s * 0.1, 0.82 + k),
                    (0.0, 0.94 + k),
                ],
                hex(0xf7f0df).dark(k * 2.0),
            );
        }
        for i in 0..6 {
            let y = 0.32 + i as f32 * 0.075;
            p.curve(
                &[
                    (s * 0.14, y + 0.03),
                    (s * 0.5, y - 0.02),
                    (s * 0.84, y + 0.02),
                ],
                0.016,
                hex(0x8c8378),
            );
        }
    }
    p.poly(
        &[
            (0.2, 0.26),
            (0.28, 0.26),
            (0.28, 1.0),
            (0.24, 0.94),
            (0.2, 1.0),
        ],
        p.second(hex(0xe0b64a)),
    );
}

pub fn clock(p: &mut Pen<'_>) {
    let case = p.main(hex(0xb8472f));
    p.ground(0.0, 0.96, 0.7);
    for s in [-1.0, 1.0] {
        p.taper(
            &[(s * 0.4, 0.7), (s * 0.56, 0.98)],
            0.12,
            0.08,
            case.dark(0.35),
        );
        p.oval(s * 0.4, -0.6, 0.22, 0.18, hex(0xd0a648));
    }
    p.oval(0.0, 0.1, 0.74, 0.74, case);
    p.oval(0.0, 0.1, 0.61, 0.61, p.second(hex(0xfaf5e8)));
    for i in 0..12 {
        let (s, c) = (i as f32 * std::f32::consts::FRAC_PI_6).sin_cos();
        let w = if i % 3 == 0 { 0.05 } else { 0.025 };
        p.line(
            &[(c * 0.5, 0.1 + s * 0.5), (c * 0.56, 0.1 + s * 0.56)],
            w,
            hex(0x2b2a2e),
        );
    }
    let (h, m) = (
        p.rng.range(0.0, std::f32::consts::TAU),
        p.rng.range(0.0, std::f32::consts::TAU),
    );
    p.taper(
        &[(0.0, 0.1), (h.cos() * 0.3, 0.1 + h.sin() * 0.3)],
        0.07,
        0.03,
        hex(0x2b2a2e),
    );
    p.taper(
        &[(0.0, 0.1), (m.cos() * 0.48, 0.1 + m.sin() * 0.48)],
        0.05,
        0.02,
        hex(0x2b2a2e),
    );
    p.dot(0.0, 0.1, 0.05, case);
}

pub fn key(p: &mut Pen<'_>) {
    let metal = p.main(hex(0xd8aa3c));
    p.ground(0.0, 0.97, 0.35);
    p.ring(0.0, -0.55, 0.3, 0.13, metal);
    p.oval(0.0, -0.94, 0.1, 0.08, metal);
    p.rounded((-0.07, -0.26), (0.07, 0.96), 0.04, metal);
    p.rect(0.05, 0.56, 0.34, 0.66, metal);
    p.rect(0.05, 0.78, 0.42, 0.9, metal);
    p.rounded((-0.14, -0.24), (0.14, -0.14), 0.03, metal.light(0.2));
}

pub fn heart(p: &mut Pen<'_>) {
    let c = p.main(hex(0xdd2b4a));
    p.glow(0.0, 0.0, 1.5, c, 0.3);
    p.blob(
        &[
            (0.0, -0.42),
            (-0.24, -0.74),
            (-0.66, -0.74),
            (-0.9, -0.36),
            (-0.76, 0.1),
            (-0.4, 0.52),
            (-0.06, 0.86),
            (0.0, 0.9),
            (0.06, 0.86),
            (0.4, 0.52),
            (0.76, 0.1),
            (0.9, -0.36),
            (0.66, -0.74),
            (0.24, -0.74),
        ],
        c,
    );
    p.leaf((-0.5, -0.42), 0.1, 0.2, 40.0, c.light(0.6));
}

pub fn crown(p: &mut Pen<'_>) {
    let gold = p.main(hex(0xe8b93a));
    p.ground(0.0, 0.94, 0.85);
    p.oval(0.0, 0.36, 0.74, 0.16, gold.dark(0.45));
    p.poly(
        &[
            (-0.78, 0.86),
            (-0.92, -0.3),
            (-0.46, 0.26),
            (-0.3, -0.56),
            (0.0, 0.16),
            (0.3, -0.56),
            (0.46, 0.26),
            (0.92, -0.3),
            (0.78, 0.86),
        ],
        gold,
    );
    p.blob(
        &[
            (-0.79, 0.64),
            (0.0, 0.76),
            (0.79, 0.64),
            (0.77, 0.86),
            (0.0, 0.98),
            (-0.77, 0.86),
        ],
        gold.light(0.2),
    );
    for (x, y) in [(-0.92, -0.36), (-0.3, -0.62), (0.3, -0.62), (0.92, -0.36)] {
        p.oval(x, y, 0.09, 0.09, gold.light(0.4));
    }
    let jewel = p.second(hex(0xc2283c));
    for (x, y, c) in [
        (0.0, 0.84, jewel),
        (-0.42, 0.8, hex(0x2f7fd0)),
        (0.42, 0.8, hex(0x2f9a5a)),
    ] {
        p.oval(x, y, 0.1, 0.09, c);
        p.dot(x - 0.03, y - 0.03, 0.022, Rgb::WHITE);
    }
}

pub fn gem(p: &mut Pen<'_>) {
    let c = p.main(hex(0x4fc3e8));
    p.ground(0.0, 0.95, 0.5);
    p.glow(0.0, 0.1, 1.3, c, 0.4);
    let top = [(-0.46, -0.5), (-0.16, -0.5), (0.16, -0.5), (0.46, -0.5)];
    let mid = [(-0.86, -0.08), (-0.36, -0.08), (0.36, -0.08), (0.86, -0.08)];
    let tones = [0.3, 0.65, 0.1];
    for i in 0..3 {
        p.flat(&[top[i], top[i + 1], mid[i + 1], mid[i]], c.light(tones[i]));
        let low = if i == 1 {
            c
        } else if i == 0 {
            c.light(0.25)
        } else {
            c.dark(0.3)
        };
        p.flat(&[mid[i], mid[i + 1], (0.0, 0.94)], low);
    }
    p.flat(&[top[0], mid[0], mid[1]], c.light(0.1));
    p.flat(&[top[3], mid[3], mid[2]], c.dark(0.2));
    p.flat(
        &[(-0.3, -0.44), (-0.1, -0.44), (-0.34, -0.16)],
        c.light(0.9),
    );
}

pub fn hat(p: &mut Pen<'_>) {
    let felt = p.main(hex(0x33303c));
    p.ground(0.0, 0.95, 0.95);
    p.oval(0.0, 0.8, 0.94, 0.18, felt);
    p.blob(
        &[
            (-0.46, 0.78),
            (-0.5, 0.1),
            (-0.54, -0.5),
            (0.54, -0.5),
            (0.5, 0.1),
            (0.46, 0.78),
            (0.0, 0.86),
        ],
        felt,
    );
    p.oval(0.0, -0.5, 0.53, 0.12, felt.light(0.14));
    p.blob(
        &[
            (-0.47, 0.5),
            (0.0, 0.6),
            (0.47, 0.5),
            (0.46, 0.74),
            (0.0, 0.84),
            (-0.46, 0.74),
        ],
        p.second(hex(0xb52f3a)),
    );
}

pub fn chair(p: &mut Pen<'_>) {
    let cloth = p.main(hex(0x3f8a86));
    p.ground(0.0, 0.98, 0.9);
    for x in [-0.6, 0.6] {
        p.taper(&[(x, 0.8), (x * 1.06, 1.0)], 0.12, 0.07, hex(0x5d3f28));
    }
    p.blob(
        &[
            (-0.6, 0.6),
            (-0.64, -0.5),
            (-0.4, -0.86),
            (0.0, -0.92),
            (0.4, -0.86),
            (0.64, -0.5),
            (0.6, 0.6),
        ],
        cloth,
    );
    for (x, y) in [
        (-0.24, -0.5),
        (0.24, -0.5),
        (0.0, -0.24),
        (-0.24, 0.0),
        (0.24, 0.0),
    ] {
        p.dot(x, y, 0.035, cloth.dark(0.4));
    }
    p.rounded((-0.6, 0.24), (0.6, 0.56), 0.14, cloth.light(0.14));
    p.rounded((-0.62, 0.5), (0.62, 0.86), 0.08, cloth.dark(0.1));
    for s in [-1.0, 1.0] {
        p.rounded(
            if s < 0.0 { (-0.9, 0.04) } else { (0.56, 0.04) },
            if s < 0.0 { (-0.56, 0.88) } else { (0.9, 0.88) },
            0.15,
            cloth.light(0.05),
        );
    }
}

pub fn sword(p: &mut Pen<'_>) {
    let steel = p.main(hex(0xcbd5de));
    p.ground(0.0, 0.98, 0.3);
    p.poly(
        &[(-0.1, 0.4), (-0.1, -0.78), (0.0, -1.0), (0.0, 0.4)],
        steel.light(0.3),
    );
    p.poly(
        &[(0.0, 0.4), (0.0, -1.0), (0.1, -0.78), (0.1, 0.4)],
        steel.dark(0.15),
    );
    p.rounded((-0.38, 0.36), (0.38, 0.48), 0.05, p.second(hex(0xd8aa3c)));
    p.rounded((-0.07, 0.48), (0.07, 0.86), 0.03, hex(0x5d3420));
    p.oval(0.0, 0.9, 0.1, 0.1, p.second(hex(0xd8aa3c)));
    p.oval(0.0, 0.42, 0.07, 0.07, hex(0xc2283c));
}

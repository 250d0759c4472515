//! What stands on a laid table.

use super::super::palette::{Rgb, hex};
use super::super::pen::Pen;
use super::fire::flame;

fn steam(p: &mut Pen<'_>, x: f32, y: f32) {
    for (dx, s) in [(-0.12, 1.0), (0.06, -1.0), (0.2, 1.0)] {
        let alpha = p.alpha;
        p.alpha = alpha * 0.45;
        p.taper(
            &[
                (x + dx, y),
                (x + dx + 0.07 * s, y - 0.16),
                (x + dx - 0.05 * s, y - 0.32),
                (x + dx + 0.04 * s, y - 0.46),
            ],
            0.06,
            0.02,
            Rgb::WHITE,
        );
        p.alpha = alpha;
    }
}

pub fn teapot(p: &mut Pen<'_>) {
    let glaze = p.main(hex(0x3f7fae));
    p.ground(0.0, 0.96, 0.85);
    p.taper(
        &[(-0.44, 0.02), (-0.86, 0.0), (-0.9, 0.42), (-0.5, 0.6)],
        0.12,
        0.1,
        glaze.dark(0.1),
    );
    p.taper(
        &[(0.46, 0.5), (0.72, 0.3), (0.8, 0.0), (0.98, -0.14)],
        0.3,
        0.12,
        glaze,
    );
    p.blob(
        &[
            (-0.5, 0.9),
            (-0.64, 0.4),
            (-0.46, 0.0),
            (0.0, -0.14),
            (0.46, 0.0),
            (0.64, 0.4),
            (0.5, 0.9),
            (0.0, 0.98),
        ],
        glaze,
    );
    p.oval(0.0, -0.1, 0.33, 0.12, glaze.dark(0.15));
    p.blob(
        &[(-0.28, -0.12), (-0.16, -0.3), (0.16, -0.3), (0.28, -0.12)],
        glaze.light(0.1),
    );
    p.oval(0.0, -0.36, 0.09, 0.09, p.second(hex(0xe0b64a)));
    for i in 0..5 {
        let a = i as f32 * 72.0;
        let (s, c) = a.to_radians().sin_cos();
        p.leaf(
            (c * 0.13, 0.46 + s * 0.13),
            0.12,
            0.07,
            a,
            glaze.light(0.72),
        );
    }
    p.dot(0.0, 0.46, 0.06, hex(0xe0b64a));
    steam(p, 0.96, -0.24);
}

pub fn cup(p: &mut Pen<'_>) {
    let glaze = p.main(hex(0xe8e0d2));
    p.ground(0.0, 0.96, 0.9);
    p.oval(0.0, 0.9, 0.82, 0.1, glaze.dark(0.1));
    p.arc((0.56, 0.3), 0.26, (-80.0, 110.0), 0.11, glaze.dark(0.12));
    p.blob(
        &[
            (-0.6, -0.12),
            (0.6, -0.12),
            (0.56, 0.4),
            (0.36, 0.84),
            (0.0, 0.9),
            (-0.36, 0.84),
            (-0.56, 0.4),
        ],
        glaze,
    );
    p.oval(0.0, -0.12, 0.6, 0.16, glaze.light(0.3));
    p.oval(0.0, -0.1, 0.52, 0.12, p.second(hex(0x5a3520)));
    p.taper(
        &[(-0.5, 0.3), (0.0, 0.42), (0.5, 0.3)],
        0.09,
        0.09,
        glaze.turn(0.5).dark(0.4),
    );
    steam(p, -0.05, -0.26);
}

pub fn bottle(p: &mut Pen<'_>) {
    let glass = p.main(hex(0x2f7a55));
    p.ground(0.0, 0.97, 0.5);
    p.blob(
        &[
            (-0.32, 0.96),
            (-0.36, 0.3),
            (-0.3, -0.1),
            (-0.12, -0.36),
            (-0.1, -0.86),
            (0.1, -0.86),
            (0.12, -0.36),
            (0.3, -0.1),
            (0.36, 0.3),
            (0.32, 0.96),
        ],
        glass,
    );
    p.rounded((-0.12, -0.98), (0.12, -0.82), 0.03, hex(0xb98a5a));
    p.rounded((-0.34, 0.2), (0.34, 0.7), 0.03, p.second(hex(0xf3ead2)));
    p.line(&[(-0.2, 0.36), (0.2, 0.36)], 0.04, glass.dark(0.4));
    p.line(&[(-0.14, 0.52), (0.14, 0.52)], 0.025, hex(0xa07c4a));
    p.taper(
        &[(-0.24, 0.14), (-0.22, -0.06), (-0.08, -0.3)],
        0.04,
        0.03,
        Rgb::WHITE,
    );
}

pub fn apple(p: &mut Pen<'_>) {
    let skin = p.main(hex(0xcf2b2b));
    p.ground(0.0, 0.95, 0.7);
    p.blob(
        &[
            (0.0, -0.28),
            (-0.4, -0.46),
            (-0.72, -0.1),
            (-0.66, 0.44),
            (-0.32, 0.92),
            (0.0, 0.84),
            (0.32, 0.92),
            (0.66, 0.44),
            (0.72, -0.1),
            (0.4, -0.46),
        ],
        skin,
    );
    p.oval(0.0, -0.3, 0.16, 0.06, skin.dark(0.45));
    p.taper(
        &[(0.0, -0.28), (0.04, -0.5), (0.12, -0.7)],
        0.06,
        0.05,
        hex(0x5d3f28),
    );
    p.blob(
        &[(0.06, -0.5), (0.28, -0.8), (0.62, -0.76), (0.4, -0.5)],
        p.second(hex(0x5fa03f)),
    );
    p.leaf((-0.36, -0.12), 0.09, 0.17, 25.0, skin.light(0.6));
}

pub fn lemon(p: &mut Pen<'_>) {
    let skin = p.main(hex(0xf4d03a));
    p.ground(0.0, 0.9, 0.75);
    p.blob(
        &[
            (-0.92, 0.32),
            (-0.7, 0.16),
            (-0.4, -0.2),
            (0.1, -0.3),
            (0.56, -0.02),
            (0.76, 0.2),
            (0.94, 0.3),
            (0.76, 0.46),
            (0.5, 0.78),
            (0.0, 0.92),
            (-0.5, 0.78),
            (-0.74, 0.46),
        ],
        skin,
    );
    for _ in 0..24 {
        let (x, y) = (p.rng.range(-0.5, 0.5), p.rng.range(-0.1, 0.7));
        p.dot(x, y, 0.014, skin.dark(0.18));
    }
    p.blob(
        &[(0.6, 0.0), (0.7, -0.34), (1.0, -0.4), (0.9, -0.1)],
        hex(0x4f9440),
    );
}

pub fn cake(p: &mut Pen<'_>) {
    let cream = p.main(hex(0xf4a9c0));
    let sponge = p.second(hex(0xe2b56e));
    p.ground(0.0, 0.96, 0.95);
    p.oval(0.0, 0.92, 0.92, 0.1, hex(0xe9e6e1));
    for (half, y0, y1) in [(0.72, 0.24, 0.9), (0.48, -0.28, 0.24)] {
        p.rounded((-half, y0), (half, y1), 0.08, sponge);
        p.rect(
            -half,
            (y0 + y1) / 2.0,
            half,
            (y0 + y1) / 2.0 + 0.07,
            hex(0xfff6ea),
        );
        let mut drip = vec![(half + 0.02, y0 - 0.06), (half + 0.02, y0 + 0.12)];
        for i in 0..7 {
            let x = half - (i as f32 + 0.5) / 7.0 * half * 2.0;
            drip.push((x, y0 + if i % 2 == 0 { 0.2 } else { 0.08 }));
        }
        drip.extend([(-half - 0.02, y0 + 0.12), (-half - 0.02, y0 - 0.06)]);
        p.blob(&drip, cream);
    }
    for (i, x) in [-0.3, 0.0, 0.3].into_iter().enumerate() {
        p.rect(
            x - 0.035,
            -0.64,
            x + 0.035,
            -0.3,
            [hex(0x5db4e0), hex(0xf6d04a), hex(0x7cc66a)][i],
        );
        flame(p, x, -0.66, 0.11);
    }
    for (x, y) in [
        (-0.5, 0.6),
        (-0.2, 0.74),
        (0.14, 0.62),
        (0.46, 0.74),
        (0.6, 0.54),
    ] {
        p.oval(x, y, 0.05, 0.05, hex(0xd22b45));
    }
}

pub fn icecream(p: &mut Pen<'_>) {
    let scoop = p.main(hex(0xf6a5c0));
    p.poly(&[(-0.36, 0.02), (0.36, 0.02), (0.0, 1.0)], hex(0xd9a25a));
    for i in -2..=2 {
        let x = i as f32 * 0.14;
        p.line(&[(x, 0.04), (x * 0.2 + 0.12, 0.6)], 0.014, hex(0xa8733a));
        p.line(&[(x, 0.04), (x * 0.2 - 0.12, 0.6)], 0.014, hex(0xa8733a));
    }
    p.oval(-0.2, -0.16, 0.33, 0.31, scoop);
    p.oval(0.22, -0.16, 0.33, 0.31, p.second(hex(0xf4e6c0)));
    p.oval(0.0, -0.52, 0.33, 0.31, scoop.turn(0.3).light(0.1));
    p.oval(0.0, -0.86, 0.1, 0.1, hex(0xd02840));
    for (x, y) in [
        (-0.3, -0.1),
        (0.1, -0.6),
        (0.34, -0.2),
        (-0.1, -0.44),
        (0.2, -0.02),
    ] {
        p.line(&[(x, y), (x + 0.05, y + 0.03)], 0.025, hex(0x6b3f2a));
    }
}

pub fn bread(p: &mut Pen<'_>) {
    let crust = p.main(hex(0xc98a42));
    p.ground(0.0, 0.9, 1.0);
    p.blob(
        &[
            (-0.96, 0.6),
            (-0.84, 0.22),
            (-0.3, 0.0),
            (0.3, 0.0),
            (0.84, 0.22),
            (0.96, 0.6),
            (0.7, 0.88),
            (-0.7, 0.88),
        ],
        crust,
    );
    for x in [-0.5, -0.1, 0.3] {
        p.leaf((x + 0.06, 0.28), 0.09, 0.3, 32.0, hex(0xf0d9a8));
    }
}

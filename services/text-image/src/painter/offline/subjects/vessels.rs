//! What sails, dives and flies with people in it.

use super::super::canvas::Finish;
use super::super::palette::hex;
use super::super::pen::{Pen, poly};

pub fn boat(p: &mut Pen<'_>) {
    let hull = p.main(hex(0xb5472f));
    let sail = p.second(hex(0xfbf5e6));
    p.taper(&[(0.0, 0.6), (0.0, -0.96)], 0.06, 0.035, hex(0x7a5a3c));
    p.fill(
        super::super::pen::smooth(
            &[
                (0.06, 0.4),
                (0.07, -0.2),
                (0.05, -0.88),
                (0.4, -0.3),
                (0.76, 0.4),
            ],
            true,
        ),
        sail,
        Finish::Slope,
    );
    p.poly(
        &[(-0.05, 0.4), (-0.05, -0.74), (-0.3, -0.2), (-0.62, 0.4)],
        sail.dark(0.1),
    );
    for k in [0.1, -0.2, -0.5] {
        p.line(
            &[(0.07, k), (0.6 - (0.4 - k) * 0.5, k)],
            0.012,
            sail.dark(0.2),
        );
    }
    p.flat(&[(0.0, -1.0), (0.22, -0.94), (0.0, -0.88)], hull);
    p.fill(
        super::super::pen::smooth(
            &[
                (-0.92, 0.54),
                (-0.3, 0.6),
                (0.4, 0.6),
                (1.0, 0.48),
                (0.84, 0.8),
                (0.6, 0.98),
                (-0.6, 0.98),
                (-0.8, 0.8),
            ],
            true,
        ),
        hull,
        Finish::Slope,
    );
    p.curve(
        &[(-0.9, 0.56), (-0.3, 0.63), (0.4, 0.63), (0.97, 0.51)],
        0.06,
        hull.light(0.55),
    );
    p.line(&[(-0.76, 0.8), (0.8, 0.8)], 0.03, hull.light(0.35));
}

pub fn ship(p: &mut Pen<'_>) {
    let hull = p.main(hex(0x6f4a2c));
    let sail = p.second(hex(0xf4ead2));
    for (x, top, w) in [
        (-0.5, -0.66, 0.24),
        (0.42, -0.7, 0.26),
        (-0.04, -0.94, 0.32),
    ] {
        p.taper(&[(x, 0.5), (x, top)], 0.055, 0.03, hex(0x4a3322));
        for (k, y) in [(0.7, top + 0.1), (1.0, top + 0.5)] {
            let (w, h) = (w * k, 0.36);
            p.blob(
                &[
                    (x - w, y),
                    (x, y + 0.03),
                    (x + w, y),
                    (x + w * 1.14, y + h * 0.6),
                    (x + w * 0.94, y + h),
                    (x, y + h * 0.9),
                    (x - w * 0.94, y + h),
                    (x - w * 0.86, y + h * 0.5),
                ],
                sail,
            );
        }
        p.flat(
            &[(x, top - 0.02), (x + 0.18, top + 0.02), (x, top + 0.06)],
            hex(0xc03030),
        );
    }
    p.line(&[(0.8, 0.4), (1.14, 0.1)], 0.035, hex(0x4a3322));
    p.poly(
        &[
            (-0.98, 0.2),
            (-0.6, 0.24),
            (-0.56, 0.44),
            (0.5, 0.44),
            (0.98, 0.3),
            (0.84, 0.7),
            (0.66, 0.98),
            (-0.76, 0.98),
            (-0.92, 0.7),
        ],
        hull,
    );
    p.line(&[(-0.94, 0.48), (0.9, 0.54)], 0.045, hex(0xd9b45a));
    p.line(&[(-0.88, 0.78), (0.76, 0.8)], 0.025, hull.dark(0.4));
    for i in 0..6 {
        let x = -0.66 + i as f32 * 0.24;
        p.rect(x, 0.58, x + 0.1, 0.68, hex(0x2a1c14));
    }
    p.pane(-0.9, 0.28, -0.8, 0.4);
    p.pane(-0.76, 0.28, -0.66, 0.4);
}

pub fn submarine(p: &mut Pen<'_>) {
    let hull = p.main(hex(0xf0b92c));
    p.rect(-0.16, -0.62, 0.24, -0.2, hull.dark(0.1));
    p.line(
        &[(0.04, -0.6), (0.04, -0.9), (0.24, -0.9)],
        0.06,
        hull.dark(0.35),
    );
    for y in [-0.2, 0.28] {
        p.leaf((-0.95, 0.06 + y * 0.6), 0.08, 0.24, 0.0, hull.dark(0.4));
    }
    p.blob(
        &[
            (-0.9, 0.06),
            (-0.66, -0.24),
            (0.2, -0.34),
            (0.8, -0.2),
            (0.96, 0.08),
            (0.78, 0.36),
            (0.2, 0.46),
            (-0.66, 0.34),
        ],
        hull,
    );
    p.curve(
        &[(-0.8, 0.18), (0.2, 0.26), (0.9, 0.16)],
        0.035,
        hull.dark(0.3),
    );
    for x in [-0.32, 0.1, 0.52] {
        p.oval(x, 0.02, 0.15, 0.15, hull.dark(0.45));
        p.oval(x, 0.02, 0.105, 0.105, hex(0xbfeaf5));
    }
    p.glow(1.0, 0.08, 0.9, hex(0xfff2b0), 0.6);
}

pub fn plane(p: &mut Pen<'_>) {
    let body = p.main(hex(0xf1f3f5));
    let trim = p.second(hex(0xd0342c));
    p.poly(
        &[(-0.06, -0.06), (-0.3, -0.66), (-0.14, -0.68), (0.3, -0.08)],
        body.dark(0.3),
    );
    p.poly(
        &[
            (-0.7, -0.06),
            (-0.98, -0.56),
            (-0.78, -0.56),
            (-0.44, -0.12),
        ],
        trim,
    );
    p.blob(
        &[
            (-0.94, 0.0),
            (-0.6, -0.16),
            (0.3, -0.2),
            (0.8, -0.12),
            (1.02, 0.06),
            (0.8, 0.18),
            (0.2, 0.22),
            (-0.5, 0.16),
        ],
        body,
    );
    p.curve(&[(-0.84, 0.08), (0.2, 0.12), (0.96, 0.08)], 0.05, trim);
    for i in 0..8 {
        p.dot(-0.46 + i as f32 * 0.14, -0.04, 0.035, hex(0x6fa4c4));
    }
    p.poly(&[(0.76, -0.1), (0.9, -0.02), (0.7, -0.02)], hex(0x6fa4c4));
    p.poly(
        &[(-0.1, 0.1), (-0.6, 0.66), (-0.4, 0.7), (0.34, 0.14)],
        body.dark(0.12),
    );
    p.oval(-0.12, 0.46, 0.18, 0.09, body.dark(0.25));
    p.poly(
        &[(-0.76, 0.02), (-1.0, 0.26), (-0.86, 0.28), (-0.52, 0.06)],
        body.dark(0.12),
    );
}

pub fn balloon(p: &mut Pen<'_>) {
    let main = p.main(hex(0xe0503a));
    let other = p.second(if p.tints.is_empty() {
        hex(0xf6d365)
    } else {
        main.light(0.6)
    });
    p.glow(0.0, 0.4, 0.5, hex(0xffb347), 0.3);
    for s in [-1.0, 1.0] {
        p.line(&[(s * 0.2, 0.36), (s * 0.13, 0.74)], 0.014, hex(0x5d4330));
    }
    // Gores from the edges to the middle, so that each overlaps the one behind.
    for (i, half) in [0.72, 0.54, 0.34, 0.12].into_iter().enumerate() {
        let c = if i % 2 == 0 { main } else { other };
        p.blob(
            &[
                (-half * 0.3, 0.4),
                (-half * 0.78, 0.06),
                (-half, -0.32),
                (-half * 0.76, -0.72),
                (0.0, -0.96),
                (half * 0.76, -0.72),
                (half, -0.32),
                (half * 0.78, 0.06),
                (half * 0.3, 0.4),
            ],
            c,
        );
    }
    p.rounded((-0.22, 0.34), (0.22, 0.43), 0.04, main.dark(0.4));
    p.rounded((-0.16, 0.72), (0.16, 1.0), 0.04, hex(0x9c6f3f));
    for y in [0.8, 0.88] {
        p.line(&[(-0.15, y), (0.15, y)], 0.014, hex(0x6b4a2a));
    }
    p.rect(-0.18, 0.7, 0.18, 0.76, hex(0x6b4a2a));
}

pub fn rocket(p: &mut Pen<'_>) {
    let body = p.main(hex(0xf0f1f4));
    let fin = p.second(if p.tints.is_empty() {
        hex(0xd8392f)
    } else {
        body.dark(0.45)
    });
    p.within((0.0, 0.0), 1.0, 18.0, |p| {
        p.glow(0.0, 0.8, 1.0, hex(0xff9a3a), 0.8);
        p.blob(
            &[
                (-0.2, 0.5),
                (-0.26, 0.8),
                (0.0, 1.25),
                (0.26, 0.8),
                (0.2, 0.5),
            ],
            hex(0xff8a2a),
        );
        p.blob(
            &[
                (-0.11, 0.5),
                (-0.13, 0.72),
                (0.0, 1.0),
                (0.13, 0.72),
                (0.11, 0.5),
            ],
            hex(0xfff0a0),
        );
        for s in [-1.0, 1.0] {
            p.poly(
                &[
                    (s * 0.24, 0.06),
                    (s * 0.58, 0.46),
                    (s * 0.56, 0.74),
                    (s * 0.2, 0.5),
                ],
                fin,
            );
        }
        p.poly(
            &[(-0.18, 0.44), (0.18, 0.44), (0.22, 0.58), (-0.22, 0.58)],
            hex(0x555a64),
        );
        p.blob(
            &[
                (-0.22, 0.5),
                (-0.34, 0.0),
                (-0.24, -0.56),
                (0.0, -0.96),
                (0.24, -0.56),
                (0.34, 0.0),
                (0.22, 0.5),
            ],
            body,
        );
        p.blob(
            &[(-0.235, -0.56), (0.0, -0.97), (0.235, -0.56), (0.0, -0.5)],
            fin,
        );
        p.oval(0.0, -0.2, 0.16, 0.16, hex(0x6a707c));
        p.oval(0.0, -0.2, 0.115, 0.115, hex(0x8fd6f2));
        p.curve(&[(-0.3, 0.16), (0.0, 0.22), (0.3, 0.16)], 0.05, fin);
        p.taper(&[(0.0, 0.24), (0.0, 0.7)], 0.09, 0.05, fin.dark(0.15));
    });
}

pub fn ufo(p: &mut Pen<'_>) {
    let hull = p.main(hex(0x9aa7b8));
    let beam = poly(&[(-0.24, 0.2), (0.24, 0.2), (0.66, 1.3), (-0.66, 1.3)]);
    p.wash(beam, hex(0xc6ffb0), 0.3, Finish::Glow);
    p.blob(
        &[
            (-0.4, -0.02),
            (-0.34, -0.4),
            (0.0, -0.56),
            (0.34, -0.4),
            (0.4, -0.02),
        ],
        hex(0xa8e6f0),
    );
    p.oval(0.0, -0.16, 0.13, 0.16, hex(0x77c95a));
    for s in [-1.0, 1.0] {
        p.oval(s * 0.06, -0.2, 0.04, 0.06, hex(0x14141c));
    }
    p.oval(0.0, 0.14, 0.98, 0.24, hull);
    p.oval(0.0, 0.02, 0.6, 0.13, hull.light(0.3));
    for i in 0..7 {
        let x = (i as f32 - 3.0) * 0.26;
        p.dot(
            x,
            0.2 - x * x * 0.06,
            0.05,
            if i % 2 == 0 {
                hex(0xffe070)
            } else {
                hex(0x6af0d0)
            },
        );
        p.glow(x, 0.2, 0.16, hex(0xffe070), 0.5);
    }
}

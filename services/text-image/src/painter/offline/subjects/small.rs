//! Small animals, each with a build of its own.

use super::super::canvas::Finish;
use super::super::palette::{Rgb, hex};
use super::super::pen::{Pen, smooth};
use super::beasts::{ear, eye};

pub fn cat(p: &mut Pen<'_>) {
    let coat = p.main(hex(0xe08a3c));
    let pale = coat.light(0.62);
    p.ground(0.0, 0.97, 0.75);
    p.taper(
        &[
            (0.38, 0.86),
            (0.78, 0.82),
            (0.86, 0.42),
            (0.68, 0.16),
            (0.76, 0.0),
        ],
        0.17,
        0.1,
        coat.dark(0.08),
    );
    p.blob(
        &[
            (-0.42, 0.96),
            (-0.5, 0.6),
            (-0.34, 0.1),
            (0.0, -0.12),
            (0.34, 0.1),
            (0.52, 0.6),
            (0.44, 0.96),
            (0.0, 1.0),
        ],
        coat,
    );
    p.oval(0.0, 0.44, 0.2, 0.38, pale);
    p.oval(-0.36, 0.86, 0.22, 0.14, coat.dark(0.06));
    p.oval(0.36, 0.86, 0.22, 0.14, coat.dark(0.06));
    for x in [-0.13, 0.13] {
        p.taper(&[(x, 0.4), (x, 0.7), (x, 0.95)], 0.2, 0.17, coat);
        p.oval(x, 0.94, 0.12, 0.07, pale);
    }
    for y in [0.22, 0.36, 0.5] {
        for s in [-1.0, 1.0] {
            p.taper(
                &[(s * 0.42, y + 0.06), (s * 0.28, y), (s * 0.22, y + 0.02)],
                0.05,
                0.015,
                coat.dark(0.35),
            );
        }
    }
    ear(p, (-0.27, -0.62), (-0.4, -1.0), 0.16, coat);
    ear(p, (0.27, -0.62), (0.4, -1.0), 0.16, coat);
    p.oval(0.0, -0.42, 0.46, 0.39, coat);
    for x in [-0.1, 0.0, 0.1] {
        p.taper(&[(x, -0.76), (x * 0.7, -0.6)], 0.05, 0.02, coat.dark(0.35));
    }
    p.oval(-0.11, -0.25, 0.15, 0.12, pale);
    p.oval(0.11, -0.25, 0.15, 0.12, pale);
    for x in [-0.2, 0.2] {
        p.oval(x, -0.46, 0.1, 0.11, p.second(hex(0xbfd94f)));
        p.oval(x, -0.46, 0.035, 0.1, hex(0x14120f));
        p.dot(x + 0.03, -0.51, 0.022, Rgb::WHITE);
    }
    p.flat(
        &[(-0.05, -0.33), (0.05, -0.33), (0.0, -0.26)],
        hex(0xc9605e),
    );
    for s in [-1.0, 1.0] {
        p.curve(
            &[(0.0, -0.26), (s * 0.05, -0.19), (s * 0.11, -0.21)],
            0.018,
            hex(0x5a3030),
        );
        for dy in [-0.03, 0.03] {
            p.curve(
                &[(s * 0.2, -0.25 + dy), (s * 0.46, -0.28 + dy * 2.5)],
                0.012,
                pale,
            );
        }
    }
}

pub fn rabbit(p: &mut Pen<'_>) {
    let coat = p.main(hex(0xcdb79c));
    let pale = coat.light(0.6);
    p.ground(0.0, 0.97, 0.66);
    p.oval(-0.55, 0.7, 0.16, 0.15, Rgb::WHITE);
    for (x, tip) in [(-0.02, -0.16), (0.22, 0.2)] {
        p.leaf((x + tip * 0.35, -0.62), 0.1, 0.36, tip * 40.0, coat);
        p.leaf(
            (x + tip * 0.35, -0.6),
            0.05,
            0.27,
            tip * 40.0,
            hex(0xe9a9a8),
        );
    }
    p.blob(
        &[
            (-0.58, 0.7),
            (-0.44, 0.3),
            (-0.05, 0.14),
            (0.3, 0.3),
            (0.42, 0.66),
            (0.3, 0.96),
            (-0.3, 0.99),
        ],
        coat,
    );
    p.oval(-0.22, 0.7, 0.3, 0.27, coat.light(0.1));
    p.oval(0.26, 0.72, 0.15, 0.24, pale);
    p.oval(-0.16, 0.94, 0.28, 0.07, pale);
    p.oval(0.3, 0.94, 0.14, 0.06, pale);
    p.oval(0.13, -0.06, 0.34, 0.31, coat);
    p.oval(0.25, 0.08, 0.16, 0.12, pale);
    eye(p, 0.2, -0.12, 0.07);
    p.dot(0.33, 0.02, 0.035, hex(0xd97b80));
    for dy in [0.0, 0.05] {
        p.curve(
            &[(0.3, 0.08 + dy * 0.5), (0.58, 0.04 + dy * 2.0)],
            0.012,
            pale.dark(0.1),
        );
    }
}

pub fn turtle(p: &mut Pen<'_>) {
    let shell = p.main(hex(0x4f7a3a));
    let skin = p.second(hex(0x93a85c));
    p.ground(0.0, 0.97, 0.85);
    p.taper(&[(-0.6, 0.8), (-0.92, 0.86)], 0.14, 0.03, skin);
    p.leaf((-0.46, 0.86), 0.2, 0.12, 30.0, skin);
    p.leaf((0.42, 0.86), 0.2, 0.12, -30.0, skin);
    p.taper(&[(0.5, 0.7), (0.72, 0.56), (0.84, 0.42)], 0.26, 0.2, skin);
    p.oval(0.86, 0.38, 0.18, 0.15, skin);
    eye(p, 0.9, 0.33, 0.04);
    p.blob(
        &[
            (-0.7, 0.82),
            (-0.56, 0.36),
            (-0.1, 0.06),
            (0.4, 0.34),
            (0.62, 0.8),
            (0.0, 0.9),
        ],
        shell,
    );
    for (x, y) in [(-0.38, 0.56), (-0.06, 0.34), (0.28, 0.54), (-0.05, 0.66)] {
        p.poly(
            &[
                (x - 0.15, y),
                (x - 0.07, y - 0.13),
                (x + 0.08, y - 0.13),
                (x + 0.15, y),
                (x + 0.08, y + 0.13),
                (x - 0.07, y + 0.13),
            ],
            shell.light(0.22),
        );
    }
    p.fill(
        smooth(
            &[(-0.74, 0.82), (0.0, 0.76), (0.66, 0.8), (0.0, 0.94)],
            true,
        ),
        shell.light(0.35),
        Finish::Slope,
    );
}

pub fn frog(p: &mut Pen<'_>) {
    let skin = p.main(hex(0x5fae3e));
    p.ground(0.0, 0.97, 0.8);
    for s in [-1.0, 1.0] {
        p.leaf((s * 0.52, 0.72), 0.34, 0.2, s * -35.0, skin.dark(0.12));
        p.oval(s * 0.62, 0.94, 0.26, 0.06, skin.dark(0.05));
    }
    p.blob(
        &[
            (-0.5, 0.9),
            (-0.52, 0.3),
            (0.0, 0.0),
            (0.52, 0.3),
            (0.5, 0.9),
            (0.0, 0.98),
        ],
        skin,
    );
    p.oval(0.0, 0.68, 0.34, 0.28, hex(0xe4edb8));
    p.oval(0.0, 0.16, 0.54, 0.32, skin);
    for s in [-1.0, 1.0] {
        p.oval(s * 0.32, -0.14, 0.2, 0.2, skin);
        p.oval(s * 0.32, -0.15, 0.14, 0.14, hex(0xf7e27a));
        p.oval(s * 0.32, -0.15, 0.11, 0.045, hex(0x161414));
        p.taper(&[(s * 0.3, 0.6), (s * 0.26, 0.92)], 0.14, 0.11, skin);
        p.oval(s * 0.24, 0.95, 0.16, 0.05, skin.light(0.1));
    }
    p.curve(
        &[(-0.36, 0.2), (0.0, 0.34), (0.36, 0.2)],
        0.03,
        skin.dark(0.6),
    );
}

pub fn snail(p: &mut Pen<'_>) {
    let shell = p.main(hex(0xb5763a));
    let skin = p.second(hex(0xd9c08a));
    p.ground(0.0, 0.97, 0.85);
    p.blob(
        &[
            (-0.9, 0.96),
            (-0.4, 0.74),
            (0.4, 0.76),
            (0.5, 0.4),
            (0.74, 0.3),
            (0.86, 0.48),
            (0.76, 0.9),
            (0.4, 0.98),
        ],
        skin,
    );
    for (x, y) in [(0.62, 0.0), (0.84, 0.04)] {
        p.taper(&[(x + 0.03, 0.38), (x, y)], 0.06, 0.035, skin);
        p.dot(x, y, 0.05, hex(0x1b1518));
    }
    p.oval(-0.15, 0.3, 0.55, 0.53, shell);
    for (i, r) in [0.4, 0.27, 0.14].into_iter().enumerate() {
        let k = i as f32 * 0.03;
        p.ring(-0.13 + k, 0.32 + k, r, 0.05, shell.dark(0.35));
    }
    p.curve(
        &[(0.66, 0.6), (0.74, 0.64), (0.8, 0.6)],
        0.025,
        skin.dark(0.6),
    );
}

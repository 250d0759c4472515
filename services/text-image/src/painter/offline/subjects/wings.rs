//! Insects.

use super::super::palette::{Rgb, hex};
use super::super::pen::{Pen, oval};
use super::beasts::eye;

pub fn butterfly(p: &mut Pen<'_>) {
    let wing = p.main(hex(0xee7d22));
    let edge = p.second(hex(0x2a2030));
    for s in [-1.0f32, 1.0] {
        let w = |pts: &[(f32, f32)]| pts.iter().map(|&(x, y)| (x * s, y)).collect::<Vec<_>>();
        p.blob(
            &w(&[
                (0.05, 0.05),
                (0.4, 0.06),
                (0.76, 0.3),
                (0.66, 0.72),
                (0.4, 0.86),
                (0.16, 0.5),
            ]),
            edge,
        );
        p.blob(
            &w(&[
                (0.05, 0.0),
                (0.3, -0.56),
                (0.72, -0.86),
                (0.98, -0.66),
                (0.9, -0.14),
                (0.5, 0.12),
            ]),
            edge,
        );
        p.blob(
            &w(&[
                (0.12, -0.03),
                (0.36, -0.5),
                (0.7, -0.72),
                (0.84, -0.58),
                (0.78, -0.16),
                (0.46, 0.04),
            ]),
            wing,
        );
        p.blob(
            &w(&[
                (0.12, 0.1),
                (0.38, 0.12),
                (0.64, 0.32),
                (0.58, 0.62),
                (0.4, 0.72),
                (0.22, 0.46),
            ]),
            wing.turn(0.03).light(0.15),
        );
        for (x, y, r) in [(0.6, -0.5, 0.1), (0.46, 0.4, 0.09), (0.42, -0.22, 0.07)] {
            p.oval(x * s, y, r, r, wing.light(0.6));
            p.dot(x * s, y, r * 0.5, edge);
        }
        for (x, y) in [(0.9, -0.5), (0.88, -0.28), (0.7, 0.42), (0.62, 0.68)] {
            p.dot(x * s, y, 0.035, Rgb::WHITE);
        }
        p.curve(
            &[(0.02 * s, -0.4), (0.12 * s, -0.66), (0.26 * s, -0.78)],
            0.025,
            edge,
        );
    }
    p.taper(&[(0.0, -0.42), (0.0, 0.1), (0.0, 0.66)], 0.15, 0.07, edge);
    p.oval(0.0, -0.42, 0.09, 0.09, edge);
}

pub fn bee(p: &mut Pen<'_>) {
    let coat = p.main(hex(0xf3b92a));
    for (x, r) in [(-0.2, -24.0), (0.12, 14.0)] {
        p.within((x, -0.4), 1.0, r, |p| {
            let wing = oval(0.0, 0.0, 0.24, 0.46);
            p.wash(
                wing,
                hex(0xdff0fa),
                0.75,
                super::super::canvas::Finish::Round,
            );
        });
    }
    p.poly(&[(-0.82, 0.2), (-1.0, 0.26), (-0.82, 0.32)], hex(0x2a2020));
    p.oval(-0.12, 0.22, 0.72, 0.44, coat);
    for x in [-0.6, -0.28, 0.04] {
        let h = 0.4 * (1.0 - ((x + 0.12) / 0.72f32).powi(2)).max(0.0).sqrt();
        p.taper(
            &[(x, 0.22 - h), (x + 0.05, 0.22), (x, 0.22 + h)],
            0.16,
            0.16,
            hex(0x2a2020),
        );
    }
    p.oval(0.56, 0.16, 0.3, 0.3, hex(0x33272a));
    eye(p, 0.68, 0.1, 0.11);
    for dx in [0.0, 0.16] {
        p.curve(
            &[(0.56 + dx, -0.1), (0.64 + dx, -0.34), (0.78 + dx, -0.4)],
            0.035,
            hex(0x2a2020),
        );
    }
}

//! What burns.

use super::super::canvas::Finish;
use super::super::palette::hex;
use super::super::pen::{Pen, oval};

/// A small flame standing on (`x`, `y`).
pub fn flame(p: &mut Pen<'_>, x: f32, y: f32, h: f32) {
    let shine = p.shine();
    p.glow(x, y - h * 0.5, h * 6.0, hex(0xffb040), 0.55 * shine);
    let tear = |k: f32| {
        [
            (x, y - h * 1.5 * k),
            (x + h * 0.42 * k, y - h * 0.4 * k),
            (x, y + h * 0.05),
            (x - h * 0.42 * k, y - h * 0.4 * k),
        ]
    };
    p.fill(
        super::super::pen::smooth(&tear(1.0), true),
        hex(0xff9a2c),
        Finish::Glow,
    );
    p.fill(
        super::super::pen::smooth(&tear(0.6), true),
        hex(0xfff2a8),
        Finish::Glow,
    );
}

pub fn candle(p: &mut Pen<'_>) {
    let wax = p.main(hex(0xf4ead6));
    p.ground(0.0, 0.96, 0.6);
    p.oval(0.0, 0.9, 0.56, 0.1, hex(0xc79a3e));
    p.arc((0.56, 0.82), 0.14, (-90.0, 180.0), 0.05, hex(0xc79a3e));
    p.rounded((-0.2, -0.3), (0.2, 0.9), 0.06, wax);
    p.blob(
        &[
            (-0.21, -0.32),
            (0.21, -0.32),
            (0.2, 0.0),
            (0.14, 0.16),
            (0.09, -0.14),
            (-0.06, -0.12),
            (-0.1, 0.3),
            (-0.17, 0.26),
        ],
        wax.light(0.4),
    );
    p.line(&[(0.0, -0.3), (0.01, -0.46)], 0.03, hex(0x33261c));
    flame(p, 0.0, -0.44, 0.3);
}

pub fn campfire(p: &mut Pen<'_>) {
    p.ground(0.0, 0.95, 0.9);
    p.glow(0.0, 0.5, 2.6, hex(0xff8a2a), 0.6 * p.shine());
    for i in 0..8 {
        let x = (i as f32 - 3.5) * 0.22;
        p.oval(x, 0.92 - x * x * 0.08, 0.14, 0.1, hex(0x77736e));
    }
    let fire = p.main(hex(0xff6a1c));
    for (k, c) in [
        (1.0, fire),
        (0.72, fire.turn(0.05).light(0.2)),
        (0.42, hex(0xfff1a0)),
    ] {
        let s = |x: f32, y: f32| (x * k, 0.8 + (y - 0.8) * k);
        p.fill(
            super::super::pen::smooth(
                &[
                    s(-0.46, 0.7),
                    s(-0.4, 0.2),
                    s(-0.5, -0.16),
                    s(-0.2, 0.1),
                    s(-0.12, -0.5),
                    s(0.04, -0.9),
                    s(0.1, -0.4),
                    s(0.3, 0.0),
                    s(0.42, -0.24),
                    s(0.46, 0.3),
                    s(0.44, 0.7),
                    s(0.0, 0.86),
                ],
                true,
            ),
            c,
            Finish::Glow,
        );
    }
    for (a, b) in [((-0.6, 0.92), (0.5, 0.66)), ((0.6, 0.92), (-0.5, 0.66))] {
        p.line(&[a, b], 0.15, hex(0x5a3b26));
        p.dot(b.0, b.1, 0.06, hex(0xb98a5a));
    }
    for _ in 0..10 {
        let (x, y) = (p.rng.range(-0.5, 0.5), p.rng.range(-1.3, -0.2));
        p.fill(oval(x, y, 0.022, 0.022), hex(0xffc050), Finish::Glow);
    }
}

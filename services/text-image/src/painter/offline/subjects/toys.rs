//! Things to play with.

use super::super::canvas::Finish;
use super::super::palette::hex;
use super::super::pen::{Pen, poly};

pub fn kite(p: &mut Pen<'_>) {
    let cloth = p.main(hex(0xe0423c));
    let other = p.second(hex(0xf6c829));
    p.curve(
        &[
            (0.14, 0.42),
            (0.0, 0.6),
            (0.2, 0.8),
            (-0.06, 1.1),
            (-0.3, 1.6),
        ],
        0.014,
        hex(0xeee6da),
    );
    p.within((0.1, -0.24), 1.0, 18.0, |p| {
        p.poly(&[(0.0, -0.74), (-0.5, -0.12), (0.0, 0.0)], cloth);
        p.poly(&[(0.0, -0.74), (0.5, -0.12), (0.0, 0.0)], other);
        p.poly(&[(-0.5, -0.12), (0.0, 0.0), (0.0, 0.74)], other.dark(0.1));
        p.poly(&[(0.5, -0.12), (0.0, 0.0), (0.0, 0.74)], cloth.dark(0.12));
        p.line(&[(0.0, -0.74), (0.0, 0.74)], 0.025, hex(0x6b4a2e));
        p.line(&[(-0.5, -0.12), (0.5, -0.12)], 0.025, hex(0x6b4a2e));
    });
    for (x, y, c) in [
        (0.02, 0.62, cloth),
        (0.16, 0.82, other),
        (-0.03, 1.04, cloth),
    ] {
        p.poly(&[(x, y), (x - 0.12, y - 0.06), (x - 0.12, y + 0.06)], c);
        p.poly(&[(x, y), (x + 0.12, y - 0.06), (x + 0.12, y + 0.06)], c);
    }
}

pub fn guitar(p: &mut Pen<'_>) {
    let wood = p.main(hex(0xc8823c));
    p.ground(0.0, 0.98, 0.5);
    p.within((0.0, 0.0), 1.0, 14.0, |p| {
        p.rect(-0.07, -0.82, 0.07, 0.2, hex(0x4a2f1e));
        p.rounded((-0.12, -1.04), (0.12, -0.78), 0.04, wood.dark(0.4));
        for y in [-0.98, -0.88] {
            for s in [-1.0, 1.0] {
                p.dot(s * 0.15, y, 0.035, hex(0xe6e6e6));
            }
        }
        p.blob(
            &[
                (0.0, -0.14),
                (-0.28, -0.1),
                (-0.36, 0.12),
                (-0.28, 0.3),
                (-0.46, 0.5),
                (-0.46, 0.8),
                (-0.2, 0.98),
                (0.0, 1.0),
                (0.2, 0.98),
                (0.46, 0.8),
                (0.46, 0.5),
                (0.28, 0.3),
                (0.36, 0.12),
                (0.28, -0.1),
            ],
            wood,
        );
        p.ring(0.0, 0.34, 0.16, 0.03, wood.light(0.5));
        p.oval(0.0, 0.34, 0.14, 0.14, hex(0x2a1a12));
        p.rect(-0.18, 0.72, 0.18, 0.79, hex(0x4a2f1e));
        for i in 0..7 {
            let y = -0.7 + i as f32 * 0.12;
            p.line(&[(-0.07, y), (0.07, y)], 0.012, hex(0xd8d2c4));
        }
        for i in 0..4 {
            let x = -0.045 + i as f32 * 0.03;
            p.line(&[(x, -0.9), (x * 1.4, 0.74)], 0.008, hex(0xf2ecdc));
        }
    });
}

pub fn piano(p: &mut Pen<'_>) {
    let wood = p.main(hex(0x26262e));
    p.ground(0.0, 0.98, 1.0);
    for x in [-0.76, 0.7, 0.1] {
        p.taper(&[(x, 0.5), (x, 1.0)], 0.11, 0.07, wood);
    }
    p.poly(
        &[(-0.84, 0.1), (-0.5, -0.9), (0.7, -0.6), (0.96, 0.1)],
        wood.light(0.12),
    );
    p.line(&[(0.2, 0.1), (0.34, -0.5)], 0.03, hex(0xc79a3e));
    p.blob(
        &[
            (-0.9, 0.12),
            (0.0, 0.06),
            (0.94, 0.12),
            (1.0, 0.36),
            (0.9, 0.56),
            (0.0, 0.6),
            (-0.92, 0.6),
        ],
        wood,
    );
    p.rect(-0.86, 0.3, 0.5, 0.46, hex(0xf7f3ea));
    for i in 0..17 {
        let x = -0.86 + i as f32 * 0.08;
        p.line(&[(x, 0.3), (x, 0.46)], 0.008, hex(0x8a8680));
        if i % 7 != 3 && i % 7 != 0 && i < 17 {
            p.rect(x - 0.022, 0.3, x + 0.022, 0.4, hex(0x17171b));
        }
    }
    p.rect(-0.9, 0.46, 0.54, 0.56, wood.light(0.08));
}

pub fn gift(p: &mut Pen<'_>) {
    let paper = p.main(hex(0x3f8fd0));
    let ribbon = p.second(hex(0xf2c230));
    p.ground(0.0, 0.96, 0.95);
    p.rect(-0.68, 0.1, 0.68, 0.98, paper);
    p.rect(-0.76, -0.14, 0.76, 0.14, paper.light(0.15));
    p.rect(-0.12, -0.14, 0.12, 0.98, ribbon);
    for s in [-1.0, 1.0] {
        p.blob(
            &[
                (0.0, -0.16),
                (s * 0.2, -0.56),
                (s * 0.54, -0.6),
                (s * 0.5, -0.28),
            ],
            ribbon,
        );
        p.oval(s * 0.32, -0.4, 0.1, 0.07, ribbon.dark(0.4));
    }
    p.oval(0.0, -0.18, 0.12, 0.1, ribbon.dark(0.1));
}

pub fn ball(p: &mut Pen<'_>) {
    let skin = p.main(hex(0xf2f2ee));
    let seam = p.second(hex(0x2a2b33));
    p.ground(0.0, 0.96, 0.7);
    p.oval(0.0, 0.24, 0.74, 0.74, skin);
    let pent = |p: &mut Pen<'_>, x: f32, y: f32, r: f32, k: f32| {
        let pts: Vec<_> = (0..5)
            .map(|i| {
                let (s, c) = (i as f32 * 1.2566 - 1.57).sin_cos();
                (x + c * r * k, y + s * r)
            })
            .collect();
        p.fill(poly(&pts), seam, Finish::Flat);
    };
    for i in 0..5 {
        let (s, c) = (i as f32 * 1.2566 - 1.57).sin_cos();
        p.line(
            &[(c * 0.2, 0.24 + s * 0.2), (c * 0.48, 0.24 + s * 0.48)],
            0.03,
            seam,
        );
        pent(p, c * 0.58, 0.24 + s * 0.58, 0.14, 0.9);
    }
    pent(p, 0.0, 0.24, 0.22, 1.0);
}

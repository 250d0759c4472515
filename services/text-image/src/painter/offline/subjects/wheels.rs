//! What rolls.

use super::super::canvas::Finish;
use super::super::palette::{Rgb, hex};
use super::super::pen::Pen;

fn wheel(p: &mut Pen<'_>, x: f32, y: f32, r: f32) {
    p.oval(x, y, r, r, hex(0x25262b));
    p.oval(x, y, r * 0.58, r * 0.58, hex(0xc3c8d0));
    for i in 0..5 {
        let (s, c) = (i as f32 * 1.2566).sin_cos();
        p.line(
            &[(x, y), (x + c * r * 0.5, y + s * r * 0.5)],
            r * 0.1,
            hex(0x7a808a),
        );
    }
    p.dot(x, y, r * 0.15, hex(0x33353b));
}

pub fn car(p: &mut Pen<'_>) {
    let paint = p.main(hex(0xd03a34));
    let shine = p.shine();
    p.ground(0.0, 0.97, 1.0);
    p.blob(
        &[
            (-0.6, 0.4),
            (-0.44, -0.02),
            (-0.2, -0.12),
            (0.2, -0.12),
            (0.46, 0.06),
            (0.64, 0.4),
        ],
        paint,
    );
    for pts in [
        [(-0.48, 0.34), (-0.38, 0.04), (-0.06, -0.02), (-0.06, 0.34)],
        [(0.02, 0.34), (0.02, -0.02), (0.3, 0.04), (0.5, 0.34)],
    ] {
        p.poly(&pts, hex(0xa9cfdf));
    }
    p.blob(
        &[
            (-0.96, 0.5),
            (-0.7, 0.34),
            (0.0, 0.3),
            (0.62, 0.34),
            (0.98, 0.5),
            (0.98, 0.74),
            (0.8, 0.82),
            (-0.8, 0.82),
            (-0.98, 0.74),
        ],
        paint,
    );
    p.line(&[(-0.02, 0.34), (-0.02, 0.76)], 0.015, paint.dark(0.5));
    p.line(&[(0.08, 0.48), (0.2, 0.48)], 0.03, hex(0xd9dde2));
    p.line(&[(-0.95, 0.76), (0.95, 0.76)], 0.06, hex(0x80858c));
    p.oval(0.9, 0.54, 0.08, 0.08, hex(0xfff3c0));
    p.oval(-0.93, 0.54, 0.05, 0.07, hex(0xff5a4a));
    p.glow(1.0, 0.54, 0.6, hex(0xffeeb0), 0.7 * shine);
    wheel(p, -0.54, 0.78, 0.21);
    wheel(p, 0.54, 0.78, 0.21);
}

pub fn bus(p: &mut Pen<'_>) {
    let paint = p.main(hex(0xf0b92c));
    p.ground(0.0, 0.97, 1.0);
    p.rounded((-0.98, -0.4), (0.98, 0.8), 0.14, paint);
    p.rect(-0.98, 0.34, 0.98, 0.44, p.second(paint.dark(0.45)));
    for i in 0..5 {
        let x = -0.86 + i as f32 * 0.32;
        p.pane(x, -0.2, x + 0.25, 0.2);
    }
    p.rounded((0.72, -0.24), (0.96, 0.76), 0.04, hex(0x9cc3d2));
    p.line(&[(0.84, -0.24), (0.84, 0.76)], 0.02, paint.dark(0.4));
    p.oval(0.94, 0.62, 0.05, 0.06, hex(0xfff3c0));
    wheel(p, -0.56, 0.8, 0.19);
    wheel(p, 0.5, 0.8, 0.19);
}

pub fn train(p: &mut Pen<'_>) {
    let paint = p.main(hex(0x2f6b4c));
    let trim = p.second(hex(0xc93a34));
    p.ground(0.0, 0.98, 1.1);
    p.line(&[(-1.5, 0.99), (1.5, 0.99)], 0.04, hex(0x6d6f74));
    for (i, r) in [0.1, 0.15, 0.2, 0.26].into_iter().enumerate() {
        let k = i as f32;
        p.wash(
            super::super::pen::oval(0.54 - k * 0.26, -0.62 - k * 0.1, r, r * 0.82),
            hex(0xf1efec),
            0.62,
            Finish::Round,
        );
    }
    p.poly(
        &[(0.46, -0.1), (0.42, -0.5), (0.7, -0.5), (0.66, -0.1)],
        hex(0x2a2b30),
    );
    p.oval(0.2, -0.12, 0.12, 0.16, hex(0xd8b04a));
    p.rounded((-0.4, -0.1), (0.84, 0.5), 0.16, paint);
    for x in [-0.06, 0.26, 0.58] {
        p.rect(x, -0.1, x + 0.04, 0.5, hex(0xd8b04a));
    }
    p.oval(0.85, 0.2, 0.1, 0.3, hex(0x2a2b30));
    p.rect(-0.94, -0.44, -0.36, 0.5, paint.dark(0.12));
    p.rounded((-1.02, -0.54), (-0.28, -0.42), 0.05, trim);
    p.pane(-0.82, -0.28, -0.5, 0.04);
    p.rect(-0.98, 0.48, 0.9, 0.64, trim);
    p.poly(&[(0.86, 0.5), (1.1, 0.96), (0.72, 0.96)], hex(0x3a3c42));
    p.oval(0.88, -0.1, 0.08, 0.08, hex(0xfff3c0));
    let shine = p.shine();
    p.glow(0.95, -0.1, 0.8, hex(0xfff0b0), 0.7 * shine);
    for (x, r) in [(-0.66, 0.25), (-0.1, 0.25), (0.34, 0.19), (0.7, 0.19)] {
        wheel(p, x, 0.98 - r, r);
    }
    p.line(
        &[(-0.66, 0.74), (-0.1, 0.74), (0.34, 0.8)],
        0.05,
        hex(0x9aa0a8),
    );
}

pub fn bicycle(p: &mut Pen<'_>) {
    let frame = p.main(hex(0x2f86c8));
    p.ground(0.0, 0.98, 0.95);
    for x in [-0.56, 0.56] {
        p.ring(x, 0.56, 0.38, 0.055, hex(0x2a2b30));
        p.ring(x, 0.56, 0.33, 0.02, hex(0xc3c8d0));
        for i in 0..8 {
            let (s, c) = (i as f32 * std::f32::consts::FRAC_PI_4).sin_cos();
            p.line(
                &[(x, 0.56), (x + c * 0.33, 0.56 + s * 0.33)],
                0.008,
                hex(0x9aa0a8),
            );
        }
    }
    let (rear, front, crank, seat, head) = (
        (-0.56, 0.56),
        (0.56, 0.56),
        (-0.06, 0.58),
        (-0.24, 0.0),
        (0.38, -0.06),
    );
    for line in [
        vec![rear, crank, seat, rear],
        vec![crank, head, seat],
        vec![head, front],
        vec![seat, (-0.28, -0.12)],
        vec![head, (0.34, -0.24)],
    ] {
        p.line(&line, 0.055, frame);
    }
    p.ring(crank.0, crank.1, 0.1, 0.03, hex(0x55585f));
    p.line(&[(-0.14, 0.72), crank, (0.02, 0.44)], 0.035, hex(0x55585f));
    p.blob(
        &[(-0.46, -0.16), (-0.26, -0.2), (-0.1, -0.14), (-0.28, -0.08)],
        hex(0x3a2a22),
    );
    p.curve(
        &[(0.34, -0.26), (0.5, -0.3), (0.56, -0.2), (0.46, -0.16)],
        0.05,
        hex(0x3a2a22),
    );
    p.rounded((0.5, -0.1), (0.84, 0.16), 0.04, hex(0xb98a4e));
    for (x, c) in [(0.56, 0xe4476a), (0.66, 0xf6c829), (0.77, 0xf277ad)] {
        p.oval(x, -0.14, 0.07, 0.07, Rgb::hex(c));
    }
}

//! What hangs in the sky or rises from the land: moons, planets, mountains.

use super::super::canvas::Finish;
use super::super::palette::{Rgb, hex};
use super::super::pen::{Pen, oval, poly};

pub fn moon(p: &mut Pen<'_>, crescent: bool) {
    let c = p.main(hex(0xf3efdc));
    p.glow(0.0, 0.0, 2.6, c.mix(hex(0xbcd0ff), 0.4), 0.6);
    if crescent {
        p.blob(
            &[
                (0.3, -0.94),
                (-0.4, -0.82),
                (-0.86, -0.2),
                (-0.78, 0.5),
                (-0.2, 0.94),
                (0.5, 0.8),
                (0.0, 0.5),
                (-0.24, 0.0),
                (-0.06, -0.56),
            ],
            c,
        );
        return;
    }
    p.fill(oval(0.0, 0.0, 0.9, 0.9), c, Finish::Glow);
    for (x, y, r) in [
        (-0.36, -0.3, 0.24),
        (0.26, -0.42, 0.16),
        (0.3, 0.24, 0.28),
        (-0.3, 0.42, 0.16),
        (-0.02, -0.02, 0.11),
        (0.58, -0.1, 0.09),
        (-0.62, 0.1, 0.1),
    ] {
        p.fill(
            oval(x, y, r, r * 0.92),
            c.mix(hex(0xa8a890), 0.45),
            Finish::Glow,
        );
        p.fill(
            oval(x + r * 0.1, y + r * 0.12, r * 0.84, r * 0.78),
            c.mix(hex(0xb8b8a4), 0.35),
            Finish::Glow,
        );
    }
}

pub fn sun(p: &mut Pen<'_>) {
    let c = p.main(hex(0xffd84a));
    p.glow(0.0, 0.0, 3.2, c, 0.8);
    for i in 0..16 {
        let k = if i % 2 == 0 { 1.0 } else { 0.82 };
        p.within((0.0, 0.0), 1.0, i as f32 * 22.5, |p| {
            p.fill(
                poly(&[(-0.08, -0.66), (0.08, -0.66), (0.0, -k)]),
                c.mix(hex(0xff9a2c), 0.35),
                Finish::Glow,
            );
        });
    }
    p.fill(oval(0.0, 0.0, 0.6, 0.6), c, Finish::Glow);
    p.fill(oval(-0.06, -0.08, 0.46, 0.46), c.light(0.35), Finish::Glow);
}

pub fn star(p: &mut Pen<'_>) {
    let c = p.main(hex(0xffe98a));
    p.glow(0.0, 0.0, 1.9, c, 0.6);
    let points: Vec<_> = (0..10)
        .map(|i| {
            let a = i as f32 * std::f32::consts::PI / 5.0 - std::f32::consts::FRAC_PI_2;
            let r = if i % 2 == 0 { 0.95 } else { 0.42 };
            (a.cos() * r, a.sin() * r)
        })
        .collect();
    p.fill(poly(&points), c.dark(0.12), Finish::Glow);
    for i in 0..5 {
        let (a, b) = (points[i * 2], points[(i * 2 + 1) % 10]);
        p.fill(poly(&[(0.0, 0.0), a, b]), c.light(0.4), Finish::Glow);
    }
}

pub fn planet(p: &mut Pen<'_>) {
    let c = p.main(Rgb::hsl(0.06 + p.rng.clone().unit() * 0.5, 0.5, 0.6));
    let ring = p.second(c.turn(0.1).light(0.4));
    p.glow(0.0, 0.0, 1.7, c, 0.4);
    p.within((0.0, 0.0), 1.0, -18.0, |p| {
        let half = |p: &mut Pen<'_>, from: f32, c: Rgb| {
            for (r, w) in [(1.12, 0.1), (0.96, 0.07)] {
                let pts: Vec<_> = (0..=16)
                    .map(|i| {
                        let a = (from + i as f32 * 11.25).to_radians();
                        (a.cos() * r, a.sin() * r * 0.26)
                    })
                    .collect();
                p.curve(&pts, w, c);
            }
        };
        half(p, 180.0, ring.dark(0.3));
        p.oval(0.0, 0.0, 0.66, 0.66, c);
        for (y, t) in [
            (-0.4, 0.3),
            (-0.2, -0.2),
            (0.06, 0.25),
            (0.26, -0.18),
            (0.44, 0.2),
        ] {
            let w = (0.64f32 * 0.64 - y * y).max(0.0).sqrt();
            let tone = if t > 0.0 { c.light(t) } else { c.dark(-t) };
            let band = super::super::pen::smooth(
                &[
                    (-w, y - 0.03),
                    (0.0, y + 0.02),
                    (w, y - 0.03),
                    (w, y + 0.04),
                    (0.0, y + 0.1),
                    (-w, y + 0.04),
                ],
                true,
            );
            p.wash(band, tone, 0.5, Finish::Round);
        }
        half(p, 0.0, ring);
    });
}

pub fn cloud(p: &mut Pen<'_>) {
    let c = p.main(hex(0xf7f9fc));
    for (x, y, r, t) in [
        (-0.6, 0.2, 0.32, 0.14),
        (0.6, 0.22, 0.32, 0.14),
        (-0.26, -0.06, 0.42, 0.05),
        (0.26, -0.02, 0.4, 0.05),
        (0.0, 0.2, 0.5, 0.0),
        (-0.44, 0.24, 0.34, 0.0),
        (0.44, 0.26, 0.34, 0.0),
    ] {
        p.oval(x, y, r, r * 0.86, c.dark(t));
    }
}

pub fn rainbow(p: &mut Pen<'_>) {
    for (i, c) in [
        0xe0423c, 0xf08a2c, 0xf6d24a, 0x57b05a, 0x3f86d8, 0x5a4ab8, 0x9a4ac0,
    ]
    .into_iter()
    .enumerate()
    {
        let alpha = p.alpha;
        p.alpha = alpha * 0.75;
        p.arc(
            (0.0, 0.9),
            1.3 - i as f32 * 0.085,
            (180.0, 360.0),
            0.09,
            Rgb::hex(c).vivid(1.2),
        );
        p.alpha = alpha;
    }
}

/// A rock face: a lit and a shaded side down from a jagged ridge.
fn massif(p: &mut Pen<'_>, rock: Rgb, cap: Option<Rgb>, crater: bool) {
    let mut left = vec![];
    let mut right = vec![];
    let mut ridge = vec![];
    for i in 0..=10 {
        let t = i as f32 / 10.0;
        let jag = |r: &mut Pen<'_>| r.rng.range(-0.05, 0.05);
        let slope = t * t * 0.35 + t * 0.65;
        left.push((-0.12 - slope * 1.2 + jag(p), -0.9 + t * 1.9));
        right.push((0.12 + slope * 1.2 + jag(p), -0.9 + t * 1.9));
        ridge.push((
            0.02 + (if i % 2 == 0 { 0.08 } else { -0.07 }) * (0.4 + t) + t * 0.16,
            -0.9 + t * 1.9,
        ));
    }
    if !crater {
        left[0] = (0.0, -0.98);
        right[0] = (0.0, -0.98);
        ridge[0] = (0.0, -0.98);
    }
    let lit_left = p.canvas.light.from.0 < 0.0;
    let (a, b) = if lit_left {
        (rock.light(0.16), rock.dark(0.34))
    } else {
        (rock.dark(0.34), rock.light(0.16))
    };
    let mut face = left.clone();
    face.extend(ridge.iter().rev());
    p.poly(&face, a);
    let mut face = right.clone();
    face.extend(ridge.iter().rev());
    p.poly(&face, b);
    for (i, &(x, y)) in ridge.iter().enumerate().take(8).skip(1) {
        let s = if i % 2 == 0 { -1.0 } else { 1.0 };
        p.flat(
            &[(x, y), (x + s * 0.16, y + 0.3), (x + s * 0.06, y + 0.34)],
            if (s < 0.0) == lit_left {
                rock.light(0.02)
            } else {
                rock.dark(0.5)
            },
        );
    }
    if let Some(snow) = cap {
        let mut l: Vec<_> = left[..4].to_vec();
        l.extend([
            (-0.3, -0.26),
            (-0.2, -0.44),
            (-0.1, -0.18),
            (ridge[3].0, ridge[3].1 + 0.1),
        ]);
        l.extend(ridge[..3].iter().rev());
        p.poly(&l, if lit_left { snow } else { snow.dark(0.2) });
        let mut r: Vec<_> = right[..4].to_vec();
        r.extend([
            (0.32, -0.22),
            (0.24, -0.46),
            (0.14, -0.2),
            (ridge[3].0, ridge[3].1 + 0.1),
        ]);
        r.extend(ridge[..3].iter().rev());
        p.poly(&r, if lit_left { snow.dark(0.2) } else { snow });
    }
}

pub fn mountain(p: &mut Pen<'_>) {
    let rock = p.main(hex(0x6f7484));
    massif(p, rock, Some(hex(0xf4f7fb)), false);
}

pub fn volcano(p: &mut Pen<'_>) {
    let rock = p.main(hex(0x5a4a48));
    p.glow(0.0, -0.95, 1.5, hex(0xff6a2a), 0.85);
    for (i, (x, y, r)) in [
        (0.0, -1.2, 0.2),
        (-0.14, -1.42, 0.26),
        (0.16, -1.5, 0.28),
        (0.02, -1.72, 0.34),
        (-0.3, -1.78, 0.3),
        (0.36, -1.86, 0.34),
    ]
    .into_iter()
    .enumerate()
    {
        p.oval(
            x,
            y,
            r,
            r * 0.85,
            hex(0x6a6068).mix(hex(0xd86a3a), 0.4 - i as f32 * 0.07),
        );
    }
    massif(p, rock, None, true);
    p.oval(0.0, -0.9, 0.16, 0.05, hex(0xffb040));
    for pts in [
        vec![(-0.04, -0.9), (-0.1, -0.5), (0.0, -0.1), (-0.14, 0.4)],
        vec![
            (0.06, -0.9),
            (0.16, -0.6),
            (0.12, -0.3),
            (0.34, 0.2),
            (0.3, 0.5),
        ],
    ] {
        p.taper(&pts, 0.11, 0.04, hex(0xff5a1c));
        p.taper(&pts, 0.05, 0.02, hex(0xffd060));
    }
    for _ in 0..14 {
        let (x, y) = (p.rng.range(-0.6, 0.6), p.rng.range(-1.6, -0.9));
        p.fill(oval(x, y, 0.03, 0.03), hex(0xffa030), Finish::Glow);
    }
}

pub fn island(p: &mut Pen<'_>) {
    let sand = p.main(hex(0xe6cf96));
    p.blob(
        &[
            (-1.0, 0.96),
            (-0.6, 0.74),
            (0.0, 0.64),
            (0.6, 0.74),
            (1.0, 0.96),
            (0.0, 1.0),
        ],
        sand,
    );
    p.blob(
        &[
            (-0.56, 0.8),
            (-0.3, 0.56),
            (0.1, 0.5),
            (0.5, 0.7),
            (0.4, 0.82),
        ],
        hex(0x5f9a4a),
    );
    p.within((-0.1, -0.08), 0.72, 0.0, super::plants::palm);
    p.within((0.36, 0.34), 0.4, 0.0, super::plants::palm);
}

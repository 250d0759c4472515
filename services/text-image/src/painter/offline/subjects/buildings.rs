//! Houses, towers, bridges: what people build and leave standing.

use super::super::canvas::Finish;
use super::super::palette::{Rgb, hex};
use super::super::pen::Pen;

pub fn house(p: &mut Pen<'_>) {
    let wall = p.main(hex(0xf0dfc0));
    let roof = p.second(hex(0xa8452f));
    p.ground(0.0, 0.98, 1.0);
    p.rect(0.3, -0.74, 0.48, -0.1, hex(0x8d5a48));
    for (i, r) in [0.07, 0.1, 0.13].into_iter().enumerate() {
        let k = i as f32;
        p.wash(
            super::super::pen::oval(0.42 + k * 0.08, -0.84 - k * 0.13, r, r * 0.8),
            hex(0xe8e6e4),
            0.5,
            Finish::Round,
        );
    }
    p.rect(-0.72, -0.02, 0.72, 1.0, wall);
    p.rect(-0.72, 0.88, 0.72, 1.0, hex(0x9a8f86));
    p.poly(
        &[(-0.9, 0.06), (-0.58, -0.58), (0.58, -0.58), (0.9, 0.06)],
        roof,
    );
    for i in 1..5 {
        let y = -0.58 + i as f32 * 0.128;
        let half = 0.58 + i as f32 * 0.064;
        p.line(&[(-half, y), (half, y)], 0.012, roof.dark(0.35));
    }
    p.rounded((-0.16, 0.36), (0.16, 1.0), 0.08, hex(0x6b3f2a));
    p.dot(0.1, 0.7, 0.026, hex(0xe8c04a));
    for x in [-0.46, 0.46] {
        p.rect(x - 0.18, 0.26, x + 0.18, 0.66, hex(0xfdf8ee));
        p.pane(x - 0.14, 0.3, x + 0.14, 0.62);
        p.line(&[(x, 0.3), (x, 0.62)], 0.022, hex(0xfdf8ee));
        p.line(&[(x - 0.14, 0.46), (x + 0.14, 0.46)], 0.022, hex(0xfdf8ee));
        for i in -2..=2 {
            p.oval(
                x + i as f32 * 0.07,
                0.7,
                0.045,
                0.045,
                if i % 2 == 0 {
                    hex(0xe65d7a)
                } else {
                    hex(0x5b9a48)
                },
            );
        }
    }
    p.rect(-0.14, -0.36, 0.14, -0.14, hex(0xfdf8ee));
    p.pane(-0.1, -0.33, 0.1, -0.17);
}

pub fn castle(p: &mut Pen<'_>) {
    let stone = p.main(hex(0xb7afa6));
    let roof = p.second(hex(0x3f5f9e));
    p.ground(0.0, 0.98, 1.0);
    let tower = |p: &mut Pen<'_>, x: f32, half: f32, top: f32, c: Rgb| {
        p.rect(x - half, top, x + half, 1.0, c);
        p.rect(
            x - half * 1.18,
            top - 0.02,
            x + half * 1.18,
            top + 0.07,
            c.light(0.1),
        );
        p.poly(
            &[
                (x - half * 1.3, top),
                (x, top - half * 3.1),
                (x + half * 1.3, top),
            ],
            roof,
        );
        p.line(
            &[(x, top - half * 3.1), (x, top - half * 3.1 - 0.14)],
            0.014,
            hex(0x4a4038),
        );
        p.flat(
            &[
                (x, top - half * 3.1 - 0.14),
                (x + 0.13, top - half * 3.1 - 0.1),
                (x, top - half * 3.1 - 0.06),
            ],
            hex(0xd9433f),
        );
        p.pane(x - half * 0.24, top + 0.2, x + half * 0.24, top + 0.36);
    };
    tower(p, -0.3, 0.13, -0.28, stone.dark(0.14));
    tower(p, 0.34, 0.12, -0.12, stone.dark(0.14));
    tower(p, 0.02, 0.17, -0.4, stone.dark(0.05));
    p.rect(-0.74, 0.3, 0.74, 1.0, stone);
    for i in 0..9 {
        let x = -0.74 + i as f32 * 0.17;
        p.rect(x, 0.2, x + 0.1, 0.32, stone);
    }
    for row in 0..5 {
        for i in 0..7 {
            let x = -0.62 + i as f32 * 0.2 + if row % 2 == 0 { 0.0 } else { 0.1 };
            p.line(
                &[
                    (x, 0.42 + row as f32 * 0.12),
                    (x + 0.08, 0.42 + row as f32 * 0.12),
                ],
                0.012,
                stone.dark(0.25),
            );
        }
    }
    tower(p, -0.76, 0.18, 0.02, stone);
    tower(p, 0.76, 0.18, 0.02, stone);
    p.rounded((-0.2, 0.5), (0.2, 1.1), 0.18, hex(0x4a3324));
    for x in [-0.1, 0.0, 0.1] {
        p.line(&[(x, 0.54), (x, 1.0)], 0.014, hex(0x2b1d16));
    }
}

pub fn lighthouse(p: &mut Pen<'_>) {
    let band = p.main(hex(0xd0342c));
    let wall = p.second(hex(0xf6f2ea));
    p.ground(0.0, 0.98, 0.7);
    p.blob(
        &[
            (-0.6, 1.0),
            (-0.5, 0.84),
            (-0.1, 0.78),
            (0.4, 0.82),
            (0.62, 1.0),
        ],
        hex(0x6f6a66),
    );
    let half = |y: f32| 0.19 + (y + 0.5) * 0.085;
    for i in 0..6 {
        let (y0, y1) = (-0.5 + i as f32 * 0.23, -0.5 + (i + 1) as f32 * 0.23);
        let c = if i % 2 == 0 { wall } else { band };
        p.poly(
            &[
                (-half(y0), y0),
                (half(y0), y0),
                (half(y1), y1),
                (-half(y1), y1),
            ],
            c,
        );
    }
    p.rounded((-0.08, 0.66), (0.08, 0.9), 0.06, hex(0x4a3324));
    p.pane(-0.05, 0.06, 0.05, 0.2);
    p.pane(-0.05, -0.36, 0.05, -0.22);
    let shine = p.shine();
    p.rect(-0.14, -0.76, 0.14, -0.52, hex(0xfff0b0));
    p.glow(0.0, -0.64, 1.2, hex(0xffe79a), 0.75 * shine);
    if !p.mirrored {
        let beam = super::super::pen::poly(&[(0.1, -0.66), (2.6, -1.1), (2.6, -0.3)]);
        p.wash(beam, hex(0xfff0b8), 0.3 * shine, Finish::Glow);
        let beam = super::super::pen::poly(&[(-0.1, -0.66), (-2.6, -0.98), (-2.6, -0.4)]);
        p.wash(beam, hex(0xfff0b8), 0.22 * shine, Finish::Glow);
    }
    for x in [-0.14, -0.05, 0.05, 0.14] {
        p.line(&[(x, -0.76), (x, -0.52)], 0.02, hex(0x33302f));
    }
    p.rect(-0.25, -0.53, 0.25, -0.47, hex(0x33302f));
    p.poly(&[(-0.2, -0.75), (0.0, -0.95), (0.2, -0.75)], band);
    p.dot(0.0, -0.96, 0.035, hex(0x33302f));
}

pub fn tower(p: &mut Pen<'_>) {
    let wall = p.main(hex(0x5a7fa0));
    p.ground(0.0, 0.98, 0.6);
    p.line(&[(0.0, -0.78), (0.0, -1.0)], 0.03, hex(0x888f98));
    for (half, y0, y1) in [(0.16, -0.8, -0.4), (0.28, -0.5, 0.1), (0.4, -0.1, 1.0)] {
        p.rect(-half, y0, half, y1, wall);
        p.flat(
            &[(half * 0.3, y0), (half, y0), (half, y1), (half * 0.3, y1)],
            wall.dark(0.3),
        );
        p.rect(-half - 0.02, y0, half + 0.02, y0 + 0.04, wall.light(0.3));
    }
    for row in 0..14 {
        let y = -0.72 + row as f32 * 0.12;
        let half: f32 = if y < -0.5 {
            0.16
        } else if y < -0.1 {
            0.28
        } else {
            0.4
        };
        let n = (half / 0.065) as i32;
        for i in 0..n {
            let x = -half + 0.03 + i as f32 * (half * 2.0 - 0.04) / n as f32;
            if p.rng.chance(0.8) {
                let night = p.canvas.light.night;
                let lit = p.rng.chance(0.55);
                let c = if lit && night > 0.3 {
                    hex(0xffdf8e)
                } else {
                    hex(0xa9cbe0).dark(0.5 * night)
                };
                p.flat(
                    &[(x, y), (x + 0.055, y), (x + 0.055, y + 0.07), (x, y + 0.07)],
                    c,
                );
            }
        }
    }
    p.rect(-0.1, 0.84, 0.1, 1.0, hex(0x2c3440));
}

pub fn church(p: &mut Pen<'_>) {
    let wall = p.main(hex(0xefe8da));
    let roof = p.second(hex(0x5d6878));
    p.ground(0.0, 0.98, 1.0);
    p.rect(-0.2, 0.14, 0.86, 1.0, wall);
    p.poly(
        &[(-0.26, 0.18), (-0.1, -0.2), (0.76, -0.2), (0.94, 0.18)],
        roof,
    );
    for x in [0.1, 0.38, 0.66] {
        p.rounded((x - 0.07, 0.34), (x + 0.07, 0.76), 0.07, hex(0x3f4d66));
        p.pane(x - 0.05, 0.42, x + 0.05, 0.72);
    }
    p.rect(-0.74, -0.2, -0.18, 1.0, wall.light(0.2));
    p.poly(&[(-0.8, -0.18), (-0.46, -0.84), (-0.12, -0.18)], roof);
    p.line(&[(-0.46, -0.84), (-0.46, -1.0)], 0.03, hex(0xd8b04a));
    p.line(&[(-0.52, -0.94), (-0.4, -0.94)], 0.03, hex(0xd8b04a));
    p.oval(-0.46, 0.04, 0.13, 0.13, hex(0xfaf6ea));
    p.line(
        &[(-0.46, -0.04), (-0.46, 0.04), (-0.39, 0.06)],
        0.02,
        hex(0x2c2a2a),
    );
    p.rounded((-0.6, 0.56), (-0.32, 1.05), 0.13, hex(0x6b3f2a));
}

pub fn temple(p: &mut Pen<'_>) {
    let wall = p.main(hex(0xb8342c));
    let roof = p.second(hex(0x3f4a52));
    p.ground(0.0, 0.98, 0.9);
    p.rect(-0.84, 0.86, 0.84, 1.0, hex(0xa39a90));
    for (half, y) in [(0.56, 0.4), (0.42, -0.04), (0.3, -0.44)] {
        p.rect(-half, y, half, y + 0.47, wall);
        let n = 5;
        for i in 0..=n {
            let x = -half + half * 2.0 * i as f32 / n as f32;
            p.rect(x - 0.025, y, x + 0.025, y + 0.47, wall.dark(0.35));
        }
        p.pane(-half * 0.2, y + 0.2, half * 0.2, y + 0.42);
        let w = half * 1.55;
        p.poly(
            &[
                (-w, y + 0.06),
                (-w * 1.06, y - 0.03),
                (-w * 0.7, y + 0.0),
                (-half * 0.7, y - 0.17),
                (half * 0.7, y - 0.17),
                (w * 0.7, y + 0.0),
                (w * 1.06, y - 0.03),
                (w, y + 0.06),
            ],
            roof,
        );
        p.line(&[(-w, y + 0.06), (w, y + 0.06)], 0.025, hex(0xd8b04a));
    }
    p.taper(&[(0.0, -0.58), (0.0, -0.96)], 0.07, 0.015, hex(0xd8b04a));
}

pub fn windmill(p: &mut Pen<'_>) {
    let wall = p.main(hex(0xe9dcc3));
    p.ground(0.0, 0.98, 0.7);
    p.poly(
        &[(-0.24, -0.26), (0.24, -0.26), (0.4, 1.0), (-0.4, 1.0)],
        wall,
    );
    p.poly(
        &[(-0.3, -0.24), (-0.16, -0.48), (0.16, -0.48), (0.3, -0.24)],
        p.second(hex(0x8a4a30)),
    );
    p.rounded((-0.11, 0.66), (0.11, 1.06), 0.1, hex(0x6b3f2a));
    p.pane(-0.07, 0.1, 0.07, 0.28);
    let turn = p.rng.range(10.0, 60.0);
    for i in 0..4 {
        p.within((0.0, -0.32), 1.0, turn + i as f32 * 90.0, |p| {
            p.line(&[(0.0, 0.0), (0.0, -0.78)], 0.035, hex(0x5d4330));
            p.rect(0.02, -0.76, 0.2, -0.16, hex(0xf8f2e4));
            for k in 0..5 {
                let y = -0.7 + k as f32 * 0.12;
                p.line(&[(0.02, y), (0.2, y)], 0.012, hex(0x9a7c58));
            }
        });
    }
    p.oval(0.0, -0.32, 0.07, 0.07, hex(0x5d4330));
}

pub fn bridge(p: &mut Pen<'_>) {
    let stone = p.main(hex(0xc0a98c));
    for x in [-1.0, -0.34, 0.34, 1.0] {
        p.rect(x - 0.08, 0.2, x + 0.08, 1.0, stone.dark(0.2));
    }
    let mut arch = vec![
        (-1.3, 0.34),
        (-1.0, 0.12),
        (-0.4, -0.02),
        (0.4, -0.02),
        (1.0, 0.12),
        (1.3, 0.34),
    ];
    for c in [1.0, 0.34, -0.34] {
        let (half, left) = (0.26, c - 0.66 + 0.33);
        for k in 0..=8 {
            let a = std::f32::consts::PI * k as f32 / 8.0;
            arch.push((left + half * a.cos(), 0.92 - 0.62 * a.sin()));
        }
    }
    p.poly(&arch, stone);
    p.curve(
        &[
            (-1.3, 0.28),
            (-1.0, 0.06),
            (-0.4, -0.08),
            (0.4, -0.08),
            (1.0, 0.06),
            (1.3, 0.28),
        ],
        0.07,
        stone.light(0.25),
    );
    for i in 0..9 {
        let x = -1.0 + i as f32 * 0.25;
        let y = -0.08 + (x.abs() - 0.4).max(0.0) * 0.22;
        p.rect(x - 0.03, y - 0.18, x + 0.03, y, stone.light(0.15));
    }
    p.curve(
        &[
            (-1.2, 0.0),
            (-1.0, -0.12),
            (-0.4, -0.27),
            (0.4, -0.27),
            (1.0, -0.12),
            (1.2, 0.0),
        ],
        0.04,
        stone.light(0.3),
    );
}

pub fn tent(p: &mut Pen<'_>) {
    let cloth = p.main(hex(0xe08a35));
    p.ground(0.0, 0.98, 1.0);
    p.poly(
        &[(-0.1, -0.3), (0.44, -0.42), (0.98, 0.9), (0.6, 1.0)],
        cloth.dark(0.3),
    );
    p.poly(&[(-0.86, 1.0), (-0.1, -0.34), (0.62, 1.0)], cloth);
    let night = p.canvas.light.night;
    let inside = hex(0x3a2a22).mix(hex(0xffcf70), night * 0.9);
    p.flat(&[(-0.42, 1.0), (-0.1, -0.1), (0.2, 1.0)], inside);
    p.poly(
        &[(-0.1, -0.1), (0.2, 1.0), (0.42, 1.0), (0.0, 0.1)],
        cloth.light(0.25),
    );
    p.glow(-0.1, 0.6, 1.3, hex(0xffb347), 0.45 * night);
    p.line(&[(-0.1, -0.34), (-0.06, -0.48)], 0.03, hex(0x5d4330));
    p.line(&[(-0.5, 0.36), (-1.02, 0.98)], 0.012, hex(0x8d7a60));
}

pub fn lamp(p: &mut Pen<'_>) {
    let iron = p.main(hex(0x2f3540));
    let shine = p.shine();
    p.ground(0.0, 0.98, 0.4);
    p.poly(
        &[(-0.16, 1.0), (-0.09, 0.8), (0.09, 0.8), (0.16, 1.0)],
        iron,
    );
    p.rect(-0.04, -0.4, 0.04, 0.82, iron);
    p.curve(&[(-0.2, -0.34), (0.0, -0.4), (0.2, -0.34)], 0.045, iron);
    p.poly(
        &[(-0.13, -0.44), (-0.21, -0.82), (0.21, -0.82), (0.13, -0.44)],
        hex(0xffe9a8),
    );
    p.glow(0.0, -0.62, 1.5, hex(0xffc860), 0.85 * shine);
    for x in [-0.17, 0.0, 0.17] {
        p.line(&[(x * 0.72, -0.44), (x * 1.1, -0.82)], 0.022, iron);
    }
    p.poly(&[(-0.27, -0.8), (0.0, -0.98), (0.27, -0.8)], iron);
}

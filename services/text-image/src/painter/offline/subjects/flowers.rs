//! Flowers and other small growing things.

use super::super::palette::hex;
use super::super::pen::Pen;

fn stem(p: &mut Pen<'_>, top: f32) {
    p.ground(0.0, 0.98, 0.3);
    p.taper(
        &[(0.02, 1.0), (-0.05, 0.5), (0.0, top)],
        0.08,
        0.055,
        hex(0x4c8a3d),
    );
    p.blob(
        &[(-0.02, 0.76), (-0.3, 0.46), (-0.56, 0.42), (-0.36, 0.72)],
        hex(0x559a44),
    );
    p.blob(
        &[(0.0, 0.62), (0.24, 0.34), (0.5, 0.28), (0.32, 0.58)],
        hex(0x478a3a),
    );
}

pub fn flower(p: &mut Pen<'_>) {
    let petal = p.main(hex(0xf7f3ee));
    stem(p, -0.3);
    for (n, r, c) in [(10, 0.36, petal.dark(0.12)), (10, 0.31, petal)] {
        for i in 0..n {
            let a = (i as f32 + if r > 0.33 { 0.5 } else { 0.0 }) / n as f32 * 360.0;
            let (s, k) = a.to_radians().sin_cos();
            p.leaf((k * r, -0.42 + s * r), 0.26, 0.1, a, c);
        }
    }
    p.oval(0.0, -0.42, 0.19, 0.19, p.second(hex(0xf3b92a)));
    for i in 0..9 {
        let (s, k) = (i as f32 * 2.4).sin_cos();
        let r = 0.05 * (i as f32).sqrt();
        p.dot(k * r, -0.42 + s * r, 0.02, hex(0xb9741a));
    }
}

pub fn rose(p: &mut Pen<'_>) {
    let petal = p.main(hex(0xcf2338));
    stem(p, -0.1);
    for (x, y) in [(-0.05, 0.2), (0.02, 0.86)] {
        p.poly(
            &[(x, y), (x + 0.12, y - 0.08), (x + 0.02, y + 0.07)],
            hex(0x4c8a3d),
        );
    }
    for s in [-1.0, 1.0] {
        p.blob(
            &[
                (0.0, 0.0),
                (s * 0.3, 0.02),
                (s * 0.44, 0.2),
                (s * 0.14, 0.08),
            ],
            hex(0x559a44),
        );
    }
    for (ring, n, size, tone) in [
        (0.32, 6, 0.29, 0.3),
        (0.22, 5, 0.25, 0.14),
        (0.11, 4, 0.2, 0.0),
    ] {
        for i in 0..n {
            let a = i as f32 / n as f32 * 360.0 + ring * 300.0;
            let (s, k) = a.to_radians().sin_cos();
            p.leaf(
                (k * ring, -0.4 + s * ring * 0.9),
                size * 0.86,
                size,
                a,
                petal.dark(tone),
            );
        }
    }
    p.oval(0.0, -0.42, 0.15, 0.14, petal.dark(0.1));
    p.curve(
        &[
            (-0.12, -0.42),
            (-0.02, -0.52),
            (0.1, -0.44),
            (0.04, -0.36),
            (-0.04, -0.4),
        ],
        0.03,
        petal.dark(0.5),
    );
    for (r, from) in [(0.22, 200.0), (0.34, 30.0), (0.33, 150.0), (0.45, 250.0)] {
        p.arc(
            (0.0, -0.4),
            r,
            (from, from + 85.0),
            0.025,
            petal.light(0.28),
        );
    }
}

pub fn sunflower(p: &mut Pen<'_>) {
    let petal = p.main(hex(0xf7bd1f));
    stem(p, -0.3);
    for (n, r, c) in [(18, 0.4, petal.dark(0.18)), (18, 0.36, petal)] {
        for i in 0..n {
            let a = (i as f32 + if r > 0.38 { 0.5 } else { 0.0 }) / n as f32 * 360.0;
            let (s, k) = a.to_radians().sin_cos();
            p.leaf((k * r, -0.44 + s * r), 0.2, 0.07, a, c);
        }
    }
    p.oval(0.0, -0.44, 0.3, 0.3, p.second(hex(0x5a361b)));
    for i in 0..60 {
        let (s, k) = (i as f32 * 2.399_963).sin_cos();
        let r = 0.036 * (i as f32).sqrt();
        p.dot(k * r, -0.44 + s * r, 0.016, hex(0x8d5a2a));
    }
}

pub fn tulip(p: &mut Pen<'_>) {
    let petal = p.main(hex(0xe4476a));
    stem(p, -0.2);
    p.blob(
        &[(0.0, 0.94), (0.3, 0.4), (0.36, -0.05), (0.14, 0.3)],
        hex(0x559a44),
    );
    p.blob(
        &[(0.0, -0.1), (-0.22, -0.4), (0.0, -0.9), (0.22, -0.4)],
        petal.dark(0.28),
    );
    for s in [-1.0, 1.0] {
        p.blob(
            &[
                (0.0, -0.08),
                (s * 0.34, -0.2),
                (s * 0.38, -0.56),
                (s * 0.3, -0.88),
                (s * 0.06, -0.5),
            ],
            petal.dark(0.08),
        );
    }
    p.blob(
        &[
            (0.0, -0.06),
            (-0.24, -0.2),
            (-0.22, -0.5),
            (0.0, -0.76),
            (0.22, -0.5),
            (0.24, -0.2),
        ],
        petal.light(0.1),
    );
}

pub fn mushroom(p: &mut Pen<'_>) {
    let cap = p.main(hex(0xc9302c));
    p.ground(0.0, 0.98, 0.55);
    p.blob(
        &[
            (-0.2, 0.98),
            (-0.17, 0.4),
            (-0.14, -0.05),
            (0.14, -0.05),
            (0.17, 0.4),
            (0.24, 0.98),
        ],
        hex(0xf0e6d2),
    );
    p.blob(
        &[
            (-0.2, 0.14),
            (0.0, 0.24),
            (0.2, 0.14),
            (0.26, 0.3),
            (0.0, 0.36),
            (-0.26, 0.3),
        ],
        hex(0xe5d8bd),
    );
    p.oval(0.0, -0.02, 0.66, 0.14, hex(0xd9c7a5));
    p.blob(
        &[
            (-0.78, 0.02),
            (-0.62, -0.46),
            (0.0, -0.8),
            (0.62, -0.46),
            (0.78, 0.02),
            (0.4, -0.04),
            (0.0, -0.08),
            (-0.4, -0.04),
        ],
        cap,
    );
    for (x, y, r) in [
        (-0.4, -0.3, 0.11),
        (0.02, -0.56, 0.12),
        (0.38, -0.34, 0.1),
        (-0.06, -0.22, 0.08),
        (-0.6, -0.08, 0.06),
        (0.6, -0.1, 0.07),
        (-0.26, -0.58, 0.06),
    ] {
        p.oval(x, y, r, r * 0.82, p.second(hex(0xfaf5ea)));
    }
}

pub fn cactus(p: &mut Pen<'_>) {
    let skin = p.main(hex(0x3f8a52));
    p.ground(0.0, 0.98, 0.5);
    let rib = |p: &mut Pen<'_>, pts: &[(f32, f32)], w: f32| {
        p.curve(pts, w, skin);
        for k in [-0.28, 0.0, 0.28] {
            let moved: Vec<_> = pts.iter().map(|&(x, y)| (x + k * w, y)).collect();
            p.curve(
                &moved,
                0.018,
                if k < 0.0 {
                    skin.light(0.25)
                } else {
                    skin.dark(0.35)
                },
            );
        }
    };
    rib(
        p,
        &[(-0.1, 0.42), (-0.5, 0.36), (-0.56, 0.1), (-0.56, -0.2)],
        0.22,
    );
    rib(
        p,
        &[(0.1, 0.2), (0.46, 0.16), (0.54, -0.1), (0.54, -0.44)],
        0.22,
    );
    rib(p, &[(0.0, 1.0), (0.0, 0.2), (0.0, -0.76)], 0.36);
    for (x, y) in [(0.0, -0.98), (-0.56, -0.34), (0.54, -0.58)] {
        for a in [-30.0, 0.0, 30.0] {
            p.leaf((x + a * 0.002, y), 0.05, 0.09, a, p.second(hex(0xf277ad)));
        }
    }
}

pub fn pumpkin(p: &mut Pen<'_>) {
    let skin = p.main(hex(0xe67e22));
    p.ground(0.0, 0.97, 0.8);
    p.taper(
        &[(0.0, -0.1), (0.02, -0.4), (0.16, -0.52)],
        0.16,
        0.1,
        hex(0x55743a),
    );
    for (x, rx, t) in [
        (-0.5, 0.34, 0.2),
        (0.5, 0.34, 0.24),
        (-0.28, 0.36, 0.08),
        (0.28, 0.36, 0.1),
        (0.0, 0.34, 0.0),
    ] {
        p.oval(x, 0.42, rx, 0.56, skin.dark(t));
    }
    let shine = hex(0x2c1a10).mix(hex(0xffc64a), p.canvas.light.night);
    for s in [-1.0, 1.0] {
        p.flat(
            &[(s * 0.4, 0.36), (s * 0.14, 0.36), (s * 0.27, 0.12)],
            shine,
        );
    }
    p.flat(
        &[
            (-0.5, 0.54),
            (-0.25, 0.62),
            (-0.12, 0.54),
            (0.0, 0.64),
            (0.12, 0.54),
            (0.25, 0.62),
            (0.5, 0.54),
            (0.26, 0.82),
            (-0.26, 0.82),
        ],
        shine,
    );
    let night = p.canvas.light.night;
    p.glow(0.0, 0.4, 1.5, hex(0xff9a2a), 0.5 * night);
}

//! Grazing animals and great ones, on the skeleton of `beasts`.

use super::super::palette::hex;
use super::super::pen::Pen;
use super::beasts::{Beast, eye};

pub fn cow(p: &mut Pen<'_>) {
    let coat = p.main(hex(0xf1ece4));
    let patch = p.second(hex(0x2d2726));
    p.curve(
        &[(-0.78, -0.1), (-0.9, 0.2), (-0.86, 0.5)],
        0.05,
        coat.dark(0.2),
    );
    p.dot(-0.86, 0.54, 0.07, patch);
    let head = (0.7, -0.3);
    Beast {
        coat,
        feet: hex(0x3b3330),
        back: -0.28,
        belly: 0.44,
        rear: -0.8,
        chest: 0.64,
        leg: 0.15,
        neck: 0.42,
        head,
        skull: (0.2, 0.24),
        muzzle: (0.13, 0.16, 0.17, 0.13),
    }
    .draw(p);
    p.blob(
        &[
            (-0.6, -0.2),
            (-0.3, -0.24),
            (-0.2, 0.05),
            (-0.4, 0.2),
            (-0.62, 0.08),
        ],
        patch,
    );
    p.blob(
        &[(0.05, -0.22), (0.34, -0.2), (0.3, 0.1), (0.1, 0.12)],
        patch,
    );
    p.oval(0.83, -0.12, 0.16, 0.11, hex(0xe8b3a6));
    p.leaf((0.48, -0.42), 0.14, 0.07, 25.0, patch);
    p.taper(
        &[(0.6, -0.5), (0.54, -0.64), (0.62, -0.72)],
        0.07,
        0.02,
        hex(0xe2d3b0),
    );
    p.taper(
        &[(0.78, -0.5), (0.88, -0.62), (0.84, -0.72)],
        0.07,
        0.02,
        hex(0xe2d3b0),
    );
    p.oval(-0.3, 0.48, 0.14, 0.1, hex(0xe8b3a6));
}

pub fn sheep(p: &mut Pen<'_>) {
    let wool = p.main(hex(0xf3eee2));
    let skin = p.second(hex(0x4a3f3a));
    p.ground(0.0, 0.98, 0.8);
    for x in [-0.42, -0.22, 0.2, 0.4] {
        p.taper(&[(x, 0.4), (x, 0.96)], 0.14, 0.11, skin);
    }
    for i in 0..13 {
        let a = i as f32 / 13.0 * std::f32::consts::TAU;
        p.oval(
            a.cos() * 0.54 - 0.05,
            0.14 + a.sin() * 0.32,
            0.25,
            0.23,
            wool,
        );
    }
    p.oval(-0.05, 0.12, 0.6, 0.38, wool);
    for (x, y) in [(-0.3, 0.0), (0.05, -0.05), (-0.1, 0.2), (0.25, 0.18)] {
        p.arc((x, y), 0.13, (180.0, 380.0), 0.025, wool.dark(0.18));
    }
    p.leaf((0.5, -0.22), 0.15, 0.07, -20.0, skin);
    p.oval(0.66, -0.08, 0.2, 0.25, skin);
    p.oval(0.6, -0.3, 0.22, 0.14, wool);
    eye(p, 0.72, -0.12, 0.045);
}

pub fn deer(p: &mut Pen<'_>) {
    let coat = p.main(hex(0xa8713f));
    let horn = hex(0xd9c39a);
    p.oval(-0.66, 0.02, 0.1, 0.09, hex(0xf5ecdc));
    for s in [-1.0, 1.0] {
        let x = 0.5 + s * 0.05;
        p.taper(
            &[
                (x, -0.56),
                (x + s * 0.26, -0.76),
                (x + s * 0.36, -0.96),
                (x + s * 0.28, -1.14),
            ],
            0.075,
            0.03,
            horn,
        );
        p.taper(
            &[
                (x + s * 0.22, -0.72),
                (x + s * 0.5, -0.8),
                (x + s * 0.56, -0.96),
            ],
            0.055,
            0.02,
            horn,
        );
        p.taper(
            &[(x + s * 0.32, -0.84), (x + s * 0.14, -1.06)],
            0.05,
            0.02,
            horn,
        );
    }
    let head = (0.55, -0.52);
    Beast {
        coat,
        feet: hex(0x2b221e),
        back: -0.02,
        belly: 0.36,
        rear: -0.64,
        chest: 0.46,
        leg: 0.085,
        neck: 0.24,
        head,
        skull: (0.16, 0.15),
        muzzle: (0.17, 0.07, 0.14, 0.085),
    }
    .draw(p);
    p.leaf((0.38, -0.6), 0.13, 0.055, 20.0, coat);
    for (x, y) in [
        (-0.4, 0.06),
        (-0.28, 0.12),
        (-0.14, 0.05),
        (0.0, 0.1),
        (0.12, 0.06),
    ] {
        p.dot(x, y, 0.028, hex(0xf1dfc2));
    }
}

pub fn elephant(p: &mut Pen<'_>) {
    let coat = p.main(hex(0x8b8f99));
    p.curve(
        &[(-0.82, -0.1), (-0.92, 0.2), (-0.88, 0.4)],
        0.05,
        coat.dark(0.2),
    );
    let head = (0.52, -0.3);
    Beast {
        coat,
        feet: coat.dark(0.2),
        back: -0.52,
        belly: 0.46,
        rear: -0.86,
        chest: 0.52,
        leg: 0.26,
        neck: 0.62,
        head,
        skull: (0.33, 0.36),
        muzzle: (0.2, 0.1, 0.12, 0.12),
    }
    .draw(p);
    p.taper(
        &[
            (0.74, -0.2),
            (0.86, 0.1),
            (0.84, 0.5),
            (0.9, 0.76),
            (1.02, 0.7),
        ],
        0.28,
        0.08,
        coat,
    );
    p.taper(
        &[(0.66, 0.04), (0.8, 0.2), (1.0, 0.18)],
        0.09,
        0.02,
        hex(0xf5efdd),
    );
    p.blob(
        &[
            (0.4, -0.6),
            (0.12, -0.62),
            (-0.06, -0.3),
            (0.06, 0.08),
            (0.28, 0.1),
            (0.42, -0.2),
        ],
        coat.dark(0.12),
    );
    eye(p, 0.66, -0.38, 0.045);
}

pub fn lion(p: &mut Pen<'_>) {
    let coat = p.main(hex(0xd6a24c));
    let mane = p.second(hex(0x8a4a20));
    p.curve(&[(-0.66, 0.1), (-0.92, 0.1), (-0.94, -0.26)], 0.06, coat);
    p.oval(-0.94, -0.32, 0.08, 0.12, mane);
    let head = (0.5, -0.3);
    Beast {
        coat,
        feet: coat.light(0.25),
        back: -0.1,
        belly: 0.48,
        rear: -0.74,
        chest: 0.55,
        leg: 0.17,
        neck: 0.4,
        head,
        skull: (0.28, 0.28),
        muzzle: (0.0, 0.0, 0.1, 0.1),
    }
    .draw(p);
    for i in 0..14 {
        let a = i as f32 / 14.0 * std::f32::consts::TAU;
        p.leaf(
            (0.5 + a.cos() * 0.33, -0.26 + a.sin() * 0.36),
            0.2,
            0.15,
            a.to_degrees(),
            mane,
        );
    }
    p.oval(0.52, -0.28, 0.29, 0.29, coat);
    for x in [0.32, 0.72] {
        p.oval(x, -0.54, 0.09, 0.09, coat.dark(0.1));
        eye(p, 0.52 + (x - 0.52) * 0.55, -0.36, 0.045);
    }
    p.oval(0.52, -0.16, 0.16, 0.13, coat.light(0.5));
    p.flat(
        &[(0.45, -0.25), (0.59, -0.25), (0.52, -0.17)],
        hex(0x5b2f28),
    );
    p.curve(
        &[(0.44, -0.08), (0.52, -0.13), (0.6, -0.08)],
        0.02,
        hex(0x5b2f28),
    );
}

pub fn giraffe(p: &mut Pen<'_>) {
    let coat = p.main(hex(0xe8c26a));
    let patch = p.second(hex(0x96561f));
    p.curve(&[(-0.5, 0.12), (-0.62, 0.3), (-0.58, 0.48)], 0.04, patch);
    for x in [0.4, 0.48] {
        p.taper(&[(x, -0.85), (x, -0.98)], 0.04, 0.05, patch);
    }
    let head = (0.45, -0.8);
    Beast {
        coat,
        feet: hex(0x5b4327),
        back: 0.08,
        belly: 0.42,
        rear: -0.55,
        chest: 0.32,
        leg: 0.1,
        neck: 0.2,
        head,
        skull: (0.13, 0.11),
        muzzle: (0.14, 0.05, 0.12, 0.07),
    }
    .draw(p);
    for (x, y, r) in [
        (-0.38, 0.22, 0.07),
        (-0.22, 0.16, 0.06),
        (-0.2, 0.31, 0.06),
        (-0.05, 0.2, 0.07),
        (0.06, 0.32, 0.05),
        (0.16, 0.14, 0.06),
        (0.23, -0.1, 0.05),
        (0.28, -0.28, 0.045),
        (0.33, -0.46, 0.04),
        (0.38, -0.62, 0.035),
    ] {
        p.blob(
            &[
                (x - r, y),
                (x, y - r * 0.9),
                (x + r, y - r * 0.2),
                (x + r * 0.5, y + r * 0.9),
            ],
            patch,
        );
    }
}

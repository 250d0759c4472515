//! Four-legged animals, drawn from one skeleton with each one's own features.

use super::super::canvas::Finish;
use super::super::palette::{Rgb, hex};
use super::super::pen::{Pen, poly};

/// The proportions of a standing animal seen from the side, facing right.
pub(super) struct Beast {
    pub(super) coat: Rgb,
    pub(super) feet: Rgb,
    pub(super) back: f32,
    pub(super) belly: f32,
    pub(super) rear: f32,
    pub(super) chest: f32,
    pub(super) leg: f32,
    pub(super) neck: f32,
    pub(super) head: (f32, f32),
    pub(super) skull: (f32, f32),
    pub(super) muzzle: (f32, f32, f32, f32),
}

impl Beast {
    /// Body, legs, neck and head; features are added by the caller.
    pub(super) fn draw(&self, p: &mut Pen<'_>) {
        let mid = (self.back + self.belly) / 2.0;
        let far = self.coat.dark(0.28);
        p.ground(
            (self.rear + self.chest) / 2.0,
            0.99,
            (self.chest - self.rear) * 0.62,
        );
        for (x, lean) in [(self.rear + 0.28, 0.06), (self.chest - 0.32, -0.05)] {
            self.limb(p, x, lean, far);
        }
        let (r, c) = (self.rear, self.chest);
        p.blob(
            &[
                (r, mid - 0.02),
                (r + 0.12, self.back + 0.02),
                ((r + c) / 2.0, self.back + 0.04),
                (c - 0.14, self.back),
                (c, mid - 0.05),
                (c - 0.12, self.belly - 0.02),
                ((r + c) / 2.0, self.belly),
                (r + 0.14, self.belly - 0.04),
            ],
            self.coat,
        );
        self.limb(p, self.rear + 0.13, -0.04, self.coat);
        self.limb(p, self.chest - 0.15, 0.03, self.coat);
        let root = (self.chest - 0.2, mid - 0.02);
        let bend = (
            (root.0 + self.head.0) / 2.0 + 0.02,
            (root.1 + self.head.1) / 2.0 + 0.02,
        );
        p.taper(
            &[root, bend, self.head],
            self.neck * 1.35,
            self.neck * 0.85,
            self.coat,
        );
        p.oval(
            self.head.0,
            self.head.1,
            self.skull.0,
            self.skull.1,
            self.coat,
        );
        let (dx, dy, rx, ry) = self.muzzle;
        p.oval(
            self.head.0 + dx,
            self.head.1 + dy,
            rx,
            ry,
            self.coat.light(0.1),
        );
        p.dot(
            self.head.0 + dx + rx * 0.8,
            self.head.1 + dy - ry * 0.3,
            rx * 0.22,
            hex(0x201a1c),
        );
        eye(
            p,
            self.head.0 + self.skull.0 * 0.32,
            self.head.1 - self.skull.1 * 0.25,
            self.skull.1 * 0.2,
        );
    }

    fn limb(&self, p: &mut Pen<'_>, x: f32, lean: f32, colour: Rgb) {
        let top = self.belly - 0.16;
        let knee = (top + 1.0) / 2.0 + 0.04;
        let w = self.leg;
        p.taper(
            &[(x, top), (x + lean, knee), (x, 0.97)],
            w * 1.5,
            w * 0.85,
            colour,
        );
        p.rounded((x - w * 0.55, 0.9), (x + w * 0.75, 1.0), 0.03, self.feet);
    }
}

/// An eye with a glint.
pub fn eye(p: &mut Pen<'_>, x: f32, y: f32, r: f32) {
    p.dot(x, y, r, hex(0x1b1518));
    p.dot(x + r * 0.3, y - r * 0.35, r * 0.35, Rgb::WHITE);
}

pub(super) fn ear(p: &mut Pen<'_>, base: (f32, f32), tip: (f32, f32), width: f32, colour: Rgb) {
    let (dx, dy) = (tip.0 - base.0, tip.1 - base.1);
    let n = (dx * dx + dy * dy).sqrt().max(1e-3);
    let (px, py) = (-dy / n * width, dx / n * width);
    let shape = [(base.0 - px, base.1 - py), tip, (base.0 + px, base.1 + py)];
    p.fill(poly(&shape), colour, Finish::Slope);
    let inner = shape.map(|(x, y)| (base.0 + (x - base.0) * 0.55, base.1 + (y - base.1) * 0.62));
    p.flat(&inner, colour.mix(hex(0xe8a0a0), 0.5).dark(0.1));
}

pub fn dog(p: &mut Pen<'_>) {
    let coat = p.main(hex(0xb9813f));
    p.taper(
        &[(-0.62, 0.1), (-0.86, -0.1), (-0.9, -0.38)],
        0.14,
        0.06,
        coat,
    );
    let head = (0.56, -0.38);
    Beast {
        coat,
        feet: coat.light(0.4),
        back: -0.05,
        belly: 0.5,
        rear: -0.72,
        chest: 0.58,
        leg: 0.15,
        neck: 0.36,
        head,
        skull: (0.27, 0.25),
        muzzle: (0.24, 0.09, 0.2, 0.13),
    }
    .draw(p);
    p.blob(
        &[
            (0.42, -0.6),
            (0.3, -0.52),
            (0.24, -0.2),
            (0.34, -0.08),
            (0.44, -0.22),
            (0.48, -0.5),
        ],
        coat.dark(0.4),
    );
    p.curve(
        &[(0.32, -0.06), (0.46, 0.02), (0.62, -0.02)],
        0.08,
        p.second(hex(0xc23b3b)),
    );
    p.dot(0.5, 0.08, 0.05, hex(0xf2cc4d));
    p.taper(&[(0.84, -0.19), (0.86, -0.08)], 0.08, 0.06, hex(0xe0747c));
}

pub fn fox(p: &mut Pen<'_>) {
    let coat = p.main(hex(0xd9622b));
    p.blob(
        &[
            (-0.5, 0.22),
            (-0.78, -0.02),
            (-1.0, -0.12),
            (-0.98, 0.24),
            (-0.78, 0.46),
            (-0.5, 0.42),
        ],
        coat,
    );
    p.blob(
        &[(-0.86, -0.07), (-1.02, -0.16), (-1.0, 0.24), (-0.88, 0.16)],
        hex(0xf6ead9),
    );
    let head = (0.55, -0.25);
    Beast {
        coat,
        feet: hex(0x33221d),
        back: 0.05,
        belly: 0.48,
        rear: -0.62,
        chest: 0.55,
        leg: 0.11,
        neck: 0.3,
        head,
        skull: (0.25, 0.22),
        muzzle: (0.24, 0.08, 0.2, 0.08),
    }
    .draw(p);
    p.blob(
        &[
            (0.5, -0.05),
            (0.66, -0.12),
            (0.9, -0.12),
            (0.7, 0.02),
            (0.5, 0.3),
            (0.4, 0.2),
        ],
        hex(0xf6ead9),
    );
    ear(p, (0.42, -0.4), (0.34, -0.78), 0.1, coat.dark(0.2));
    ear(p, (0.6, -0.42), (0.62, -0.8), 0.1, coat);
    p.dot(0.97, -0.19, 0.04, hex(0x201a1c));
}

pub fn bear(p: &mut Pen<'_>) {
    let coat = p.main(hex(0x6f4a2e));
    let head = (0.6, -0.2);
    for x in [0.46, 0.72] {
        p.oval(x, -0.46, 0.1, 0.1, coat.dark(0.1));
    }
    Beast {
        coat,
        feet: coat.dark(0.4),
        back: -0.32,
        belly: 0.55,
        rear: -0.82,
        chest: 0.62,
        leg: 0.24,
        neck: 0.55,
        head,
        skull: (0.3, 0.28),
        muzzle: (0.22, 0.1, 0.18, 0.14),
    }
    .draw(p);
    p.oval(0.46, -0.42, 0.08, 0.08, coat.light(0.2));
    p.oval(-0.82, 0.0, 0.08, 0.07, coat);
}

pub fn horse(p: &mut Pen<'_>) {
    let coat = p.main(hex(0x8a5a34));
    let mane = p.second(coat.dark(0.6));
    p.taper(
        &[(-0.64, -0.05), (-0.9, 0.1), (-0.86, 0.4), (-0.94, 0.66)],
        0.1,
        0.2,
        mane,
    );
    let head = (0.62, -0.66);
    Beast {
        coat,
        feet: hex(0x2b221e),
        back: -0.12,
        belly: 0.36,
        rear: -0.72,
        chest: 0.5,
        leg: 0.12,
        neck: 0.32,
        head,
        skull: (0.17, 0.17),
        muzzle: (0.2, 0.14, 0.17, 0.11),
    }
    .draw(p);
    p.taper(
        &[(0.64, -0.64), (0.76, -0.57), (0.86, -0.5)],
        0.28,
        0.2,
        coat,
    );
    eye(p, 0.66, -0.7, 0.035);
    p.dot(0.92, -0.47, 0.022, hex(0x201a1c));
    ear(p, (0.52, -0.78), (0.52, -1.0), 0.06, coat);
    p.blob(
        &[
            (0.58, -0.84),
            (0.4, -0.74),
            (0.22, -0.4),
            (0.14, -0.08),
            (0.28, -0.18),
            (0.4, -0.42),
            (0.5, -0.6),
        ],
        mane,
    );
}

//! A figure made from a word the painter has no drawing for: the same word always gives the same
//! figure, another word another one.

use super::super::canvas::Finish;
use super::super::noise::{Rng, hash_text};
use super::super::palette::Rgb;
use super::super::pen::{Pen, poly, smooth};

/// Draws the word's figure standing on a foot.
pub fn draw(p: &mut Pen<'_>, word: &str) {
    // Chance comes from the word alone: the figure belongs to it, not to the commission.
    let mut rng = Rng::new(hash_text(word));
    let hue = rng.unit();
    let main = p.main(Rgb::hsl(hue, rng.range(0.45, 0.75), rng.range(0.42, 0.6)));
    let second = p.second(main.turn(rng.range(0.28, 0.6)).light(0.15));
    let third = main.turn(rng.range(-0.15, 0.15)).light(0.5);
    p.ground(0.0, 0.97, 0.55);
    let foot = rng.range(0.2, 0.4);
    p.poly(
        &[
            (-foot, 1.0),
            (-foot * 0.5, 0.8),
            (foot * 0.5, 0.8),
            (foot, 1.0),
        ],
        main.dark(0.45),
    );
    match rng.below(4) {
        0 => rosette(p, &mut rng, main, second, third),
        1 => totem(p, &mut rng, main, second, third),
        2 => vessel(p, &mut rng, main, second, third),
        _ => sprout(p, &mut rng, main, second, third),
    }
}

fn rosette(p: &mut Pen<'_>, rng: &mut Rng, a: Rgb, b: Rgb, c: Rgb) {
    let n = 3 + rng.below(7);
    p.rect(-0.05, 0.3, 0.05, 0.84, a.dark(0.3));
    let pointed = rng.chance(0.5);
    for (layer, tone) in [(0.78, a), (0.58, b), (0.38, c)] {
        let (inner, twist, wide) = (
            rng.range(0.35, 0.75),
            rng.range(0.0, 1.0),
            rng.range(0.2, 0.8),
        );
        let mut outline = Vec::new();
        for i in 0..n {
            for (k, r) in [
                (0.0, layer),
                (wide * 0.5, layer * (0.5 + inner * 0.5)),
                (0.5, layer * inner),
            ] {
                let t = (i as f32 + k + twist) / n as f32 * std::f32::consts::TAU;
                outline.push((t.sin() * r, -0.16 - t.cos() * r));
            }
        }
        let path = if pointed {
            poly(&outline)
        } else {
            smooth(&outline, true)
        };
        p.fill(path, tone, Finish::Round);
    }
    p.oval(0.0, -0.16, 0.15, 0.15, a.dark(0.4));
    p.dot(-0.04, -0.2, 0.05, c.light(0.5));
}

fn totem(p: &mut Pen<'_>, rng: &mut Rng, a: Rgb, b: Rgb, c: Rgb) {
    let n = 3 + rng.below(3);
    let height = 1.7 / n as f32;
    for i in 0..n {
        let (y1, y0) = (0.84 - i as f32 * height, 0.84 - (i + 1) as f32 * height);
        let half = rng.range(0.22, 0.6);
        let tone = [a, b, c][(i + rng.below(3)) % 3];
        let mid = (y0 + y1) / 2.0;
        match rng.below(4) {
            0 => p.rounded((-half, y0), (half, y1), 0.1, tone),
            1 => p.oval(0.0, mid, half, height / 2.0 + 0.03, tone),
            2 => p.poly(&[(-half, y1), (0.0, y0), (half, y1)], tone),
            _ => p.poly(
                &[
                    (-half * 0.6, y0),
                    (half * 0.6, y0),
                    (half, mid),
                    (half * 0.6, y1),
                    (-half * 0.6, y1),
                    (-half, mid),
                ],
                tone,
            ),
        }
        let eyes = rng.range(0.06, 0.14);
        let spread = half * rng.range(0.2, 0.5);
        for s in [-1.0, 1.0] {
            match i % 3 {
                0 => p.dot(s * spread, mid, eyes * 0.6, tone.dark(0.7)),
                1 => p.line(
                    &[
                        (s * spread, mid - eyes * 0.7),
                        (s * spread * 1.3, mid + eyes * 0.7),
                    ],
                    0.045,
                    tone.light(0.6),
                ),
                _ => p.ring(s * spread, mid, eyes * 0.7, 0.035, tone.dark(0.6)),
            }
        }
        if rng.chance(0.4) {
            for s in [-1.0, 1.0] {
                p.taper(
                    &[
                        (s * half * 0.7, mid),
                        (s * (half + 0.24), mid - 0.1),
                        (s * (half + 0.3), mid - 0.3),
                    ],
                    0.12,
                    0.03,
                    b.dark(0.15),
                );
            }
        }
    }
}

fn vessel(p: &mut Pen<'_>, rng: &mut Rng, a: Rgb, b: Rgb, c: Rgb) {
    // A turned profile, mirrored: shoulders and waists come from the word.
    let profile: Vec<(f32, f32)> = (0..8)
        .map(|i| (rng.range(0.14, 0.62), 0.84 - i as f32 * 0.22))
        .collect();
    let mut outline: Vec<_> = profile.iter().map(|&(x, y)| (-x, y)).collect();
    outline.extend(profile.iter().rev());
    p.blob(&outline, a);
    for (i, &(x, y)) in profile.iter().enumerate() {
        match (i + rng.below(2)) % 3 {
            0 => p.taper(
                &[(-x * 0.92, y), (0.0, y + 0.06), (x * 0.92, y)],
                0.07,
                0.07,
                b,
            ),
            1 => {
                let n = 2 + rng.below(3);
                for k in 0..n {
                    let t = (k as f32 + 0.5) / n as f32 * 2.0 - 1.0;
                    p.oval(t * x * 0.72, y, 0.06, 0.06, c);
                }
            }
            _ => {}
        }
    }
    let (x, y) = profile[4];
    for s in [-1.0, 1.0] {
        let out = rng.range(0.2, 0.4);
        p.taper(
            &[
                (s * x * 0.9, y),
                (s * (x + out), y - 0.1),
                (s * (x + out * 0.6), y - 0.4),
                (s * profile[6].0, profile[6].1),
            ],
            0.09,
            0.06,
            b.dark(0.2),
        );
    }
    p.oval(0.0, -0.8, 0.13, 0.13, c);
}

fn sprout(p: &mut Pen<'_>, rng: &mut Rng, a: Rgb, b: Rgb, c: Rgb) {
    let arms = 3 + rng.below(5);
    let curl = rng.range(-0.5, 0.5);
    let kind = rng.below(4);
    for i in 0..arms {
        let t = if arms == 1 {
            0.0
        } else {
            i as f32 / (arms - 1) as f32 * 2.0 - 1.0
        };
        let tip = (t * 0.8, -0.9 + t * t * rng.range(0.4, 0.9));
        let bend = (t * 0.3 + curl * 0.4, 0.1);
        let tone = if i % 2 == 0 { a } else { a.dark(0.2) };
        p.taper(
            &[(0.0, 0.86), bend, (tip.0 * 0.9, tip.1 * 0.6 + 0.1), tip],
            0.16,
            0.05,
            tone,
        );
        let r = rng.range(0.1, 0.2);
        let fruit = if i % 2 == 0 { b } else { c };
        match kind {
            0 => p.oval(tip.0, tip.1, r, r, fruit),
            1 => p.poly(
                &[
                    (tip.0, tip.1 - r * 1.4),
                    (tip.0 + r, tip.1),
                    (tip.0, tip.1 + r * 1.2),
                    (tip.0 - r, tip.1),
                ],
                fruit,
            ),
            2 => p.ring(tip.0, tip.1, r, r * 0.5, fruit),
            _ => p.poly(
                &[
                    (tip.0 - r, tip.1 + r),
                    (tip.0, tip.1 - r * 1.3),
                    (tip.0 + r, tip.1 + r),
                ],
                fruit,
            ),
        }
        p.dot(tip.0, tip.1, r * 0.25, a.dark(0.6));
    }
    let body = rng.range(0.2, 0.42);
    p.oval(0.0, 0.5, body, rng.range(0.26, 0.4), b);
    for s in [-1.0, 1.0] {
        p.dot(s * body * 0.4, 0.44, 0.055, a.dark(0.75));
    }
}

//! Draws a placed subject with its reflection and whatever holds it up. Decides no place.

use super::canvas::{Canvas, Finish};
use super::compose::Placed;
use super::noise::{Rng, hash_text};
use super::palette::hex;
use super::pen::Pen;
use super::scenes::Stage;
use super::subjects;
use super::words::{Reading, Relation, Scene, Subject};

/// Draws one placed subject with its reflection and whatever holds it up.
pub fn draw(canvas: &mut Canvas, stage: &Stage, reading: &Reading, placed: &Placed, seed: u64) {
    let subject = &reading.subjects[placed.subject];
    let unit = canvas.unit();
    canvas.subject = true;
    canvas.near = placed.near;
    canvas.rough = 0.35;
    canvas.line = (unit * 0.42).min(placed.half * 0.03).max(0.6);
    let chance = Rng::new(seed ^ hash_text(&subject.name));
    if placed.afloat {
        canvas.subject = false;
        let keep = canvas.line;
        canvas.line = 0.0;
        let mut image = pen(canvas, placed, subject, &chance);
        image.alpha = 0.34;
        image.mirror(0.9);
        subjects::draw(&mut image, subject, reading.season);
        canvas.line = keep;
        canvas.subject = true;
    }
    let standing = !placed.afloat
        && subject
            .place
            .is_none_or(|(r, _)| !matches!(r, Relation::Over | Relation::On));
    if stage.floats && standing && (placed.y + placed.half - stage.ground).abs() < placed.half * 0.4
    {
        canvas.subject = false;
        platform(&mut pen(canvas, placed, subject, &chance), reading.scene);
        canvas.subject = true;
    }
    subjects::draw(
        &mut pen(canvas, placed, subject, &chance),
        subject,
        reading.season,
    );
    if placed.afloat {
        lapping(canvas, placed);
    }
}

/// A pen in the box of a placed subject.
fn pen<'c>(canvas: &'c mut Canvas, placed: &Placed, subject: &Subject, chance: &Rng) -> Pen<'c> {
    let mut pen = Pen::new(canvas, placed.x, placed.y, placed.half, chance.clone());
    pen.tints.clone_from(&subject.tints);
    if placed.flip {
        pen.flip();
    }
    pen
}

/// Something to stand on where there is no ground.
fn platform(p: &mut Pen<'_>, scene: Scene) {
    match scene {
        Scene::Space => {
            p.blob(
                &[
                    (-0.9, 0.94),
                    (-0.3, 0.9),
                    (0.4, 0.92),
                    (0.96, 0.98),
                    (0.7, 1.26),
                    (0.1, 1.5),
                    (-0.5, 1.34),
                ],
                hex(0x7d7686),
            );
            for (x, y, r) in [(-0.4, 1.06, 0.12), (0.3, 1.1, 0.16), (0.0, 1.3, 0.09)] {
                p.oval(x, y, r, r * 0.6, hex(0x554f60));
            }
        }
        Scene::Sky => {
            for (x, y, r) in [
                (-0.8, 1.1, 0.3),
                (0.8, 1.12, 0.3),
                (-0.4, 1.14, 0.42),
                (0.4, 1.16, 0.42),
                (0.0, 1.2, 0.46),
            ] {
                p.fill(
                    super::pen::oval(x, y, r, r * 0.62),
                    hex(0xf7f9fc),
                    Finish::Round,
                );
            }
        }
        _ => {
            p.blob(
                &[
                    (-1.1, 1.06),
                    (-0.6, 0.92),
                    (0.0, 0.88),
                    (0.7, 0.94),
                    (1.1, 1.06),
                    (0.0, 1.16),
                ],
                hex(0x8a8074),
            );
        }
    }
}

/// Small waves in front of a hull.
fn lapping(canvas: &mut Canvas, placed: &Placed) {
    let (line, half) = (placed.y + placed.half * 0.9, placed.half);
    canvas.subject = false;
    canvas.line *= 0.7;
    for i in 0..7 {
        let t = i as f32 / 6.0 * 2.0 - 1.0;
        let (x, y) = (
            placed.x + t * half * 0.95,
            line + half * (0.05 - 0.03 * t * t),
        );
        let wave = [
            (x - half * 0.24, y),
            (x - half * 0.06, y - half * 0.05),
            (x + half * 0.08, y - half * 0.04),
            (x + half * 0.24, y),
            (x, y + half * 0.03),
        ];
        if let Some(p) = super::pen::smooth(&wave, true) {
            let foam = canvas.light.haze.light(0.55);
            canvas.fill(&p, foam, 0.75, Finish::Flat);
        }
    }
    canvas.subject = true;
}

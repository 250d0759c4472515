//! Puts the subjects in the scene: how large, where, in which order. Draws them through `subjects`.

use super::canvas::Canvas;
use super::noise::Rng;
use super::scenes::Stage;
use super::words::{Habitat, Noun, Reading, Relation, Scene, Subject, What};

/// One drawing to be made.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Which subject of the reading.
    pub subject: usize,
    /// Centre, in pixels.
    pub x: f32,
    /// Centre, in pixels.
    pub y: f32,
    /// Half its height, in pixels.
    pub half: f32,
    /// Nearness, 0..1.
    pub near: f32,
    /// Drawn in this order, low first.
    pub order: f32,
    /// Faces left.
    pub flip: bool,
    /// Floats on water and is mirrored in it.
    pub afloat: bool,
}

/// What a subject does in this scene.
fn habitat(subject: &Subject, reading: &Reading) -> Habitat {
    let natural = match subject.what {
        What::Known(noun) => noun.habitat(),
        What::Unknown(_) => Habitat::Table,
    };
    if subject.aloft {
        return Habitat::Air;
    }
    let wet = matches!(reading.scene, Scene::Sea | Scene::Coast | Scene::Lake);
    match (natural, reading.scene) {
        (Habitat::Deep, Scene::Underwater) => Habitat::Deep,
        (Habitat::Deep, _) if wet => Habitat::Water,
        (Habitat::Deep, _) => Habitat::Air,
        (Habitat::Water, Scene::Underwater) => Habitat::Deep,
        (Habitat::Water, _) if !wet => Habitat::Ground,
        (Habitat::Table, _) => Habitat::Ground,
        (Habitat::Sky, Scene::Underwater | Scene::Room) => Habitat::Air,
        (Habitat::Sky, Scene::Space) => Habitat::Air,
        (other, _) => other,
    }
}

/// How far from the top of its box others can stand on a thing, in its own units.
fn seat(what: &What) -> f32 {
    let What::Known(noun) = what else { return -0.9 };
    match noun {
        Noun::Boat | Noun::Ship => 0.5,
        Noun::House => -0.52,
        Noun::Bicycle => -0.16,
        Noun::Horse | Noun::Cow | Noun::Dog | Noun::Lion => -0.1,
        Noun::Elephant | Noun::Bear => -0.45,
        Noun::Book => 0.28,
        Noun::Island => 0.62,
        Noun::Car | Noun::Bread => -0.06,
        Noun::Bus => -0.38,
        Noun::Train => -0.5,
        Noun::Piano => -0.5,
        Noun::Chair => 0.26,
        Noun::Turtle | Noun::Ufo => 0.1,
        Noun::Whale | Noun::Shark | Noun::Dolphin | Noun::Fish => -0.34,
        Noun::Bridge => -0.06,
        Noun::Sheep => -0.2,
        Noun::Hat | Noun::Mushroom => -0.6,
        Noun::Cloud | Noun::Gift => -0.4,
        Noun::Planet | Noun::Moon | Noun::Ball => -0.5,
        _ => -0.9,
    }
}

/// Lays out every subject of the reading.
pub fn layout(canvas: &Canvas, stage: &Stage, reading: &Reading, rng: &mut Rng) -> Vec<Placed> {
    let (w, h) = canvas.size();
    let full = canvas.unit() * 100.0;
    let kinds = reading.subjects.len().max(1) as f32;
    let crowd = if kinds < 1.5 {
        1.0
    } else if kinds < 2.5 {
        0.84
    } else {
        0.7
    };
    let mut lead: Vec<Placed> = Vec::new();
    let low: Vec<usize> = (0..reading.subjects.len())
        .filter(|&i| {
            !matches!(
                habitat(&reading.subjects[i], reading),
                Habitat::Sky | Habitat::Land
            )
        })
        .filter(|&i| {
            !matches!(
                place(reading, i),
                Some((Relation::Over | Relation::On | Relation::Under, _))
            )
        })
        .collect();
    for (i, subject) in reading.subjects.iter().enumerate() {
        let home = habitat(subject, reading);
        let natural = match subject.what {
            What::Known(Noun::Planet) if reading.scene == Scene::Space => 1.5,
            What::Known(noun) => noun.size(),
            What::Unknown(_) => 1.0,
        };
        let mut half = full * 0.29 * natural.powf(0.8) * crowd * subject.size;
        let slot = low.iter().position(|&k| k == i);
        let x = match (home, slot) {
            (Habitat::Sky, _) if subject.what == What::Known(Noun::Rainbow) => w * 0.5,
            (Habitat::Sky, _) => w * (0.5 - canvas.light.from.0.signum() * 0.22),
            (_, Some(slot)) => w * (slot as f32 + 0.5) / low.len() as f32,
            _ => w * 0.5,
        };
        let x = x + rng.range(-0.04, 0.04) * w;
        half = half
            .min(
                w * 0.46
                    / if slot.is_some() {
                        low.len() as f32 * 0.72
                    } else {
                        1.0
                    },
            )
            .min(h * 0.4);
        let (y, near, order) = match home {
            Habitat::Sky => {
                half *= if matches!(subject.what, What::Known(Noun::Rainbow)) {
                    1.3
                } else {
                    0.62
                };
                ((stage.air.0 + stage.air.1) * 0.4, 0.03, -2.0)
            }
            Habitat::Land => {
                half = (full * 0.36 * subject.size)
                    .min(w * 0.42)
                    .min(stage.horizon * 0.62);
                (stage.horizon + canvas.unit() * 7.0 - half, 0.4, -1.0)
            }
            Habitat::Air | Habitat::Deep => {
                let room = stage.air.1 - stage.air.0;
                half = half.min(room * 0.7 + h * 0.06).max(full * 0.05);
                let height = if slot.is_some_and(|s| s % 2 == 1) {
                    0.34
                } else {
                    0.52
                };
                ((stage.air.0 + room * height).max(half * 1.05), 0.85, 0.5)
            }
            Habitat::Water => (stage.water - half * 0.86, 0.85, stage.water / h),
            Habitat::Ground | Habitat::Table => (stage.ground - half, 0.9, stage.ground / h),
        };
        let x = x.clamp(half.min(w * 0.5), (w - half).max(w * 0.5));
        let flip =
            rng.chance(0.4) && !matches!(subject.what, What::Known(Noun::Clock | Noun::Rainbow));
        lead.push(Placed {
            subject: i,
            x,
            y,
            half,
            near,
            order,
            flip,
            afloat: home == Habitat::Water,
        });
    }
    // A box taller than the room above the ground shrinks on its feet.
    for p in &mut lead {
        let foot = p.y + p.half;
        let most = (foot - h * 0.04) * 0.5;
        if p.half > most && most > 4.0 {
            p.half = most;
            p.y = foot - most;
        }
    }
    relate(&mut lead, reading, h);
    let mut all: Vec<Placed> = lead
        .into_iter()
        .flat_map(|p| repeat(&p, reading, stage, (w, h), rng))
        .collect();
    all.sort_by(|a, b| a.order.total_cmp(&b.order));
    all
}

/// Where the prompt put a subject. Everything is under the moon: what is, stays where it is at home.
fn place(reading: &Reading, i: usize) -> Option<(Relation, usize)> {
    reading.subjects[i].place.filter(|(relation, to)| {
        let other = reading.subjects.get(*to);
        *relation != Relation::Under
            || other.is_none_or(|other| habitat(other, reading) != Habitat::Sky)
    })
}

/// Moves subjects to where the prompt put them: over, on, under, behind, in front.
fn relate(placed: &mut [Placed], reading: &Reading, h: f32) {
    for i in 0..reading.subjects.len() {
        let Some((relation, to)) = place(reading, i) else {
            continue;
        };
        if to >= placed.len() || to == i {
            continue;
        }
        let other = placed[to].clone();
        let seat = (other.y + seat(&reading.subjects[to].what) * other.half).max(h * 0.1);
        let me = &mut placed[i];
        match relation {
            Relation::Over => {
                me.afloat = false;
                me.x = other.x + me.half * 0.12;
                me.order = other.order + 0.02;
                // What is below shrinks on its feet until both have room.
                let want = (me.half * 1.9).min(h * 0.36);
                let foot = other.y + other.half;
                let below = other.half.min((foot - want) * 0.5).max(other.half * 0.5);
                let room = foot - below * 2.0;
                me.half = me.half.min(room * 0.52);
                me.y = (room - me.half * 0.92).max(me.half * 1.02);
                let lower = &mut placed[to];
                lower.half = below;
                lower.y = foot - below;
            }
            Relation::On => {
                me.afloat = false;
                me.half = (me.half * 0.72).min((seat * 0.52).max(h * 0.06));
                me.x = other.x;
                me.y = seat - me.half * 0.94;
                me.order = other.order + 0.01;
            }
            Relation::Under => {
                // The thing above is lifted, so that there is room below it.
                me.half *= 0.72;
                me.y = (other.y + other.half) - me.half;
                me.x = other.x;
                me.order = other.order + 0.01;
                let lift = (me.half * 1.5).min((other.y - other.half * 1.02).max(0.0));
                let above = &mut placed[to];
                if above.order > 0.0 {
                    above.y -= lift;
                }
            }
            Relation::Behind => {
                me.half *= 0.9;
                me.x = other.x + other.half * 0.7;
                me.y = other.y + other.half - me.half - other.half * 0.2;
                me.order = other.order - 0.01;
                me.near = (other.near - 0.15).max(0.3);
            }
            Relation::Front => {
                me.half *= 0.72;
                me.x = other.x - other.half * 0.5;
                me.y = (other.y + other.half + other.half * 0.12 - me.half).min(h - me.half);
                me.order = other.order + 0.01;
            }
            Relation::Beside => {}
        }
    }
}

/// Spreads as many as were asked for around the first.
fn repeat(
    one: &Placed,
    reading: &Reading,
    stage: &Stage,
    (w, h): (f32, f32),
    rng: &mut Rng,
) -> Vec<Placed> {
    let n = usize::from(reading.subjects[one.subject].count.max(1));
    if n == 1 {
        return vec![one.clone()];
    }
    let k = [
        1.0, 1.0, 0.82, 0.7, 0.62, 0.56, 0.52, 0.48, 0.45, 0.43, 0.41, 0.39, 0.37,
    ][n.min(12)];
    let half = one.half * k;
    let share = w * match reading.subjects.len() {
        1 => 0.94,
        2 => 0.62,
        _ => 0.44,
    };
    let most = if n > 6 { n.div_ceil(2) } else { n };
    let columns = ((share / (half * 1.75)) as usize).clamp(1, most);
    let rows = n.div_ceil(columns);
    let flying = one.order < 0.6 && one.order > 0.0;
    (0..n)
        .map(|i| {
            let (row, column) = (i / columns, i % columns);
            let here = if row + 1 == rows {
                n - row * columns
            } else {
                columns
            };
            let gap = (share / here as f32).min(half * 2.1);
            // The whole row keeps clear of the edges, so that its ends do not pile up there.
            let wide = half + gap * (here as f32 - 1.0) / 2.0;
            let middle = one.x.clamp(wide.min(w * 0.5), (w - wide).max(w * 0.5));
            let dx =
                (column as f32 - (here as f32 - 1.0) / 2.0) * gap + rng.range(-0.15, 0.15) * gap;
            let back = row as f32 / rows as f32;
            let mut p = one.clone();
            p.x = (middle + dx).clamp(half.min(w * 0.5), (w - half).max(w * 0.5));
            p.flip = if flying { one.flip } else { rng.chance(0.4) };
            if flying || one.order < 0.0 {
                let room = (stage.air.1 - stage.air.0).max(half);
                let dip = ((column as f32 - (here as f32 - 1.0) / 2.0).abs() * 0.5
                    + rng.range(-0.3, 0.3))
                    * half;
                p.half = half * rng.range(0.8, 1.1);
                let gap = (half * 2.1).min(room * 1.1 / rows as f32);
                let spread = (row as f32 - (rows as f32 - 1.0) / 2.0) * gap;
                p.y = (one.y + spread + dip * 0.8).clamp(half, (h - half).max(half));
            } else {
                let stagger = if column % 2 == 1 { 0.1 } else { 0.0 } + back * 0.8;
                p.half = half * (1.0 - back * 0.3) * rng.range(0.92, 1.06);
                let foot =
                    one.y + one.half - (stage.ground - stage.horizon).max(0.0) * 0.5 * stagger;
                p.y = foot - p.half;
                p.order = one.order - stagger * 0.1;
                p.near = (one.near - stagger * 0.2).max(0.3);
            }
            p
        })
        .collect()
}

//! Backdrops: each scene paints everything that is no subject, and says where subjects may stand.

mod city;
mod heights;
mod land;
mod reef;
mod room;
mod sea;
mod sky;
mod space;

use super::canvas::Canvas;
use super::light::Air;
use super::noise::Rng;
use super::palette::Rgb;
use super::words::{Reading, Scene};

/// Where things stand, in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Where the land or sea meets the sky.
    pub horizon: f32,
    /// Where the feet of a subject in the middle distance stand.
    pub ground: f32,
    /// Where the keel of a boat lies.
    pub water: f32,
    /// Top and bottom of the room for what flies or swims.
    pub air: (f32, f32),
    /// True when what should stand on the ground has none and must float.
    pub floats: bool,
}

/// Everything a scene needs to paint itself.
pub struct Set<'a> {
    /// What was asked for.
    pub reading: &'a Reading,
    /// The air's colours.
    pub air: Air,
    /// Chance for this commission's backdrop.
    pub rng: Rng,
    /// A seed for noise.
    pub grain: u32,
    /// True when the main subject stands on a table.
    pub table: bool,
}

impl Set<'_> {
    /// Chance of its own for a crowd of small marks: how many there are, which hangs on the size of
    /// the picture, then shifts nothing that is drawn later.
    fn fork(&mut self) -> Rng {
        Rng::new(self.rng.bits())
    }
}

/// Where the scene puts its horizon, ground and water.
pub fn stage(canvas: &Canvas, reading: &Reading) -> Stage {
    let (w, h) = canvas.size();
    // A tall picture shows more ground close up, a wide one more sky per height.
    let tall = (h / w).clamp(0.5, 2.0);
    let lift = (tall - 1.0) * 0.04;
    let (horizon, ground, water) = match reading.scene {
        Scene::Meadow => (0.58, 0.84, 0.84),
        Scene::Forest => (0.60, 0.86, 0.86),
        Scene::Mountains => (0.62, 0.87, 0.87),
        Scene::Sea => (0.56, 0.74, 0.74),
        Scene::Coast => (0.50, 0.86, 0.66),
        Scene::Lake => (0.52, 0.90, 0.72),
        Scene::Desert => (0.58, 0.86, 0.86),
        Scene::Snow => (0.56, 0.86, 0.86),
        Scene::City => (0.72, 0.89, 0.89),
        Scene::Space => (1.0, 0.78, 0.7),
        Scene::Moonscape => (0.66, 0.87, 0.87),
        Scene::Underwater => (0.82, 0.88, 0.3),
        Scene::Room => (0.62, 0.86, 0.86),
        Scene::Sky => (0.86, 0.8, 0.74),
    };
    let under = reading.scene == Scene::Underwater;
    let air = if under {
        (0.14, 0.78)
    } else {
        (0.08, (horizon - 0.04f32).min(0.62))
    };
    Stage {
        horizon: h * (horizon + lift).min(1.0),
        ground: h * ground,
        water: h * water,
        air: (h * air.0, h * air.1),
        floats: matches!(reading.scene, Scene::Space | Scene::Sky | Scene::Sea),
    }
}

/// Paints the backdrop.
pub fn backdrop(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    canvas.subject = false;
    canvas.line = canvas.unit() * 0.28;
    match set.reading.scene {
        Scene::Meadow => land::meadow(canvas, stage, set),
        Scene::Forest => land::forest(canvas, stage, set),
        Scene::Mountains => heights::mountains(canvas, stage, set),
        Scene::Desert => heights::desert(canvas, stage, set),
        Scene::Snow => heights::snow(canvas, stage, set),
        Scene::Sea => sea::open(canvas, stage, set),
        Scene::Coast => sea::coast(canvas, stage, set),
        Scene::Lake => sea::lake(canvas, stage, set),
        Scene::Underwater => reef::underwater(canvas, stage, set),
        Scene::City => city::street(canvas, stage, set),
        Scene::Space => space::deep(canvas, stage, set),
        Scene::Moonscape => space::moonscape(canvas, stage, set),
        Scene::Room => room::interior(canvas, stage, set),
        Scene::Sky => sky::above_clouds(canvas, stage, set),
    }
}

/// Paints what lies in front of the subjects.
pub fn foreground(canvas: &mut Canvas, stage: &Stage, set: &mut Set<'_>) {
    canvas.subject = false;
    canvas.near = 1.0;
    canvas.line = canvas.unit() * 0.28;
    match set.reading.scene {
        Scene::Meadow | Scene::Mountains | Scene::Forest | Scene::Lake => {
            land::grass(canvas, set, stage.ground);
        }
        Scene::Underwater => reef::bubbles(canvas, set),
        Scene::Sky => sky::wisps(canvas, set),
        _ => {}
    }
    sky::weather(canvas, set);
}

/// A ridge line across the picture: heights from noise around `base`, as points left to right.
fn ridge(
    canvas: &Canvas,
    base: f32,
    height: f32,
    scale: f32,
    octaves: u32,
    seed: u32,
) -> Vec<(f32, f32)> {
    let (w, _) = canvas.size();
    let span = scale * canvas.unit();
    let step = (canvas.unit() * 0.8).max(1.5);
    let n = (w / step).ceil() as usize + 2;
    (0..=n)
        .map(|i| {
            let x = i as f32 * step - step;
            let t = super::noise::fbm(x / span, seed as f32 * 0.013, octaves, seed);
            (x, base - (t - 0.25) * height)
        })
        .collect()
}

/// Fills everything below a ridge line.
fn below(canvas: &mut Canvas, line: &[(f32, f32)], colour: Rgb, finish: super::canvas::Finish) {
    let (w, h) = canvas.size();
    let mut points = line.to_vec();
    points.push((w + 4.0, h + 4.0));
    points.push((-4.0, h + 4.0));
    if let Some(path) = super::pen::poly(&points) {
        canvas.fill(&path, colour, 1.0, finish);
    }
}

//! The light of a scene, worked out from time, weather, mood and place. Draws nothing.

use super::canvas::Light;
use super::noise::Rng;
use super::palette::{Rgb, hex};
use super::words::{Mood, Reading, Scene, Time, Weather};

/// The colours of the air, top to horizon.
#[derive(Clone, Copy, Debug)]
pub struct Air {
    /// Straight up.
    pub zenith: Rgb,
    /// Half way down.
    pub middle: Rgb,
    /// Over the horizon.
    pub low: Rgb,
    /// How much of the sky clouds cover, 0..1.
    pub cover: f32,
    /// The lit side of clouds.
    pub cloud: Rgb,
    /// The shaded side of clouds.
    pub gloom: Rgb,
}

/// The air and the light of a reading.
pub fn of(reading: &Reading, rng: &mut Rng) -> (Air, Light) {
    let side = if rng.chance(0.5) { 1.0 } else { -1.0 };
    let (mut air, mut light) = by_time(reading.time, side, rng);
    weather(reading, &mut air, &mut light);
    mood(reading, &mut air, &mut light);
    if let Some(accent) = reading.accent {
        air.zenith = air.zenith.mix(accent, 0.65);
        air.middle = air.middle.mix(accent.light(0.15), 0.65);
        air.low = air.low.mix(accent.light(0.45), 0.6);
        light.haze = light.haze.mix(accent.light(0.3), 0.5);
    }
    if reading.scene == Scene::Underwater {
        light.from = (side * 0.35, -0.93);
        light.haze = hex(0x1d7fa8).mix(
            hex(0x072a4a),
            if reading.time == Time::Night {
                0.8
            } else {
                0.0
            },
        );
        light.haze_amount = 0.9;
        light.key = hex(0xd8f6ff);
        light.shade = hex(0x4f86a8);
    }
    if matches!(reading.scene, Scene::Space | Scene::Moonscape) {
        light.haze_amount = 0.0;
        light.key = hex(0xfff4e6);
        light.shade = hex(0x4a4f78);
    }
    if reading.scene == Scene::Room {
        light.haze_amount = 0.0;
        if reading.time == Time::Night {
            light.key = hex(0xffd9a0);
            light.shade = hex(0x584a66);
        }
    }
    (air, light)
}

fn by_time(time: Time, side: f32, rng: &mut Rng) -> (Air, Light) {
    let tilt = rng.range(0.45, 0.7);
    let (zenith, middle, low, cloud, gloom, key, shade, haze, night, from) = match time {
        Time::Dawn => (
            0x6a86c4,
            0xe9b3b4,
            0xffdfab,
            0xffd9c4,
            0xa58bb0,
            0xffe6cf,
            0x8583a6,
            0xf0c9b8,
            0.15,
            (side * 0.8, -0.6),
        ),
        Time::Day => (
            0x3b87d6,
            0x86c0ec,
            0xd9eef5,
            0xffffff,
            0xa9bccf,
            0xfffaf0,
            0x8a9ab8,
            0xc4dcea,
            0.0,
            (side * tilt, -0.8),
        ),
        Time::Dusk => (
            0x36306e,
            0xc8567c,
            0xffb45c,
            0xff9d6a,
            0x6a3f72,
            0xffd2a0,
            0x6d5a86,
            0xe8926e,
            0.45,
            (side * 0.85, -0.52),
        ),
        Time::Night => (
            0x060a20,
            0x132250,
            0x2f4680,
            0x47598c,
            0x10173a,
            0xa9bde6,
            0x364270,
            0x2a3c70,
            1.0,
            (side * 0.6, -0.8),
        ),
    };
    let c = Rgb::hex;
    (
        Air {
            zenith: c(zenith),
            middle: c(middle),
            low: c(low),
            cover: rng.range(0.3, 0.42),
            cloud: c(cloud),
            gloom: c(gloom),
        },
        Light {
            from,
            key: c(key),
            shade: c(shade),
            haze: c(haze),
            haze_amount: 0.72,
            night,
        },
    )
}

fn weather(reading: &Reading, air: &mut Air, light: &mut Light) {
    let dark = if reading.time == Time::Night {
        0.25
    } else {
        1.0
    };
    let (grey, amount, cover, dim) = match reading.weather {
        Weather::Clear => return,
        Weather::Cloudy => (0xb4bfca, 0.45, 0.68, 0.94),
        Weather::Rain => (0x7f8c9a, 0.62, 0.78, 0.86),
        Weather::Storm => (0x3f4658, 0.78, 0.85, 0.74),
        Weather::Snowfall => (0xcdd6e0, 0.6, 0.7, 0.97),
        Weather::Fog => (0xd3d7d8, 0.66, 0.25, 0.95),
    };
    let grey = Rgb::hex(grey).scale(dark);
    for c in [
        &mut air.zenith,
        &mut air.middle,
        &mut air.low,
        &mut light.haze,
    ] {
        *c = c.mix(grey, amount);
    }
    air.cloud = air.cloud.mix(grey.light(0.35 * dark), amount);
    air.gloom = air.gloom.mix(grey.dark(0.3), amount);
    air.cover = cover;
    light.key = light.key.scale(dim).mix(light.shade, 0.25);
    light.haze_amount = match reading.weather {
        Weather::Fog => 1.25,
        Weather::Storm | Weather::Rain => 0.9,
        _ => 0.8,
    };
    if matches!(reading.weather, Weather::Storm | Weather::Rain) {
        light.night = light.night.max(0.4);
    }
}

fn mood(reading: &Reading, air: &mut Air, light: &mut Light) {
    let tune = |c: Rgb| match reading.mood {
        Mood::Neutral => c,
        Mood::Calm => c.vivid(0.85).light(0.05),
        Mood::Dark => c.vivid(0.7).dark(0.25),
        Mood::Bright => c.vivid(1.25).light(0.04),
        Mood::Dream => c.turn(0.08).vivid(1.2).light(0.06),
    };
    for c in [
        &mut air.zenith,
        &mut air.middle,
        &mut air.low,
        &mut air.cloud,
        &mut air.gloom,
        &mut light.haze,
    ] {
        *c = tune(*c);
    }
    if reading.mood == Mood::Dream {
        air.middle = air.middle.mix(hex(0xd79af0), 0.35);
        light.haze = light.haze.mix(hex(0xe0b0f4), 0.35);
    }
}

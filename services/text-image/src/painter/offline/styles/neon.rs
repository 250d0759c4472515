//! Glow in the dark: every contour is a lit tube, the scene behind it sinks into violet, and a screen's
//! scan lines lie over all.

use super::super::canvas::Canvas;
use super::super::noise::{fbm, lattice};
use super::super::palette::{Rgb, hex};
use super::super::raster::{Image, Plane};
use super::super::{PaintError, Ticker};

pub fn render(canvas: &Canvas, seed: u32, ticker: &mut Ticker<'_>) -> Result<Image, PaintError> {
    let unit = canvas.unit();
    let base = Image::of(&canvas.colour);
    let (w, h) = (base.w, base.h);
    let line = Plane::channel(&canvas.ink, 3);
    let body = Plane::channel(&canvas.field, 2);
    let near = Plane::channel(&canvas.field, 0);
    let tubes: Vec<Rgb> = canvas
        .ink
        .data()
        .chunks_exact(4)
        .enumerate()
        .map(|(i, p)| {
            if p[3] == 0 {
                return Rgb::BLACK;
            }
            let a = f32::from(p[3]);
            let c = Rgb::new(
                f32::from(p[0]) / a,
                f32::from(p[1]) / a,
                f32::from(p[2]) / a,
            );
            let strength = line.v[i] * (0.3 + 0.7 * near.v[i].powi(2)) * (0.5 + 0.5 * body.v[i]);
            tube(c, (i / w) as f32 / h as f32).scale(strength)
        })
        .collect();
    ticker.styled(0.25)?;
    let tubes = Image { w, h, v: tubes };
    let tight = tubes.blurred(unit * 0.5);
    let halo = tubes.blurred(unit * 2.6);
    ticker.styled(0.5)?;
    let lamps: Vec<Rgb> = base
        .v
        .iter()
        .map(|c| {
            c.vivid(1.5)
                .scale(((c.luma() - 0.62) * 2.0).clamp(0.0, 1.0))
        })
        .collect();
    let air = Image { w, h, v: lamps }.blurred(unit * 5.0);
    let wide = tubes.blurred(unit * 9.0);
    ticker.styled(0.7)?;
    let split = (unit * 0.35).max(1.0) as i32;
    let pitch = (unit * 0.8).max(2.0);
    let v = super::each(w, h, ticker, (0.7, 1.0), |x, y, i| {
        let (px, py) = (x as i32, y as i32);
        let b = base.v[i];
        let dim = b.luma();
        // Day becomes night: only the dark half of the tones is kept, in violet and blue.
        let t = y as f32 / h as f32;
        let night = hex(0x0c0828)
            .mix(hex(0x3a1466), t * t)
            .mix(hex(0x5a1f9a).mix(hex(0x1283a8), dim), dim * dim * 0.62);
        let own = b.vivid(1.4).scale(0.2 + 0.26 * dim);
        let mut c = night.mix(own, 0.3 + 0.4 * body.v[i]);
        let mist = fbm(x as f32 / (unit * 22.0), y as f32 / (unit * 9.0), 3, seed);
        c = c.plus(
            hex(0x7a2ad0)
                .mix(hex(0x12b0d8), mist)
                .scale(((mist - 0.45) * 0.4).max(0.0)),
        );
        c = c.plus(air.v[i].scale(0.3)).plus(wide.v[i].scale(2.0));
        // The colours of a worn tube screen do not quite meet.
        let (left, right) = (tight.at(px - split, py), tight.at(px + split, py));
        let fringed = Rgb::new(left.r, tight.v[i].g, right.b);
        c = c.plus(halo.v[i].scale(1.7)).plus(fringed.scale(1.1));
        c = c.plus(tubes.v[i].light(0.45 * line.v[i]).scale(0.85 * line.v[i]));
        let row = y as f32 / pitch;
        let scan = 1.0 - 0.24 * (1.0 - ((row - row.floor()) * 2.0 - 1.0).abs());
        let (u, s) = (x as f32 / w as f32 - 0.5, t - 0.5);
        let speck = (lattice(px, py, seed) - 0.5) * 0.03;
        soft_clip(c)
            .scale(scan * (1.16 - (u * u + s * s) * 0.9))
            .plus(Rgb::new(speck, speck, speck))
    })?;
    Ok(Image { w, h, v })
}

/// Bends what is brighter than the screen back towards it, so that dense tubes keep their colour.
fn soft_clip(c: Rgb) -> Rgb {
    let high = c.r.max(c.g).max(c.b);
    if high <= 0.7 {
        c
    } else {
        c.scale((0.7 + 0.3 * (high - 0.7) / (high - 0.7 + 0.45)) / high)
    }
}

/// The colour a shape's tube shines in: its own hue at full strength, greys take magenta or cyan.
fn tube(c: Rgb, height: f32) -> Rgb {
    let (hue, saturation, _) = c.to_hsl();
    if saturation < 0.18 {
        return hex(0x28e8ff).mix(hex(0xff3ac8), height);
    }
    Rgb::hsl(hue, 1.0, 0.56)
}

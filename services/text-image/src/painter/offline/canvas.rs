//! The painting surface: colour, ink contours and a depth map, drawn together so that every style can
//! render from the same drawing. Knows paths and colours, no subjects.

use tiny_skia::{
    BlendMode, Color, FillRule, GradientStop, LinearGradient, Paint, Path, Pixmap, Point,
    RadialGradient, Shader, SpreadMode, Stroke, Transform,
};

use super::palette::Rgb;

/// How a shape takes the light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finish {
    /// One even colour.
    Flat,
    /// Light on the side of the sun, shade on the other, as a bulging form.
    Round,
    /// A plain slope from light to shade.
    Slope,
    /// Gives its own light: neither lit nor hazed.
    Glow,
}

/// The light of the scene.
#[derive(Clone, Copy, Debug)]
pub struct Light {
    /// Where it comes from, as a direction on the picture (y grows downwards).
    pub from: (f32, f32),
    /// Colour of lit sides.
    pub key: Rgb,
    /// Colour of shaded sides.
    pub shade: Rgb,
    /// What distance fades into.
    pub haze: Rgb,
    /// How much of the farthest distance is haze, 0..1.
    pub haze_amount: f32,
    /// 0 by day, 1 in the night: lamps and windows shine by it.
    pub night: f32,
}

/// The three layers of a drawing.
pub struct Canvas {
    /// Width in pixels.
    pub w: u32,
    /// Height in pixels.
    pub h: u32,
    /// What the eye sees.
    pub colour: Pixmap,
    /// Contours without the hidden ones: alpha is the line, colour the colour of its shape.
    pub ink: Pixmap,
    /// Red: nearness (0 = sky). Green: how rough the surface is. Blue: 255 where a subject is.
    pub field: Pixmap,
    /// The light everything is drawn in.
    pub light: Light,
    /// Nearness given to what is drawn next, 0..1.
    pub near: f32,
    /// Roughness given to what is drawn next, 0..1.
    pub rough: f32,
    /// Whether what is drawn next is a subject.
    pub subject: bool,
    /// Contour width in pixels for what is drawn next; 0 draws none.
    pub line: f32,
}

/// Converts to the rasteriser's colour; alpha in 0..1.
pub fn skia(colour: Rgb, alpha: f32) -> Color {
    let c = colour.clamp();
    Color::from_rgba(c.r, c.g, c.b, alpha.clamp(0.0, 1.0)).unwrap_or(Color::TRANSPARENT)
}

impl Canvas {
    /// An empty surface, or None when the rasteriser refuses the size.
    pub fn new(w: u32, h: u32, light: Light) -> Option<Canvas> {
        let mut field = Pixmap::new(w, h)?;
        field.fill(Color::BLACK);
        let mut colour = Pixmap::new(w, h)?;
        colour.fill(Color::BLACK);
        Some(Canvas {
            w,
            h,
            colour,
            ink: Pixmap::new(w, h)?,
            field,
            light,
            near: 0.0,
            rough: 0.3,
            subject: false,
            line: 0.0,
        })
    }

    /// Width and height as numbers to compute with.
    pub fn size(&self) -> (f32, f32) {
        (self.w as f32, self.h as f32)
    }

    /// A length that suits the picture whatever its shape: a hundredth of its smaller side, a little
    /// more when it is long.
    pub fn unit(&self) -> f32 {
        let (w, h) = self.size();
        let short = w.min(h);
        short.min((w * h).sqrt() * 0.9).max(short * 0.6) / 100.0
    }

    /// The colour as the scene's light shows it: (lit side, shaded side).
    pub fn lit(&self, colour: Rgb, finish: Finish) -> (Rgb, Rgb) {
        if finish == Finish::Glow {
            return (colour, colour);
        }
        // Subjects keep more of their own colour than the scenery, so that what was asked for is seen.
        let pull = if self.subject { 0.62 } else { 0.9 };
        let key = Rgb::WHITE.mix(self.light.key, pull);
        let shade = Rgb::WHITE.mix(self.light.shade, pull);
        let haze = self.light.haze_amount * (1.0 - self.near).powi(2);
        let fade = |c: Rgb| c.mix(self.light.haze, haze.clamp(0.0, 1.0)).clamp();
        let lit = colour.times(key).plus(self.light.key.scale(0.03));
        match finish {
            Finish::Flat => {
                let c = fade(colour.times(key.mix(shade, 0.35)));
                (c, c)
            }
            _ => (fade(lit.light(0.08)), fade(colour.times(shade).dark(0.16))),
        }
    }

    /// Fills a path given in pixels on all layers.
    pub fn fill(&mut self, path: &Path, colour: Rgb, alpha: f32, finish: Finish) {
        let b = path.bounds();
        if b.right() < 0.0
            || b.bottom() < 0.0
            || b.left() > self.w as f32
            || b.top() > self.h as f32
        {
            return;
        }
        let (lit, dim) = self.lit(colour, finish);
        let shader = self.shader(path, lit, dim, alpha, finish);
        self.fill_with(path, shader, alpha, colour);
    }

    /// Fills a path with a ready shader; `contour` colours its ink line.
    pub fn fill_with(&mut self, path: &Path, shader: Shader<'_>, alpha: f32, contour: Rgb) {
        let paint = Paint {
            shader,
            anti_alias: true,
            ..Paint::default()
        };
        let (rule, still) = (FillRule::Winding, Transform::identity());
        self.colour.fill_path(path, &paint, rule, still, None);
        if alpha < 0.55 {
            return;
        }
        let plain = |c: Color, mode: BlendMode| Paint {
            shader: Shader::SolidColor(c),
            blend_mode: mode,
            anti_alias: true,
            ..Paint::default()
        };
        let marks = Rgb::new(self.near, self.rough, if self.subject { 1.0 } else { 0.0 });
        let over = plain(skia(marks, 1.0), BlendMode::SourceOver);
        self.field.fill_path(path, &over, rule, still, None);
        let erase = plain(Color::BLACK, BlendMode::DestinationOut);
        self.ink.fill_path(path, &erase, rule, still, None);
        if self.line > 0.0 {
            let pen = plain(skia(contour, 1.0), BlendMode::SourceOver);
            let stroke = Stroke {
                width: self.line,
                line_cap: tiny_skia::LineCap::Round,
                line_join: tiny_skia::LineJoin::Round,
                ..Stroke::default()
            };
            self.ink.stroke_path(path, &pen, &stroke, still, None);
        }
    }

    /// Puts colour on the colour layer only: light, shadow, mist.
    pub fn veil(&mut self, path: &Path, shader: Shader<'_>, mode: BlendMode) {
        let paint = Paint {
            shader,
            blend_mode: mode,
            anti_alias: true,
            ..Paint::default()
        };
        self.colour
            .fill_path(path, &paint, FillRule::Winding, Transform::identity(), None);
    }

    /// A round glow on the colour layer, fading to nothing at `radius` pixels.
    pub fn glow(&mut self, x: f32, y: f32, radius: f32, colour: Rgb, alpha: f32) {
        let stops = vec![
            GradientStop::new(0.0, skia(colour, alpha)),
            GradientStop::new(0.25, skia(colour, alpha * 0.5)),
            GradientStop::new(0.6, skia(colour, alpha * 0.13)),
            GradientStop::new(1.0, skia(colour, 0.0)),
        ];
        self.radial(x, y, radius, stops, BlendMode::Screen);
    }

    /// A soft dark oval on the colour layer, as a shadow on the ground.
    pub fn shadow(&mut self, x: f32, y: f32, rx: f32, ry: f32, alpha: f32) {
        let ink = self.light.shade.scale(0.16);
        let stops = vec![
            GradientStop::new(0.0, skia(ink, alpha)),
            GradientStop::new(0.55, skia(ink, alpha * 0.7)),
            GradientStop::new(1.0, skia(ink, 0.0)),
        ];
        if rx <= 0.5 || ry <= 0.25 {
            return;
        }
        let squash = Transform::from_row(1.0, 0.0, 0.0, ry / rx, x, y);
        let centre = Point::from_xy(0.0, 0.0);
        let shader = RadialGradient::new(centre, 0.0, centre, rx, stops, SpreadMode::Pad, squash);
        let oval = tiny_skia::Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry)
            .and_then(tiny_skia::PathBuilder::from_oval);
        if let (Some(shader), Some(oval)) = (shader, oval) {
            self.veil(&oval, shader, BlendMode::SourceOver);
        }
    }

    fn radial(&mut self, x: f32, y: f32, r: f32, stops: Vec<GradientStop>, mode: BlendMode) {
        let centre = Point::from_xy(x, y);
        let still = Transform::identity();
        let shader = RadialGradient::new(centre, 0.0, centre, r, stops, SpreadMode::Pad, still);
        let disc = tiny_skia::PathBuilder::from_circle(x, y, r);
        if let (Some(shader), Some(disc)) = (shader, disc) {
            self.veil(&disc, shader, mode);
        }
    }

    fn shader(
        &self,
        path: &Path,
        lit: Rgb,
        dim: Rgb,
        alpha: f32,
        finish: Finish,
    ) -> Shader<'static> {
        let even = Shader::SolidColor(skia(lit, alpha));
        let b = path.bounds();
        let (cx, cy) = ((b.left() + b.right()) / 2.0, (b.top() + b.bottom()) / 2.0);
        let reach = (b.width().max(b.height()) / 2.0).max(0.5);
        let (lx, ly) = self.light.from;
        let still = Transform::identity();
        let made = match finish {
            Finish::Flat | Finish::Glow => None,
            Finish::Round => {
                let mid = lit.mix(dim, 0.35);
                let stops = vec![
                    GradientStop::new(0.0, skia(lit.light(0.14), alpha)),
                    GradientStop::new(0.38, skia(lit, alpha)),
                    GradientStop::new(0.72, skia(mid, alpha)),
                    GradientStop::new(1.0, skia(dim, alpha)),
                ];
                // The gradient is stretched to the shape's own box, so long forms bulge lengthwise.
                let (rx, ry) = (b.width().max(1.0) / 2.0, b.height().max(1.0) / 2.0);
                let stretch = Transform::from_row(rx, 0.0, 0.0, ry, cx, cy);
                let spot = Point::from_xy(lx * 0.42, ly * 0.42);
                RadialGradient::new(spot, 0.0, spot, 1.5, stops, SpreadMode::Pad, stretch)
            }
            Finish::Slope => {
                let from = Point::from_xy(cx + lx * reach, cy + ly * reach);
                let to = Point::from_xy(cx - lx * reach, cy - ly * reach);
                let stops = vec![
                    GradientStop::new(0.0, skia(lit, alpha)),
                    GradientStop::new(1.0, skia(dim, alpha)),
                ];
                LinearGradient::new(from, to, stops, SpreadMode::Pad, still)
            }
        };
        made.unwrap_or(even)
    }
}

impl Canvas {
    /// Sets every pixel of the rows `from..to` on the colour layer from its position.
    pub fn paint(&mut self, from: f32, to: f32, mut tone: impl FnMut(f32, f32, Rgb) -> Rgb) {
        let w = self.w as usize;
        let last = f32::from(u16::MAX).min(self.h as f32);
        let rows = from.clamp(0.0, last) as usize..to.clamp(0.0, last) as usize;
        let bytes = self.colour.data_mut();
        for y in rows {
            for x in 0..w {
                let at = (y * w + x) * 4;
                let [r, g, b] = [0, 1, 2].map(|k| f32::from(bytes[at + k]) / 255.0);
                let [r, g, b] = tone(x as f32, y as f32, Rgb::new(r, g, b)).bytes();
                bytes[at..at + 4].copy_from_slice(&[r, g, b, 255]);
            }
        }
    }

    /// Marks the rows from `from` down as lying at a nearness that grows to the bottom edge.
    pub fn recede(&mut self, from: f32, far: f32, near: f32, rough: f32) {
        let (w, h) = (self.w as usize, self.h as usize);
        let first = from.clamp(0.0, h as f32) as usize;
        let bytes = self.field.data_mut();
        for y in first..h {
            let t = (y as f32 - from) / (h as f32 - from).max(1.0);
            let [r, g, _] = Rgb::new(far + (near - far) * t, rough, 0.0).bytes();
            for pixel in bytes[y * w * 4..(y + 1) * w * 4].chunks_exact_mut(4) {
                pixel.copy_from_slice(&[r, g, 0, 255]);
            }
        }
    }

    /// Mirrors what stands above the waterline into the water below it, broken by ripples.
    pub fn reflect(&mut self, line: f32, water: Rgb, strength: f32, seed: u32) {
        let (w, h) = (self.w as i32, self.h as i32);
        let top = line.clamp(0.0, h as f32) as i32;
        let source = self.colour.clone();
        let unit = self.unit();
        let depth = (self.h as f32 - line).max(1.0);
        self.paint(line, h as f32, |x, y, under| {
            let d = (y - line) / depth;
            let near = 0.15 + d * 1.6;
            let ripple =
                super::noise::fbm(x / (unit * 9.0 * near), y / (unit * 1.1 * near), 3, seed) - 0.5;
            let sx = ((x + ripple * unit * 7.0 * near) as i32).clamp(0, w - 1);
            // The mirror image is squeezed a little, as the eye is above the water.
            let sy = ((2.0 * line - y * 1.0) as i32 - (ripple * unit * 10.0 * d) as i32)
                .clamp(0, top.max(1) - 1);
            let p = source.pixel(sx as u32, sy as u32).map_or(Rgb::BLACK, |p| {
                Rgb::new(
                    f32::from(p.red()),
                    f32::from(p.green()),
                    f32::from(p.blue()),
                )
                .scale(1.0 / 255.0)
            });
            let base = under.mix(water, 0.25 + 0.5 * d);
            let glint = (ripple - 0.17).max(0.0) * 2.2;
            base.mix(p, strength * (1.0 - d * 0.7))
                .light(glint.min(0.5))
        });
    }
}

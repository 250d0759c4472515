//! A pen in a subject's own coordinates: x and y from -1 to 1, y downwards, the ground at y = 1.
//! Turns points into paths on the canvas; knows no subject.

use tiny_skia::{LineCap, LineJoin, Path, PathBuilder, Point, Stroke, Transform};

use super::canvas::{Canvas, Finish};
use super::noise::Rng;
use super::palette::Rgb;

/// Draws on a canvas through a local frame.
pub struct Pen<'a> {
    /// The surface.
    pub canvas: &'a mut Canvas,
    frame: Transform,
    /// Colours asked for, in order; the first replaces the subject's main colour.
    pub tints: Vec<Rgb>,
    /// Chance, the same for the same subject in the same commission.
    pub rng: Rng,
    /// Opacity of everything drawn, 0..1.
    pub alpha: f32,
    /// True while drawing a mirror image, which takes no glow.
    pub mirrored: bool,
}

impl<'a> Pen<'a> {
    /// A pen whose box is centred on (`x`, `y`) with half-size `scale`, all in pixels.
    pub fn new(canvas: &'a mut Canvas, x: f32, y: f32, scale: f32, rng: Rng) -> Pen<'a> {
        let frame = Transform::from_row(scale, 0.0, 0.0, scale, x, y);
        Pen {
            canvas,
            frame,
            tints: Vec::new(),
            rng,
            alpha: 1.0,
            mirrored: false,
        }
    }

    /// Flips left and right.
    pub fn flip(&mut self) {
        self.frame = self.frame.pre_scale(-1.0, 1.0);
    }

    /// Flips top and bottom around local `y` and squeezes the image, as water seen from above does.
    pub fn mirror(&mut self, y: f32) {
        let squeeze = 0.34;
        self.frame = self
            .frame
            .pre_translate(0.0, y * (1.0 + squeeze))
            .pre_scale(1.0, -squeeze);
        self.mirrored = true;
    }

    /// The colour asked for, or the subject's usual one.
    pub fn main(&self, usual: Rgb) -> Rgb {
        self.tints.first().copied().unwrap_or(usual)
    }

    /// The second colour asked for, or the usual one.
    pub fn second(&self, usual: Rgb) -> Rgb {
        self.tints.get(1).copied().unwrap_or(usual)
    }

    /// How strongly lamps shine now, 0.25 by day to 1 at night.
    pub fn shine(&self) -> f32 {
        0.25 + 0.75 * self.canvas.light.night
    }

    /// Pixels per local unit.
    pub fn scale(&self) -> f32 {
        let f = self.frame;
        (f.sx * f.sx + f.ky * f.ky).sqrt()
    }

    /// Draws inside a nested frame: moved by (`dx`, `dy`), scaled, then turned by degrees.
    pub fn within(
        &mut self,
        (dx, dy): (f32, f32),
        scale: f32,
        degrees: f32,
        draw: impl FnOnce(&mut Pen<'_>),
    ) {
        let outer = self.frame;
        self.frame = outer
            .pre_translate(dx, dy)
            .pre_scale(scale, scale)
            .pre_rotate(degrees);
        draw(self);
        self.frame = outer;
    }

    /// Fills an arbitrary local path.
    pub fn fill(&mut self, path: Option<Path>, colour: Rgb, finish: Finish) {
        if let Some(path) = path.and_then(|p| p.transform(self.frame)) {
            self.canvas.fill(&path, colour, self.alpha, finish);
        }
    }

    /// As [`Pen::fill`] with an opacity of its own.
    pub fn wash(&mut self, path: Option<Path>, colour: Rgb, alpha: f32, finish: Finish) {
        let whole = self.alpha;
        self.alpha = whole * alpha;
        self.fill(path, colour, finish);
        self.alpha = whole;
    }

    /// An upright ellipse.
    pub fn oval(&mut self, x: f32, y: f32, rx: f32, ry: f32, colour: Rgb) {
        self.fill(oval(x, y, rx, ry), colour, Finish::Round);
    }

    /// An ellipse turned by degrees.
    pub fn leaf(&mut self, (x, y): (f32, f32), rx: f32, ry: f32, degrees: f32, colour: Rgb) {
        self.within((x, y), 1.0, degrees, |p| p.oval(0.0, 0.0, rx, ry, colour));
    }

    /// A flat disc without shading, for eyes and dots.
    pub fn dot(&mut self, x: f32, y: f32, r: f32, colour: Rgb) {
        self.fill(oval(x, y, r, r), colour, Finish::Flat);
    }

    /// A straight-edged shape.
    pub fn poly(&mut self, points: &[(f32, f32)], colour: Rgb) {
        self.fill(poly(points), colour, Finish::Slope);
    }

    /// A straight-edged shape in one even colour.
    pub fn flat(&mut self, points: &[(f32, f32)], colour: Rgb) {
        self.fill(poly(points), colour, Finish::Flat);
    }

    /// A smooth closed shape through the points.
    pub fn blob(&mut self, points: &[(f32, f32)], colour: Rgb) {
        self.fill(smooth(points, true), colour, Finish::Round);
    }

    /// A rectangle from corner to corner.
    pub fn rect(&mut self, x0: f32, y0: f32, x1: f32, y1: f32, colour: Rgb) {
        self.poly(&[(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour);
    }

    /// A rectangle with rounded corners.
    pub fn rounded(&mut self, (x0, y0): (f32, f32), (x1, y1): (f32, f32), r: f32, colour: Rgb) {
        self.fill(rounded(x0, y0, x1, y1, r), colour, Finish::Slope);
    }

    /// A window or lamp: dull glass by day, a shining pane at night.
    pub fn pane(&mut self, x0: f32, y0: f32, x1: f32, y1: f32) {
        let night = self.canvas.light.night;
        let glass = Rgb::hex(0x7fa3b8).mix(Rgb::hex(0xffd37a), night);
        let finish = if night > 0.3 {
            Finish::Glow
        } else {
            Finish::Slope
        };
        self.fill(
            poly(&[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]),
            glass,
            finish,
        );
        if night > 0.3 {
            let r = ((x1 - x0).abs() + (y1 - y0).abs()) * 1.1;
            self.glow(
                (x0 + x1) / 2.0,
                (y0 + y1) / 2.0,
                r,
                Rgb::hex(0xffb347),
                0.4 * night,
            );
        }
    }

    /// A smooth line of even width through the points.
    pub fn curve(&mut self, points: &[(f32, f32)], width: f32, colour: Rgb) {
        self.stroke(smooth(points, false), width, colour, LineCap::Round);
    }

    /// A straight-edged line of even width through the points.
    pub fn line(&mut self, points: &[(f32, f32)], width: f32, colour: Rgb) {
        let mut b = PathBuilder::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            if i == 0 {
                b.move_to(x, y)
            } else {
                b.line_to(x, y)
            }
        }
        self.stroke(b.finish(), width, colour, LineCap::Round);
    }

    /// A ring.
    pub fn ring(&mut self, x: f32, y: f32, r: f32, width: f32, colour: Rgb) {
        self.stroke(oval(x, y, r, r), width, colour, LineCap::Butt);
    }

    /// An arc of a circle from degree to degree (0 = right, clockwise).
    pub fn arc(&mut self, (x, y): (f32, f32), r: f32, (from, to): (f32, f32), width: f32, c: Rgb) {
        let points: Vec<_> = (0..=12)
            .map(|i| {
                let a = (from + (to - from) * i as f32 / 12.0).to_radians();
                (x + r * a.cos(), y + r * a.sin())
            })
            .collect();
        self.curve(&points, width, c);
    }

    /// A line whose width runs from `w0` to `w1`: tails, horns, trunks.
    pub fn taper(&mut self, points: &[(f32, f32)], w0: f32, w1: f32, colour: Rgb) {
        if points.len() < 2 {
            return;
        }
        let last = points.len() - 1;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for i in 0..=last {
            let (a, b) = (points[i.saturating_sub(1)], points[(i + 1).min(last)]);
            let (dx, dy) = (b.0 - a.0, b.1 - a.1);
            let n = (dx * dx + dy * dy).sqrt().max(1e-4);
            let half = (w0 + (w1 - w0) * i as f32 / last as f32) / 2.0;
            left.push((points[i].0 - dy / n * half, points[i].1 + dx / n * half));
            right.push((points[i].0 + dy / n * half, points[i].1 - dx / n * half));
        }
        left.extend(right.into_iter().rev());
        self.blob(&left, colour);
    }

    /// A glow around a lamp or fire.
    pub fn glow(&mut self, x: f32, y: f32, r: f32, colour: Rgb, alpha: f32) {
        if self.mirrored {
            return;
        }
        let mut at = Point::from_xy(x, y);
        self.frame.map_point(&mut at);
        let radius = r * self.scale();
        self.canvas
            .glow(at.x, at.y, radius, colour, alpha * self.alpha);
    }

    /// A shadow on the ground under the subject.
    pub fn ground(&mut self, x: f32, y: f32, rx: f32) {
        let mut at = Point::from_xy(x, y);
        self.frame.map_point(&mut at);
        let (rx, alpha) = (rx * self.scale(), 0.55 * self.alpha);
        let lean = -self.canvas.light.from.0 * rx * 0.25;
        if !self.mirrored {
            self.canvas.shadow(at.x + lean, at.y, rx, rx * 0.17, alpha);
        }
    }

    fn stroke(&mut self, path: Option<Path>, width: f32, colour: Rgb, cap: LineCap) {
        let stroke = Stroke {
            width: width.max(0.001),
            line_cap: cap,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        let outline = path.and_then(|p| p.stroke(&stroke, self.scale()));
        self.fill(outline, colour, Finish::Slope);
    }
}

/// The path of an ellipse.
pub fn oval(x: f32, y: f32, rx: f32, ry: f32) -> Option<Path> {
    tiny_skia::Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry).and_then(PathBuilder::from_oval)
}

/// The path of a polygon.
pub fn poly(points: &[(f32, f32)]) -> Option<Path> {
    let mut b = PathBuilder::new();
    for (i, &(x, y)) in points.iter().enumerate() {
        if i == 0 {
            b.move_to(x, y)
        } else {
            b.line_to(x, y)
        }
    }
    b.close();
    b.finish()
}

/// A smooth path through the points (Catmull-Rom), closed or open.
pub fn smooth(points: &[(f32, f32)], closed: bool) -> Option<Path> {
    let n = points.len();
    if n < 2 {
        return None;
    }
    let at = |i: isize| {
        if closed {
            points[i.rem_euclid(n as isize) as usize]
        } else {
            points[i.clamp(0, n as isize - 1) as usize]
        }
    };
    let mut b = PathBuilder::new();
    b.move_to(points[0].0, points[0].1);
    let segments = if closed { n } else { n - 1 };
    for i in 0..segments as isize {
        let (p0, p1, p2, p3) = (at(i - 1), at(i), at(i + 1), at(i + 2));
        b.cubic_to(
            p1.0 + (p2.0 - p0.0) / 6.0,
            p1.1 + (p2.1 - p0.1) / 6.0,
            p2.0 - (p3.0 - p1.0) / 6.0,
            p2.1 - (p3.1 - p1.1) / 6.0,
            p2.0,
            p2.1,
        );
    }
    if closed {
        b.close();
    }
    b.finish()
}

/// The path of a rectangle with rounded corners.
pub fn rounded(x0: f32, y0: f32, x1: f32, y1: f32, r: f32) -> Option<Path> {
    let mut b = PathBuilder::new();
    b.move_to(x0 + r, y0);
    b.line_to(x1 - r, y0);
    b.quad_to(x1, y0, x1, y0 + r);
    b.line_to(x1, y1 - r);
    b.quad_to(x1, y1, x1 - r, y1);
    b.line_to(x0 + r, y1);
    b.quad_to(x0, y1, x0, y1 - r);
    b.line_to(x0, y0 + r);
    b.quad_to(x0, y0, x0 + r, y0);
    b.close();
    b.finish()
}

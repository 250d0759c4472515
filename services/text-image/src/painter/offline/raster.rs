//! Pictures as arrays of numbers, and the filters styles are made of. Knows no scene.

use tiny_skia::Pixmap;

use super::palette::Rgb;

/// One number per pixel.
#[derive(Clone)]
pub struct Plane {
    /// Width in pixels.
    pub w: usize,
    /// Height in pixels.
    pub h: usize,
    /// Rows, top to bottom.
    pub v: Vec<f32>,
}

/// One colour per pixel.
#[derive(Clone)]
pub struct Image {
    /// Width in pixels.
    pub w: usize,
    /// Height in pixels.
    pub h: usize,
    /// Rows, top to bottom.
    pub v: Vec<Rgb>,
}

impl Plane {
    /// One channel (0 red … 3 alpha) of a pixmap, 0..1.
    pub fn channel(map: &Pixmap, channel: usize) -> Plane {
        let v = map
            .data()
            .chunks_exact(4)
            .map(|p| f32::from(p[channel]) / 255.0)
            .collect();
        Plane {
            w: map.width() as usize,
            h: map.height() as usize,
            v,
        }
    }

    /// The value at a pixel, the border repeated outwards.
    pub fn at(&self, x: i32, y: i32) -> f32 {
        let x = x.clamp(0, self.w as i32 - 1) as usize;
        let y = y.clamp(0, self.h as i32 - 1) as usize;
        self.v[y * self.w + x]
    }

    /// Two box blurs of this radius: close to a bell.
    pub fn blurred(&self, radius: f32) -> Plane {
        let r = radius.round().max(1.0) as usize;
        let mut v = self.v.clone();
        let mut turned = vec![0.0; v.len()];
        for _ in 0..2 {
            smear(&v, &mut turned, self.w, self.h, r);
            smear(&turned, &mut v, self.h, self.w, r);
        }
        Plane {
            w: self.w,
            h: self.h,
            v,
        }
    }
}

/// Box-blurs the rows of `from` (w by h) and writes the result transposed, so that twice is both ways.
fn smear(from: &[f32], to: &mut [f32], w: usize, h: usize, r: usize) {
    /// Rows worked on together: their results lie side by side, so the transposed writes fill whole
    /// cache lines instead of touching one number in each.
    const LANES: usize = 16;
    let scale = 1.0 / (2 * r + 1) as f32;
    let column = |i: isize| i.clamp(0, w as isize - 1) as usize;
    let reach = r as isize;
    for first in (0..h).step_by(LANES) {
        let lanes = LANES.min(h - first);
        let mut sums = [0.0f64; LANES];
        for (lane, sum) in sums.iter_mut().enumerate().take(lanes) {
            let row = &from[(first + lane) * w..(first + lane + 1) * w];
            *sum = (-reach..=reach).map(|i| f64::from(row[column(i)])).sum();
        }
        for x in 0..w {
            let (next, last) = (column(x as isize + reach + 1), column(x as isize - reach));
            let out = &mut to[x * h + first..x * h + first + lanes];
            for (lane, (slot, sum)) in out.iter_mut().zip(&mut sums).enumerate() {
                *slot = *sum as f32 * scale;
                let row = (first + lane) * w;
                *sum += f64::from(from[row + next]) - f64::from(from[row + last]);
            }
        }
    }
}

impl Image {
    /// The colours of a pixmap without its alpha.
    pub fn of(map: &Pixmap) -> Image {
        let v = map
            .data()
            .chunks_exact(4)
            .map(|p| Rgb::new(f32::from(p[0]), f32::from(p[1]), f32::from(p[2])).scale(1.0 / 255.0))
            .collect();
        Image {
            w: map.width() as usize,
            h: map.height() as usize,
            v,
        }
    }

    /// The colour at a pixel, the border repeated outwards.
    pub fn at(&self, x: i32, y: i32) -> Rgb {
        let x = x.clamp(0, self.w as i32 - 1) as usize;
        let y = y.clamp(0, self.h as i32 - 1) as usize;
        self.v[y * self.w + x]
    }

    /// The colour between pixels.
    pub fn sample(&self, x: f32, y: f32) -> Rgb {
        let (fx, fy) = (x.floor(), y.floor());
        let (ix, iy) = (fx as i32, fy as i32);
        let (tx, ty) = (x - fx, y - fy);
        let top = self.at(ix, iy).mix(self.at(ix + 1, iy), tx);
        let low = self.at(ix, iy + 1).mix(self.at(ix + 1, iy + 1), tx);
        top.mix(low, ty)
    }

    /// Every channel blurred as [`Plane::blurred`].
    pub fn blurred(&self, radius: f32) -> Image {
        let part = |f: fn(&Rgb) -> f32| {
            Plane {
                w: self.w,
                h: self.h,
                v: self.v.iter().map(f).collect(),
            }
            .blurred(radius)
            .v
        };
        let (r, g, b) = (part(|c| c.r), part(|c| c.g), part(|c| c.b));
        let v = r
            .into_iter()
            .zip(g)
            .zip(b)
            .map(|((r, g), b)| Rgb::new(r, g, b))
            .collect();
        Image {
            w: self.w,
            h: self.h,
            v,
        }
    }

    /// The brightness of every pixel.
    pub fn luma(&self) -> Plane {
        Plane {
            w: self.w,
            h: self.h,
            v: self.v.iter().map(|c| c.luma()).collect(),
        }
    }

    /// Averaged down to at most `long` pixels on the long side.
    pub fn reduced(&self, long: usize) -> Image {
        let side = self.w.max(self.h);
        if side <= long {
            return self.clone();
        }
        let scale = |n: usize| (n * long / side).max(1);
        let (w, h) = (scale(self.w), scale(self.h));
        let mut v = Vec::with_capacity(w * h);
        for y in 0..h {
            let (y0, y1) = (
                y * self.h / h,
                ((y + 1) * self.h / h).max(y * self.h / h + 1),
            );
            for x in 0..w {
                let (x0, x1) = (
                    x * self.w / w,
                    ((x + 1) * self.w / w).max(x * self.w / w + 1),
                );
                let mut sum = Rgb::BLACK;
                for row in y0..y1 {
                    for c in &self.v[row * self.w + x0..row * self.w + x1] {
                        sum = sum.plus(*c);
                    }
                }
                v.push(sum.scale(1.0 / ((y1 - y0) * (x1 - x0)) as f32));
            }
        }
        Image { w, h, v }
    }

    /// Tightly packed bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.v.iter().flat_map(|c| c.bytes()).collect()
    }
}

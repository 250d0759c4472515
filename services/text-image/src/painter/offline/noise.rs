//! Seeded randomness: integer hashes, value noise and a small generator. Knows nothing of pictures,
//! and uses only arithmetic that rounds the same way everywhere.

/// Mixes a 64-bit value until every bit depends on every other.
pub fn mix64(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A stable hash of a text (FNV-1a, then mixed).
pub fn hash_text(text: &str) -> u64 {
    let folded = text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix64(folded)
}

/// The hash of a lattice point, in 0..1.
pub fn lattice(x: i32, y: i32, seed: u32) -> f32 {
    let mut h = (x as u32).wrapping_mul(0x9e37_79b1)
        ^ (y as u32).wrapping_mul(0x85eb_ca6b)
        ^ seed.wrapping_mul(0xc2b2_ae35);
    h ^= h >> 15;
    h = h.wrapping_mul(0x2c1b_3c6d);
    h ^= h >> 12;
    h = h.wrapping_mul(0x297a_2d39);
    h ^= h >> 15;
    (h >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Smooth value noise in 0..1, one feature per unit.
pub fn value(x: f32, y: f32, seed: u32) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let (ix, iy) = (fx as i32, fy as i32);
    let (tx, ty) = (x - fx, y - fy);
    let sx = tx * tx * (3.0 - 2.0 * tx);
    let sy = ty * ty * (3.0 - 2.0 * ty);
    let (nx, ny) = (ix.wrapping_add(1), iy.wrapping_add(1));
    let a = lattice(ix, iy, seed);
    let b = lattice(nx, iy, seed);
    let c = lattice(ix, ny, seed);
    let d = lattice(nx, ny, seed);
    let top = a + (b - a) * sx;
    let low = c + (d - c) * sx;
    top + (low - top) * sy
}

/// Fractal noise in about 0..1: `octaves` layers of value noise, each twice as fine.
pub fn fbm(x: f32, y: f32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut gain, mut total) = (0.0, 0.5, 0.0);
    let (mut px, mut py) = (x, y);
    for octave in 0..octaves {
        sum += gain * value(px, py, seed.wrapping_add(octave.wrapping_mul(101)));
        total += gain;
        gain *= 0.5;
        // The rotation hides the grid that plain doubling leaves visible.
        (px, py) = (px * 1.6 - py * 1.2 + 3.7, px * 1.2 + py * 1.6 + 1.3);
    }
    if total > 0.0 { sum / total } else { 0.0 }
}

/// A small deterministic generator (splitmix64).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator whose whole sequence follows from the seed.
    pub fn new(seed: u64) -> Self {
        Rng(mix64(seed ^ 0x5851_f42d_4c95_7f2d))
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix64(self.0)
    }

    /// The next number in 0..1.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 * (1.0 / 16_777_216.0)
    }

    /// The next number in `low..high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// The next whole number in `0..n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 {
            0
        } else {
            (self.bits() % n as u64) as usize
        }
    }

    /// True once in `1/p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }
}

//! Colour as three numbers, and the arithmetic painters do with it. Chooses no colours itself.

/// A colour in sRGB, each channel nominally 0..1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rgb {
    /// Red.
    pub r: f32,
    /// Green.
    pub g: f32,
    /// Blue.
    pub b: f32,
}

/// Shorthand for [`Rgb::hex`].
pub const fn hex(value: u32) -> Rgb {
    Rgb::hex(value)
}

impl Rgb {
    /// White.
    pub const WHITE: Rgb = Rgb::hex(0xffffff);
    /// Black.
    pub const BLACK: Rgb = Rgb::hex(0x000000);

    /// A colour from its channels.
    pub const fn new(r: f32, g: f32, b: f32) -> Rgb {
        Rgb { r, g, b }
    }

    /// A colour from `0xRRGGBB`.
    pub const fn hex(value: u32) -> Rgb {
        Rgb {
            r: ((value >> 16) & 255) as f32 / 255.0,
            g: ((value >> 8) & 255) as f32 / 255.0,
            b: (value & 255) as f32 / 255.0,
        }
    }

    /// Hue in turns, saturation and lightness in 0..1.
    pub fn hsl(hue: f32, saturation: f32, lightness: f32) -> Rgb {
        let h = (hue - hue.floor()) * 6.0;
        let chroma = (1.0 - (2.0 * lightness - 1.0).abs()) * saturation;
        let second = chroma * (1.0 - (h - 2.0 * (h / 2.0).floor() - 1.0).abs());
        let base = lightness - chroma / 2.0;
        let (r, g, b) = match h as u32 {
            0 => (chroma, second, 0.0),
            1 => (second, chroma, 0.0),
            2 => (0.0, chroma, second),
            3 => (0.0, second, chroma),
            4 => (second, 0.0, chroma),
            _ => (chroma, 0.0, second),
        };
        Rgb::new(r + base, g + base, b + base)
    }

    /// The inverse of [`Rgb::hsl`].
    pub fn to_hsl(self) -> (f32, f32, f32) {
        let high = self.r.max(self.g).max(self.b);
        let low = self.r.min(self.g).min(self.b);
        let l = (high + low) / 2.0;
        let d = high - low;
        if d < 1e-5 {
            return (0.0, 0.0, l);
        }
        let s = d / (1.0 - (2.0 * l - 1.0).abs()).max(1e-4);
        let h = if high == self.r {
            (self.g - self.b) / d
        } else if high == self.g {
            (self.b - self.r) / d + 2.0
        } else {
            (self.r - self.g) / d + 4.0
        } / 6.0;
        (h - h.floor(), s.min(1.0), l)
    }

    /// From this colour (`t` = 0) to the other (`t` = 1).
    pub fn mix(self, other: Rgb, t: f32) -> Rgb {
        Rgb::new(
            self.r + (other.r - self.r) * t,
            self.g + (other.g - self.g) * t,
            self.b + (other.b - self.b) * t,
        )
    }

    /// Towards white by `t`.
    pub fn light(self, t: f32) -> Rgb {
        self.mix(Rgb::WHITE, t)
    }

    /// Towards a deep version of itself by `t`, a little cooler, as shadows are.
    pub fn dark(self, t: f32) -> Rgb {
        self.mix(
            Rgb::new(self.r * 0.08, self.g * 0.08, self.b * 0.16 + 0.03),
            t,
        )
    }

    /// Channel by channel product.
    pub fn times(self, other: Rgb) -> Rgb {
        Rgb::new(self.r * other.r, self.g * other.g, self.b * other.b)
    }

    /// Every channel times `k`.
    pub fn scale(self, k: f32) -> Rgb {
        Rgb::new(self.r * k, self.g * k, self.b * k)
    }

    /// Channel by channel sum.
    pub fn plus(self, other: Rgb) -> Rgb {
        Rgb::new(self.r + other.r, self.g + other.g, self.b + other.b)
    }

    /// Every channel held to 0..1.
    pub fn clamp(self) -> Rgb {
        Rgb::new(
            self.r.clamp(0.0, 1.0),
            self.g.clamp(0.0, 1.0),
            self.b.clamp(0.0, 1.0),
        )
    }

    /// Perceived brightness, 0..1.
    pub fn luma(self) -> f32 {
        0.299 * self.r + 0.587 * self.g + 0.114 * self.b
    }

    /// Saturation times `k`: below 1 greyer, above 1 stronger.
    pub fn vivid(self, k: f32) -> Rgb {
        let y = self.luma();
        Rgb::new(y, y, y).mix(self, k).clamp()
    }

    /// The hue turned by a part of a full turn.
    pub fn turn(self, turns: f32) -> Rgb {
        let (h, s, l) = self.to_hsl();
        Rgb::hsl(h + turns, s, l)
    }

    /// Squared distance to another colour.
    pub fn distance2(self, other: Rgb) -> f32 {
        let (r, g, b) = (self.r - other.r, self.g - other.g, self.b - other.b);
        0.30 * r * r + 0.55 * g * g + 0.15 * b * b
    }

    /// The three bytes, rounded.
    pub fn bytes(self) -> [u8; 3] {
        [self.r, self.g, self.b].map(|v| (v.clamp(0.0, 1.0) * 255.0 + 0.5) as u8)
    }
}

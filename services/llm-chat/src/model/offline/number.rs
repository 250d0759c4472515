//! Exact fractions that give way to floating point when they outgrow it; it reads and writes figures, no sentences.

/// A number: exact as long as numerator and denominator fit, approximate after that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// Numerator and positive denominator, without a common factor.
    Exact(i128, i128),
    About(f64),
}

impl Number {
    /// A whole number.
    pub(super) fn whole(value: i128) -> Self {
        Self::Exact(value, 1)
    }

    fn ratio(top: i128, bottom: i128) -> Option<Self> {
        if bottom == 0 || top == i128::MIN || bottom == i128::MIN {
            return None;
        }
        let divisor = common(top.unsigned_abs(), bottom.unsigned_abs()).max(1);
        let divisor = i128::try_from(divisor).ok()?;
        let sign = if bottom < 0 { -1 } else { 1 };
        Some(Self::Exact(sign * top / divisor, sign * bottom / divisor))
    }

    /// Reads "1,234.5" (English) figures; at most thirty digits.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        if whole.contains(',') {
            let mut groups = whole.split(',');
            let first = groups.next()?;
            if first.is_empty() || first.len() > 3 || groups.any(|group| group.len() != 3) {
                return None;
            }
        }
        let digits: String = whole
            .chars()
            .chain(part.chars())
            .filter(|c| *c != ',')
            .collect();
        if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let top = digits.parse().ok()?;
        let bottom = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
        Self::ratio(top, bottom)
    }

    /// As floating point.
    pub(super) fn float(self) -> f64 {
        match self {
            Self::Exact(top, bottom) => top as f64 / bottom as f64,
            Self::About(value) => value,
        }
    }

    /// The whole number it is, if it is one.
    pub(super) fn as_whole(self) -> Option<i128> {
        match self {
            Self::Exact(top, 1) => Some(top),
            _ => None,
        }
    }

    fn both(
        self,
        other: Self,
        exact: impl Fn(i128, i128, i128, i128) -> Option<Self>,
        about: impl Fn(f64, f64) -> f64,
    ) -> Option<Self> {
        if let (Self::Exact(a, b), Self::Exact(c, d)) = (self, other)
            && let Some(found) = exact(a, b, c, d)
        {
            return Some(found);
        }
        let value = about(self.float(), other.float());
        value.is_finite().then_some(Self::About(value))
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        self.both(
            other,
            |a, b, c, d| {
                Self::ratio(
                    a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?,
                    b.checked_mul(d)?,
                )
            },
            |a, b| a + b,
        )
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated())
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        self.both(
            other,
            |a, b, c, d| Self::ratio(a.checked_mul(c)?, b.checked_mul(d)?),
            |a, b| a * b,
        )
    }

    /// Nothing when `other` is zero.
    pub(super) fn over(self, other: Self) -> Option<Self> {
        if other.float() == 0.0 {
            return None;
        }
        self.both(
            other,
            |a, b, c, d| Self::ratio(a.checked_mul(d)?, b.checked_mul(c)?),
            |a, b| a / b,
        )
    }

    /// What is left of whole-number division, with the sign of the divisor's multiples below.
    pub(super) fn modulo(self, other: Self) -> Option<Self> {
        let (a, b) = (self.as_whole()?, other.as_whole()?);
        a.checked_rem_euclid(b).map(Self::whole)
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Exact(top, bottom) => Self::Exact(top.checked_neg().unwrap_or(i128::MAX), bottom),
            Self::About(value) => Self::About(-value),
        }
    }

    pub(super) fn power(self, exponent: Self) -> Option<Self> {
        if let (Self::Exact(top, bottom), Some(times)) = (self, exponent.as_whole()) {
            let size = u32::try_from(times.unsigned_abs()).ok()?;
            if let (Some(a), Some(b)) = (top.checked_pow(size), bottom.checked_pow(size)) {
                return if times >= 0 {
                    Self::ratio(a, b)
                } else {
                    Self::ratio(b, a)
                };
            }
        }
        let value = self.float().powf(exponent.float());
        value.is_finite().then_some(Self::About(value))
    }

    /// The square root, exact when the number is a square; nothing below zero.
    pub(super) fn root(self) -> Option<Self> {
        if self.float() < 0.0 {
            return None;
        }
        if let Self::Exact(top, bottom) = self {
            let (a, b) = (top.unsigned_abs().isqrt(), bottom.unsigned_abs().isqrt());
            if a * a == top.unsigned_abs() && b * b == bottom.unsigned_abs() {
                return Self::ratio(i128::try_from(a).ok()?, i128::try_from(b).ok()?);
            }
        }
        Some(Self::About(self.float().sqrt()))
    }

    /// Whether [`Number::show`] has to round.
    pub(super) fn rounded(self) -> bool {
        match self {
            Self::Exact(_, bottom) => {
                let mut rest = bottom;
                while rest % 2 == 0 {
                    rest /= 2;
                }
                while rest % 5 == 0 {
                    rest /= 5;
                }
                rest != 1 || bottom > 1_000_000
            }
            Self::About(_) => true,
        }
    }

    /// In figures: thousands separated, at most six decimals.
    pub(super) fn show(self) -> String {
        if let Some(whole) = self.as_whole() {
            return grouped(&whole.to_string());
        }
        let value = self.float();
        if value != 0.0 && (value.abs() >= 1e15 || value.abs() < 1e-4) {
            return format!("{value:.6e}").replace('e', " × 10^");
        }
        let decimals = if value.abs() < 0.01 { 8 } else { 6 };
        let text = format!("{value:.decimals$}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let whole = grouped(whole);
        if part.is_empty() {
            whole
        } else {
            format!("{whole}.{part}")
        }
    }
}

fn common(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits), |rest| ("-", rest));
    // Four figures read better unbroken, and years do not get commas.
    if digits.len() <= 4 {
        return format!("{sign}{digits}");
    }
    let mut text = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The number a word of English or Spanish names, and whether it multiplies what came before ("hundred").
pub(super) fn named(word: &str) -> Option<(i128, bool)> {
    const SMALL: &[(&str, i128)] = &[
        ("zero", 0),
        ("one", 1),
        ("two", 2),
        ("three", 3),
        ("four", 4),
        ("five", 5),
        ("six", 6),
        ("seven", 7),
        ("eight", 8),
        ("nine", 9),
        ("ten", 10),
        ("eleven", 11),
        ("twelve", 12),
        ("thirteen", 13),
        ("fourteen", 14),
        ("fifteen", 15),
        ("sixteen", 16),
        ("seventeen", 17),
        ("eighteen", 18),
        ("nineteen", 19),
        ("twenty", 20),
        ("thirty", 30),
        ("forty", 40),
        ("fifty", 50),
        ("sixty", 60),
        ("seventy", 70),
        ("eighty", 80),
        ("ninety", 90),
        ("cero", 0),
        ("uno", 1),
        ("dos", 2),
        ("tres", 3),
        ("cuatro", 4),
        ("cinco", 5),
        ("seis", 6),
        ("siete", 7),
        ("ocho", 8),
        ("nueve", 9),
        ("diez", 10),
        ("once", 11),
        ("doce", 12),
        ("quince", 15),
        ("veinte", 20),
        ("treinta", 30),
        ("cuarenta", 40),
        ("cincuenta", 50),
        ("dozen", 12),
        ("cien", 100),
        ("mil", 1000),
    ];
    const LARGE: &[(&str, i128)] = &[
        ("hundred", 100),
        ("thousand", 1_000),
        ("million", 1_000_000),
        ("billion", 1_000_000_000),
    ];
    if let Some(value) = find_in(LARGE, word) {
        return Some((value, true));
    }
    if let Some(value) = find_in(SMALL, word) {
        return Some((value, false));
    }
    let (tens, ones) = word.split_once('-')?;
    let (tens, ones) = (find_in(SMALL, tens)?, find_in(SMALL, ones)?);
    (tens >= 20 && ones < 10).then_some((tens + ones, false))
}

fn find_in(table: &[(&str, i128)], word: &str) -> Option<i128> {
    table
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, value)| *value)
}

//! What an amount of work costs: figures times prices, exactly; it knows no generation and no account.

use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A million tokens read.
    MillionInputTokens,
    /// A million tokens written.
    MillionOutputTokens,
    /// A picture.
    Image,
    /// A million characters spoken.
    MillionCharacters,
    /// A minute of audio.
    AudioMinute,
}

/// An amount of work; no figure is below 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Pictures made.
    pub images: i64,
    /// Unicode code points spoken.
    pub characters: i64,
    /// Milliseconds of audio made.
    pub audio_millis: i64,
}

/// What one of each unit costs, in millionths of the currency; what is 0 costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tariff {
    /// A million tokens read.
    pub million_input_tokens: i64,
    /// A million tokens written.
    pub million_output_tokens: i64,
    /// A picture.
    pub image: i64,
    /// A million characters spoken.
    pub million_characters: i64,
    /// A minute of audio.
    pub audio_minute: i64,
}

/// A price or a figure below 0, or a cost that no amount of money can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cost is below 0 or too large")]
pub struct Overflow;

impl Tariff {
    /// With this price for a unit; [`Overflow`] for one below 0.
    pub fn with(mut self, unit: Unit, micros: i64) -> Result<Self, Overflow> {
        if micros < 0 {
            return Err(Overflow);
        }
        *match unit {
            Unit::MillionInputTokens => &mut self.million_input_tokens,
            Unit::MillionOutputTokens => &mut self.million_output_tokens,
            Unit::Image => &mut self.image,
            Unit::MillionCharacters => &mut self.million_characters,
            Unit::AudioMinute => &mut self.audio_minute,
        } = micros;
        Ok(self)
    }

    /// What this much costs, in millionths of the currency; a part of a millionth is a whole one.
    pub fn cost(&self, amounts: &Amounts) -> Result<i64, Overflow> {
        // A price, a figure, and how many of what is counted make the unit that the price is for.
        let parts = [
            (self.million_input_tokens, amounts.input_tokens, 1_000_000),
            (self.million_output_tokens, amounts.output_tokens, 1_000_000),
            (self.image, amounts.images, 1),
            (self.million_characters, amounts.characters, 1_000_000),
            (self.audio_minute, amounts.audio_millis, 60_000),
        ];
        // All over one denominator, so that it is rounded once.
        const WHOLE: i128 = 3_000_000;
        let mut sum: i128 = 0;
        for (price, figure, each) in parts {
            if price < 0 || figure < 0 {
                return Err(Overflow);
            }
            let product = i128::from(price)
                .checked_mul(i128::from(figure))
                .ok_or(Overflow)?;
            let product = product.checked_mul(WHOLE / each).ok_or(Overflow)?;
            sum = sum.checked_add(product).ok_or(Overflow)?;
        }
        let whole = sum.checked_add(WHOLE - 1).ok_or(Overflow)? / WHOLE;
        i64::try_from(whole).map_err(|_| Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_exact_and_rounded_up_once() {
        let tariff = Tariff::default()
            .with(Unit::MillionInputTokens, 250_000)
            .and_then(|tariff| tariff.with(Unit::MillionOutputTokens, 1))
            .and_then(|tariff| tariff.with(Unit::AudioMinute, 60_001))
            .unwrap();
        let amounts = Amounts {
            input_tokens: 4,
            ..Amounts::default()
        };
        assert_eq!(tariff.cost(&amounts), Ok(1));
        let parts = Amounts {
            input_tokens: 1,
            output_tokens: 1,
            audio_millis: 1,
            ..Amounts::default()
        };
        // 0.25 + 0.000001 + 1.0000166… of a millionth.
        assert_eq!(tariff.cost(&parts), Ok(2));
        assert_eq!(tariff.cost(&Amounts::default()), Ok(0));
    }

    #[test]
    fn what_is_below_zero_or_too_large_is_refused() {
        assert_eq!(Tariff::default().with(Unit::Image, -1), Err(Overflow));
        let dear = Tariff::default().with(Unit::Image, i64::MAX).unwrap();
        let images = |images| Amounts {
            images,
            ..Amounts::default()
        };
        assert_eq!(dear.cost(&images(1)), Ok(i64::MAX));
        for wrong in [2, i64::MAX, -1] {
            assert_eq!(dear.cost(&images(wrong)), Err(Overflow), "{wrong}");
        }
    }
}

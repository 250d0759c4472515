//! Amounts of money as people write them: decimals of a currency, exact to the millionth. No floating point is near.

/// Millionths in a unit of a currency.
pub const UNIT: i64 = 1_000_000;
/// The most that can be written: a billion of the currency. Up to here every decimal of six places has a float of its own, so
/// that a file format whose numbers are floats says what was written.
pub const MOST: i64 = 1_000_000_000 * UNIT;
/// How many places a millionth has.
const PLACES: usize = 6;
/// How many places are shown at least.
const SHOWN: usize = 2;

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAmount {
    /// It begins with a minus.
    #[error("must not be below 0")]
    Negative,
    /// It is not digits, and a point with digits after it where there is one.
    #[error("must be a decimal, as in 2.50")]
    NotADecimal,
    /// It says something of less than a millionth.
    #[error("may have six digits after the point: a millionth is the least")]
    TooFine,
    /// It is more than [`MOST`].
    #[error("is too high: 1000000000 is the most")]
    TooHigh,
}

/// The millionths of a decimal, exactly: 0 to [`MOST`].
pub fn read(text: &str) -> Result<i64, NotAnAmount> {
    if text.starts_with('-') {
        return Err(NotAnAmount::Negative);
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return Err(NotAnAmount::NotADecimal);
    }
    let part = part.trim_end_matches('0');
    if part.len() > PLACES {
        return Err(NotAnAmount::TooFine);
    }
    // With nothing but digits, whatever cannot be read is too high.
    format!("{whole}{part:0<PLACES$}")
        .parse()
        .ok()
        .filter(|micros| *micros <= MOST)
        .ok_or(NotAnAmount::TooHigh)
}

/// An amount with all six places, for programs.
pub fn exact(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (unit, micros) = (UNIT.unsigned_abs(), micros.unsigned_abs());
    format!("{sign}{}.{:0>PLACES$}", micros / unit, micros % unit)
}

/// An amount as a person reads it: with two places at least, and no more than it needs.
pub fn shown(micros: i64) -> String {
    let mut text = exact(micros);
    let needed = text.trim_end_matches('0').len();
    let least = text.len() - PLACES + SHOWN;
    text.truncate(needed.max(least));
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_amount_is_an_exact_decimal() {
        for (text, micros) in [
            ("0", 0),
            ("2.50", 2_500_000),
            ("2.5", 2_500_000),
            ("007", 7_000_000),
            ("0.000001", 1),
            ("2.50000000000", 2_500_000),
            ("1000000000", MOST),
            ("999999999.999999", MOST - 1),
        ] {
            assert_eq!(read(text), Ok(micros), "{text}");
        }
        for text in [
            "", ".", ".5", "1.", "1,5", "1e3", "+1", " 1", "1 000", "1.2.3", "inf", "NaN", "0x1",
            "1_0", "٣",
        ] {
            assert_eq!(read(text), Err(NotAnAmount::NotADecimal), "{text}");
        }
        for text in ["-1", "-0"] {
            assert_eq!(read(text), Err(NotAnAmount::Negative), "{text}");
        }
        assert_eq!(read("0.0000001"), Err(NotAnAmount::TooFine));
        for text in ["1000000000.000001", "1000000001", "99999999999999999999"] {
            assert_eq!(read(text), Err(NotAnAmount::TooHigh), "{text}");
        }
    }

    #[test]
    fn an_amount_is_shown_with_the_places_that_it_needs() {
        for (micros, text) in [
            (0, "0.00"),
            (1, "0.000001"),
            (40_000, "0.04"),
            (12_500_000, "12.50"),
            (10_000_000, "10.00"),
            (1_230_400, "1.2304"),
            (-1_500_000, "-1.50"),
            (i64::MIN, "-9223372036854.775808"),
        ] {
            assert_eq!(shown(micros), text);
        }
        assert_eq!(exact(-1_500_000), "-1.500000");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(micros in 0..=MOST) {
            prop_assert_eq!(read(&exact(micros)), Ok(micros));
            prop_assert_eq!(read(&shown(micros)), Ok(micros));
        }

        #[test]
        fn a_float_of_a_file_says_what_was_written(micros in 0..=MOST) {
            let float: f64 = exact(micros).parse().unwrap();
            prop_assert_eq!(read(&float.to_string()), Ok(micros));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = read(&text);
        }
    }
}

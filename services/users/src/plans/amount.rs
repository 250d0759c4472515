//! Amounts of money in the file of plans, as numbers or texts.

use std::fmt;

use atelier_kit::money;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// An amount in a file: a number or a text, 0 to 10^9, with at most six decimals.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amount(pub(super) i64);

impl<'d> Deserialize<'d> for Amount {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount of money, as in 2.50 or \"2.50\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Amount, E> {
                let told = |why| E::custom(format!("the amount {text} {why}"));
                money::read(text).map(Amount).map_err(told)
            }

            fn visit_i64<E: Error>(self, given: i64) -> Result<Amount, E> {
                self.visit_str(&given.to_string())
            }

            // The shortest decimal that gives this float: the one that was written, up to fifteen digits.
            fn visit_f64<E: Error>(self, given: f64) -> Result<Amount, E> {
                self.visit_str(&given.to_string())
            }
        }

        from.deserialize_any(Written)
    }
}

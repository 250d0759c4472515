//! The prices in a model's table: one list, or several, each from a moment on.

use std::ops::Range;

use atelier_kit::money;
use toml::de::DeValue;

use super::fields::{Fields, Placed};
use super::problem::Collector;
use super::{Medium, Price, PriceList, Prices, Unit, figures};

/// The currency of prices that name none.
const CURRENCY: &str = "USD";
/// The most lists of a model.
const MOST: usize = 100;

/// A unit in the file, and which media have it.
const UNITS: [(&str, Unit, &[Medium]); 5] = [
    (
        "million_input_tokens",
        Unit::MillionInputTokens,
        &Medium::ALL,
    ),
    (
        "million_output_tokens",
        Unit::MillionOutputTokens,
        &Medium::ALL,
    ),
    ("image", Unit::Image, &[Medium::Image]),
    (
        "million_characters",
        Unit::MillionCharacters,
        &[Medium::Speech],
    ),
    ("audio_minute", Unit::AudioMinute, &[Medium::Speech]),
];

/// What a model's table says of its prices.
#[derive(Default)]
pub(super) struct Written {
    /// The prices.
    pub(super) prices: Prices,
    /// Where they are.
    pub(super) at: Range<usize>,
    /// The currency of each list, and where it is said.
    pub(super) currencies: Vec<Placed<String>>,
}

/// What it costs: `prices` is a table, or a list of them.
pub(super) fn prices(
    fields: &mut Fields<'_>,
    medium: Option<Medium>,
    problems: &mut Collector<'_>,
) -> Written {
    let what = format!("{}: `prices`", fields.what());
    let found = fields.with("prices", problems, |value| match value {
        DeValue::Table(_) => Ok(value),
        DeValue::Array(lists) if lists.is_empty() || lists.len() > MOST => {
            Err(format!("must be a table, or 1 to {MOST} of them"))
        }
        DeValue::Array(_) => Ok(value),
        _ => Err("must be a table, or a list of them".to_owned()),
    });
    let Some((value, at)) = found else {
        return Written::default();
    };
    let tables = match value {
        DeValue::Table(table) => vec![(table, at.clone())],
        _ => {
            let lists = value.as_array().into_iter().flat_map(|lists| lists.iter());
            let table = |one: &mut Collector<'_>, list: &'_ toml::Spanned<DeValue<'_>>| {
                if list.get_ref().as_table().is_none() {
                    one.add(&list.span(), format!("{what}: each must be a table"));
                }
            };
            lists
                .inspect(|list| table(problems, list))
                .filter_map(|list| Some((list.get_ref().as_table()?, list.span())))
                .collect()
        }
    };
    let mut written = Written {
        at,
        ..Written::default()
    };
    let mut lists: Vec<PriceList> = Vec::new();
    for (table, at) in tables {
        let fields = Fields::new(what.clone(), at, table);
        let (list, currency) = list(fields, lists.last(), medium, problems);
        lists.push(list);
        written.currencies.push(currency);
    }
    written.prices = Prices::new(lists);
    written
}

/// One list, which holds after the one before it.
fn list(
    mut table: Fields<'_>,
    before: Option<&PriceList>,
    medium: Option<Medium>,
    problems: &mut Collector<'_>,
) -> (PriceList, Placed<String>) {
    let at = table.at.clone();
    let from = table.with("from", problems, |value| {
        value
            .as_datetime()
            .ok_or_else(|| "must be a date, as in 2027-01-31, without quotation marks".to_owned())
            .and_then(figures::time)
            .and_then(|from| match before.and_then(|before| before.from) {
                Some(earlier) if from <= earlier => {
                    Err("must be later than that of the list before".to_owned())
                }
                _ => Ok(from),
            })
    });
    if from.is_none() && before.is_some() && !table.had("from") {
        let what = "every list but the first needs `from`, when its prices begin to hold";
        problems.add(&at, format!("{}: {what}", table.what()));
    }
    let currency = table.with("currency", problems, |value| {
        value
            .as_str()
            .filter(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()))
            .map(str::to_owned)
            .ok_or_else(|| "must be an ISO 4217 code, as in \"USD\"".to_owned())
    });
    let currency = currency.unwrap_or_else(|| (CURRENCY.to_owned(), at));
    let mut prices = Vec::new();
    for (name, unit, media) in UNITS {
        if medium.is_some_and(|medium| !media.contains(&medium)) {
            continue;
        }
        let micros = table.with(name, problems, |value| match value {
            // Never through a binary fraction: the figure is what is written.
            DeValue::String(text) => amount(text),
            DeValue::Integer(number) if number.radix() == 10 => amount(number.as_str()),
            DeValue::Float(number) => amount(number.as_str()),
            _ => Err("must be a decimal, as in 0.25 or \"0.25\"".to_owned()),
        });
        prices.extend(micros.map(|(micros, _)| Price {
            unit,
            micros,
            currency: currency.0.clone(),
        }));
    }
    table.end(problems);
    let list = PriceList {
        from: from.map(|(from, _)| from),
        prices,
    };
    (list, currency)
}

fn amount(written: &str) -> Result<i64, String> {
    money::read(written).map_err(|why| why.to_string())
}

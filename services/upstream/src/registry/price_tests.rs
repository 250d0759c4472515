//! Prices as a file has them: since when they hold, in which currency, and which a model cannot have.

use super::tests::{PROVIDER, good, wrong};
use super::{Registry, Unit};

fn with(models: &str) -> String {
    format!("{PROVIDER}{models}")
}

fn chat(id: &str, more: &str) -> String {
    format!(
        "[[models]]\nid = \"{id}\"\nmedium = \"chat\"\nprovider = \"api\"\nlimits = {{ output_tokens = 100 }}\n{more}\n"
    )
}

fn micros(registry: &Registry, now: i64) -> Vec<(Unit, i64)> {
    let prices = registry.models[0].prices.at(now);
    prices
        .iter()
        .map(|price| (price.unit, price.micros))
        .collect()
}

/// The beginning of 2027, in microseconds.
const NEW_YEAR: i64 = 1_798_761_600_000_000;

#[test]
fn prices_hold_from_their_moment_and_each_list_is_complete() {
    let lists = "[[models.prices]]\nmillion_input_tokens = 0.25\nmillion_output_tokens = 2\n\
                 [[models.prices]]\nfrom = 2027-01-01\nmillion_output_tokens = 3";
    let registry = good(&with(&chat("a", lists)));
    assert_eq!(
        micros(&registry, NEW_YEAR - 1),
        [
            (Unit::MillionInputTokens, 250_000),
            (Unit::MillionOutputTokens, 2_000_000)
        ]
    );
    assert_eq!(
        micros(&registry, NEW_YEAR),
        [(Unit::MillionOutputTokens, 3_000_000)]
    );
    // One list may begin later too: before that nothing is charged.
    let later = "prices = { from = 2027-01-01T01:00:00+01:00, million_output_tokens = 1 }";
    let registry = good(&with(&chat("a", later)));
    assert!(micros(&registry, NEW_YEAR - 1).is_empty());
    assert_eq!(micros(&registry, NEW_YEAR).len(), 1);
}

#[test]
fn lists_that_are_in_no_order_or_no_lists_are_told() {
    let list = |from: &str| format!("[[models.prices]]\n{from}\nmillion_output_tokens = 1\n");
    let two = |first: &str, second: &str| chat("a", &(list(first) + &list(second)));
    for (content, expected) in [
        (two("", ""), "every list but the first needs `from`"),
        (
            two("from = 2027-01-02", "from = 2027-01-02"),
            "`from` must be later than that of the list before",
        ),
        (
            two("", "from = \"2027-01-02\""),
            "`from` must be a date, as in 2027-01-31, without quotation marks",
        ),
        (chat("a", "prices = []"), "must be a table, or 1 to 100"),
        (
            chat("a", "prices = 7"),
            "must be a table, or a list of them",
        ),
        (chat("a", "prices = [7]"), "each must be a table"),
        (
            chat("a", "[[models.prices]]\nmillion_output_tokens = -1"),
            "must not be below 0",
        ),
        (
            chat(
                "a",
                "[[models.prices]]\nmillion_output_tokens = 9223372036854",
            ),
            "is too high",
        ),
        (chat("a", "[[models.prices]]\nimage = 1"), "has no `image`"),
    ] {
        let problems = wrong(&with(&content));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{expected}: {problems:?}");
    }
}

#[test]
fn a_file_has_one_currency() {
    let euros = "prices = { currency = \"EUR\", million_output_tokens = 1 }";
    assert!(
        good(&with(&(chat("a", euros) + &chat("b", euros))))
            .models
            .len()
            == 2
    );
    let lists = "[[models.prices]]\ncurrency = \"EUR\"\nmillion_output_tokens = 1\n\
                 [[models.prices]]\nfrom = 2027-01-01\nmillion_output_tokens = 1";
    for content in [
        chat("a", euros) + &chat("b", "prices = { million_output_tokens = 1 }"),
        chat("a", lists),
    ] {
        let problems = wrong(&with(&content));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].contains("its prices are in USD, and those of \"a\" in EUR"),
            "{problems:?}"
        );
    }
}

#[test]
fn a_reply_that_costs_something_has_an_end() {
    let endless = |prices: &str| {
        format!(
            "[[models]]\nid = \"a\"\nmedium = \"chat\"\nprovider = \"api\"\nprices = {{ {prices} }}\n"
        )
    };
    for prices in ["million_input_tokens = 1", "million_output_tokens = 0.5"] {
        let problems = wrong(&with(&endless(prices)));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].contains("needs `limits.output_tokens`"),
            "{problems:?}"
        );
    }
    // What costs nothing may go on for as long as it likes.
    for prices in ["", "million_output_tokens = 0"] {
        good(&with(&endless(prices)));
    }
}

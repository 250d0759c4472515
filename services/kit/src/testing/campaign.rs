//! How large a test with a size is run: small by itself, and as large as `just prove` asks for, which also wants to know
//! what came of it.

use std::fmt::Display;
use std::io::Write as _;

/// What chance begins with in a campaign: `ATELIER_CAMPAIGN_SEED`, or this.
///
/// # Panics
///
/// When the variable is no number.
#[must_use]
pub fn seed(by_default: u64) -> u64 {
    number("ATELIER_CAMPAIGN_SEED", by_default)
}

/// How much is done: the variable's number, or this.
///
/// # Panics
///
/// When the variable is no number.
#[must_use]
pub fn size(variable: &str, by_default: u64) -> u64 {
    number(variable, by_default)
}

fn number(variable: &str, by_default: u64) -> u64 {
    let Some(text) = std::env::var_os(variable) else {
        return by_default;
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("{variable} is no number: {}", text.display()))
}

/// Adds a line to the report of a campaign; nothing where none is wanted.
///
/// # Panics
///
/// When the file that `ATELIER_CAMPAIGN_REPORT` names cannot be written.
pub fn report(line: impl Display) {
    let Some(path) = std::env::var_os("ATELIER_CAMPAIGN_REPORT") else {
        return;
    };
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    let written = file.and_then(|mut file| writeln!(file, "- {line}"));
    written.expect("the report of the campaign");
}

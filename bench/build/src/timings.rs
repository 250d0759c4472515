//! Reading the page that `cargo build --timings` writes: its data stand in it as JSON.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// One unit of work.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Unit {
    /// The crate.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What of the crate, as in ` build script`; empty for the library.
    pub target: String,
    /// How long it took, in seconds.
    pub duration: f64,
}

/// The units of the last build in a target folder.
pub fn read(target: &Path) -> anyhow::Result<Vec<Unit>> {
    let path = target.join("cargo-timings/cargo-timing.html");
    let page = fs::read_to_string(&path).context("cargo wrote no timings")?;
    units(&page)
}

fn units(page: &str) -> anyhow::Result<Vec<Unit>> {
    let (_, data) = page
        .split_once("const UNIT_DATA = ")
        .context("cargo's timings have no unit data; its format has changed")?;
    // The array ends where its bracket does; what follows is script.
    let mut values = serde_json::Deserializer::from_str(data).into_iter::<Vec<Unit>>();
    values
        .next()
        .context("cargo's timings end early")?
        .context("cargo's timings")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_are_read_out_of_the_page() {
        let page = r#"<script>DURATION = 1;
const UNIT_DATA = [{"i": 0, "name": "cfg-if", "version": "1.0.5", "mode": "todo", "target": "", "duration": 0.03}];
const CONCURRENCY_DATA = [];</script>"#;
        let unit = Unit {
            name: "cfg-if".into(),
            version: "1.0.5".into(),
            target: String::new(),
            duration: 0.03,
        };
        assert_eq!(units(page).unwrap(), [unit]);
        assert!(units("<html>").is_err());
    }
}

//! `atelier simulator`: a provider that fails when it is told to, for any program that asks one.

use anyhow::Context as _;
use atelier_kit::config::ConfigError;
use atelier_simulator::{SCHEME, Script};
use url::Url;

use crate::args::Simulator;
use crate::client::terminal::print;
use crate::inventory;
use crate::signals::Signals;

/// Runs one until the process is told to end; then its counts go to standard output, as JSON.
pub async fn run(asked: Simulator) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let wrong = |error: &dyn std::fmt::Display| ConfigError(error.to_string());
    let url =
        Url::parse(&format!("{SCHEME}://?{}", asked.parameters)).map_err(|error| wrong(&error))?;
    let script = Script::read(&url).map_err(|error| wrong(&error))?;
    let simulator = atelier_simulator::Simulator::start(script, asked.listen)
        .await
        .with_context(|| asked.listen.to_string())?;
    inventory::note(&format!("ready: {}", simulator.url()));
    signals.first().await;
    let counts = serde_json::to_string(&simulator.counts())?;
    print(&format!("{counts}\n"))
}

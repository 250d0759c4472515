//! `token`: how many tokens a core checks beside the bare signature, and how soon the token of an ended session is
//! refused; it asserts nothing.

mod check;
mod house;
mod page;

use std::collections::HashMap;
use std::time::Duration;

use atelier_kit::config::Settings;
use atelier_kit::telemetry::{Telemetry, TelemetryConfig};
use bench_report::{Output, Page};
use clap::Parser;

use crate::check::{Stand, What};

/// What a token check costs beside the bare signature check.
#[derive(Debug, Parser)]
struct Args {
    /// How many rounds: each measures everything once, and the page has the medians of all rounds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long one measurement of a round lasts where tokens come again, in milliseconds
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    slice: u64,
    /// How many tokens there are: where each is to be new, a measurement lasts until all have come
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u32).range(1000..=16_000))]
    tokens: u32,
    /// How many sessions are ended
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    sessions: u32,
    #[command(flatten)]
    output: Output,
}

/// The rates per core of all rounds, a second.
type Rates = HashMap<What, Vec<f64>>;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // As the program has it: logs are filtered, calls are counted.
    Telemetry::start(&TelemetryConfig::read(&Settings::new([])))?;
    let page = Page::begin("token", "What a token check costs", &args.output);
    let runtime = tokio::runtime::Runtime::new()?;
    let stand = runtime.block_on(Stand::new(args.tokens as usize))?;
    let slice = Duration::from_millis(args.slice);
    let mut rates = Rates::new();
    for round in 0..=args.rounds as usize {
        for turn in 0..What::ALL.len() {
            let what = What::ALL[(round + turn) % What::ALL.len()];
            let rate = stand.per_core(what, slice)?;
            // The first is for warming up.
            if round > 0 {
                rates.entry(what).or_default().push(rate);
            }
        }
    }
    let ended = runtime.block_on(house::end_sessions(args.sessions as usize))?;
    page::write(page, &args, &rates, &ended)
}

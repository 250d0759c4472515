//! `hop`: what one call from one role to another costs, by where the other is and what it checks; it asserts nothing.

mod call;
mod echo;
mod floor;
mod pace;
mod page;
mod peer;

use std::time::Duration;

use atelier_kit::config::Settings;
use atelier_kit::telemetry::{Telemetry, TelemetryConfig};
use bench_report::{Output, Page};
use clap::Parser;
use tokio::runtime::Runtime;

use crate::call::{Case, Checks};
use crate::floor::Floor;
use crate::peer::Place;

/// What one call from one role to another costs.
#[derive(Debug, Parser)]
struct Args {
    /// How many rounds: each measures everything once, and the page has the medians of all rounds
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long one measurement of a round lasts, in milliseconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    slice: u64,
    /// Measure only the calls whose line in the tables contains this text, and nothing of what lies below a call
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    #[command(flatten)]
    output: Output,
}

/// How many calls are under way at once where that is measured.
const AT_ONCE: usize = 32;

/// The runtimes, each with its name: the product's own, and one thread for everything.
fn runtimes() -> std::io::Result<[(&'static str, Runtime); 2]> {
    let alone = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok([("multi-thread", Runtime::new()?), ("current-thread", alone)])
}

/// Everything that is measured in one runtime.
struct Stand {
    name: &'static str,
    runtime: Runtime,
    cases: Vec<Case>,
    floors: Vec<Floor>,
}

impl Stand {
    fn build(name: &'static str, runtime: Runtime, only: &str) -> anyhow::Result<Self> {
        let (cases, floors) = runtime.block_on(async {
            let issuer = atelier_kit::testing::Issuer::new();
            let mut cases = Vec::new();
            for checks in Checks::ALL {
                for place in Place::ALL {
                    // It is the link that speaks for a service; without one there is nothing to measure.
                    if (place, checks) == (Place::Direct, Checks::Service) {
                        continue;
                    }
                    if !Case::name(checks, place).contains(only) {
                        continue;
                    }
                    let peer = peer::start(place, checks, &issuer).await?;
                    cases.push(Case::prove(peer, place, checks, &issuer).await?);
                }
            }
            let floors = if only.is_empty() {
                Floor::all().await?
            } else {
                Vec::new()
            };
            anyhow::Ok((cases, floors))
        })?;
        Ok(Self {
            name,
            runtime,
            cases,
            floors,
        })
    }

    /// One measurement of everything, beginning with another one each round.
    fn round(&mut self, round: usize, slice: Duration) -> anyhow::Result<()> {
        let count = self.cases.len();
        for turn in 0..count {
            let case = &mut self.cases[(round + turn) % count];
            self.runtime.block_on(case.measure(slice))?;
        }
        for floor in &mut self.floors {
            self.runtime.block_on(floor.measure(slice))?;
        }
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // As the program has it: logs are filtered, calls are counted.
    Telemetry::start(&TelemetryConfig::read(&Settings::new([])))?;
    let page = Page::begin("hop", "What one hop costs", &args.output);
    let slice = Duration::from_millis(args.slice);
    let mut stands = Vec::new();
    for (name, runtime) in runtimes()? {
        stands.push(Stand::build(name, runtime, &args.only)?);
    }
    for stand in &mut stands {
        stand.round(0, slice)?;
        stand.cases.iter_mut().for_each(Case::forget);
        stand.floors.iter_mut().for_each(Floor::forget);
    }
    for round in 0..args.rounds as usize {
        for stand in &mut stands {
            stand.round(round, slice)?;
        }
    }
    page::write(page, &args, &stands)
}

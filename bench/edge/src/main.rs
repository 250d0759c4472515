//! `edge`: what a call through the edge costs, beside a direct one and one through Envoy in the same run; it asserts nothing.

mod call;
mod checks;
mod door;
mod frames;
mod load;
mod page;
mod service;
mod stand;
mod web;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use atelier_kit::config::Settings;
use atelier_kit::limit::Quota;
use atelier_kit::telemetry::{Telemetry, TelemetryConfig};
use bench_report::{Output, Page, Process, allowed_cores, settle};
use clap::{Parser, Subcommand, ValueEnum};
use tokio::runtime::Runtime;

use crate::call::Kind;
use crate::checks::Checks;
use crate::load::{Memory, Storm};
use crate::stand::{Site, Stand, Way};

/// What a call through the edge costs.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The service alone, until it is ended
    Service {
        /// Its port
        #[arg(long)]
        port: u16,
    },
    /// The edge alone, until it is ended
    Edge {
        /// Its port
        #[arg(long)]
        port: u16,
        /// The port of the service
        #[arg(long)]
        service: u16,
        #[command(flatten)]
        checks: Checks,
    },
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Run {
    /// Envoy; it is left out without it
    #[arg(long, value_name = "FILE")]
    envoy: Option<PathBuf>,
    /// The cores of all that runs, as taskset has them
    #[arg(long, value_name = "CORES", default_value = "0,1")]
    cores: String,
    /// How many rounds: each measures every way once, in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long one measurement of a round lasts, in seconds
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Measure only what is asked so
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["unary-100", "unary-64k", "stream", "one-by-one"])]
    only: Vec<Kind>,
    /// With so many connections
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32, 256])]
    connections: Vec<usize>,
    /// With identity and limits, or without
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["off", "on"])]
    identity: Vec<Identity>,
    /// Measure only these ways
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["direct", "edge", "envoy"])]
    way: Vec<Way>,
    #[command(flatten)]
    output: Output,
}

/// Whether calls are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Identity {
    /// Anyone may call as often as he likes
    Off,
    /// A token is verified, and the call is counted
    On,
}

/// What is measured with processes of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    kind: Kind,
    identity: Identity,
    connections: usize,
}

/// What was found in a cell about one way.
pub(crate) struct Found {
    cell: Cell,
    way: Way,
    storms: Vec<Storm>,
    memory: Memory,
}

/// A limit that is reached at once, to see that it holds.
const FEW: u32 = 3;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.part {
        Some(Part::Service { port }) => as_the_program(service::run(port)),
        Some(Part::Edge {
            port,
            service,
            checks,
        }) => as_the_program(door::run(port, service, checks)),
        None => {
            let all = allowed_cores()?;
            settle(&args.run.cores)?;
            // One thread: what calls is to take as little as it can of the cores.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let page = runtime.block_on(measure(&args.run))?;
            // The machine that the page tells of is the whole of it again.
            settle(&all)?;
            page.finish()
        }
    }
}

/// Runs a part as the program runs its roles: on its runtime, with its logs filtered and its calls counted.
fn as_the_program(part: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    atelier_kit::outbound::crypto();
    Telemetry::start(&TelemetryConfig::read(&Settings::new([])))?;
    Runtime::new()?.block_on(part)
}

async fn measure(run: &Run) -> anyhow::Result<Page> {
    let mut page = Page::begin("edge", "What a call through the edge costs", &run.output);
    let site = Site::new(run.envoy.as_deref(), &run.cores).await?;
    if run.identity.contains(&Identity::On) {
        let stand = Stand::start(&site, &run.way, Some(FEW)).await?;
        stand.prove_limit(&site, FEW).await?;
        stand.stop().await;
    }
    let mut found = Vec::new();
    for kind in &run.only {
        for identity in &run.identity {
            for connections in &run.connections {
                let cell = Cell {
                    kind: *kind,
                    identity: *identity,
                    connections: *connections,
                };
                found.extend(measure_cell(run, &site, cell).await?);
            }
        }
    }
    page::write(&mut page, run, &found);
    Ok(page)
}

async fn measure_cell(run: &Run, site: &Site, cell: Cell) -> anyhow::Result<Vec<Found>> {
    let limit = (cell.identity == Identity::On).then_some(Quota::MOST);
    let stand = Stand::start(site, &run.way, limit).await?;
    stand.prove(site, cell.kind).await?;
    let mut found = Vec::new();
    let mut all = Vec::new();
    for entry in &stand.entries {
        all.push(
            stand
                .callers(site, entry, cell.kind, cell.connections)
                .await?,
        );
        found.push(Found {
            cell,
            way: entry.way,
            storms: Vec::new(),
            memory: load::memory(&stand, entry),
        });
    }
    let slice = Duration::from_secs_f64(run.seconds);
    let count = stand.entries.len();
    for number in 0..run.rounds as usize {
        for turn in 0..count {
            let at = (number + turn) % count;
            let entry = &stand.entries[at];
            let storm = load::storm(&stand, entry, &mut all[at], slice).await;
            found[at]
                .storms
                .push(storm.with_context(|| stand.failed(entry))?);
        }
    }
    for (entry, found) in stand.entries.iter().zip(&mut found) {
        found.memory = load::memory(&stand, entry);
        page::tell(found, stand.front(entry).and_then(Process::id));
    }
    drop(all);
    stand.stop().await;
    Ok(found)
}

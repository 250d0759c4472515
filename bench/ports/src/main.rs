//! `ports`: what each port manages in a second, on what is embedded and on a server; it asserts nothing.

mod accounts;
mod conversations;
mod conversions;
mod engines;
mod house;
mod journal;
mod ledger;
mod limits;
mod objects;
mod page;
mod record;
mod usage;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_kit::config::Settings;
use atelier_kit::telemetry::{Telemetry, TelemetryConfig};
use bench_report::{Output, Page};
use clap::Parser;
use clap::builder::PossibleValuesParser;

use crate::engines::Engines;

/// What each port manages in a second.
#[derive(Debug, Parser)]
struct Args {
    /// How many rounds: each measures everything once, in turn, and the page has the medians of all rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long one measurement of a round lasts, in milliseconds
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    slice: u64,
    /// Some of the ports alone, divided by commas
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(PORTS), default_values = PORTS)]
    only: Vec<String>,
    #[command(flatten)]
    output: Output,
}

/// How many call at once where many do.
const AT_ONCE: usize = 32;
/// How many accounts own what is read, and in whose name is written.
const OWNERS: usize = 16;
/// How many things each of them owns where something is read; a list is as long.
const EACH: usize = 10;

/// What is done with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    /// Something is kept.
    Write,
    /// One thing is read that is there.
    Read,
    /// The newest of an owner are read.
    List,
}

/// Which of many calls one is.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// Who calls, of those that do at once.
    caller: usize,
    /// The number of the call, never the same twice.
    number: usize,
}

/// A port on one engine.
#[async_trait]
trait Side: Send + Sync + 'static {
    /// Does it once, and makes sure that it was done.
    async fn once(&self, verb: Verb, turn: Turn) -> anyhow::Result<()>;
}

/// A port on all engines that it has.
struct Port {
    /// As the page names it.
    name: &'static str,
    /// What it is measured through, and what one of each is.
    about: &'static str,
    /// What is measured, and what the page calls it.
    verbs: &'static [(Verb, &'static str)],
    /// What is embedded.
    embedded: (&'static str, Arc<dyn Side>),
    /// The servers.
    servers: Vec<(&'static str, Arc<dyn Side>)>,
}

/// How often something was done in a second, in each round: on what is embedded, and on each server.
#[derive(Default)]
struct Rates {
    embedded: Vec<f64>,
    servers: Vec<Vec<f64>>,
    /// How many calls were not answered in time, and are in no rate.
    late: u64,
}

/// A line of measurements.
struct Line {
    verb: Verb,
    name: &'static str,
    /// One call after the other.
    alone: Rates,
    /// Many at once.
    together: Rates,
}

/// Does it as often as it goes for `slice`, so many at once; returns how often that was in a second, and adds what came too
/// late.
async fn rate(
    side: &Arc<dyn Side>,
    verb: Verb,
    at_once: usize,
    slice: Duration,
    late: &mut u64,
) -> anyhow::Result<f64> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let begun = Instant::now();
    let until = begun + slice;
    let callers: Vec<_> = (0..at_once)
        .map(|caller| {
            let side = side.clone();
            tokio::spawn(async move {
                let (mut done, mut late) = (0_u64, 0_u64);
                while Instant::now() < until {
                    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                    match side.once(verb, Turn { caller, number }).await {
                        Ok(()) => done += 1,
                        Err(error) if is_late(&error) => late += 1,
                        Err(error) => return Err(error),
                    }
                }
                Ok((done, late))
            })
        })
        .collect();
    let mut done = 0;
    for caller in callers {
        let (in_time, too_late) = caller.await??;
        done += in_time;
        *late += too_late;
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

/// Whether a service has given a call up because its time was over.
fn is_late(error: &anyhow::Error) -> bool {
    let status = error.downcast_ref::<tonic::Status>();
    status.is_some_and(|status| status.code() == tonic::Code::DeadlineExceeded)
}

/// One round of one line: what is embedded and the servers in turn.
async fn round(port: &Port, line: &mut Line, slice: Duration, counts: bool) -> anyhow::Result<()> {
    for (at_once, rates) in [(1, &mut line.alone), (AT_ONCE, &mut line.together)] {
        let mut late = 0;
        let embedded = rate(&port.embedded.1, line.verb, at_once, slice, &mut late).await?;
        let mut servers = Vec::new();
        for (_, server) in &port.servers {
            servers.push(rate(server, line.verb, at_once, slice, &mut late).await?);
        }
        if counts {
            rates.embedded.push(embedded);
            rates.servers.push(servers);
            rates.late += late;
        }
    }
    Ok(())
}

/// All ports, in the order of the page.
const PORTS: [&str; 10] = [
    "record",
    "journal",
    "limits",
    "small-objects",
    "large-objects",
    "ledger",
    "accounts",
    "conversations",
    "conversions",
    "usage",
];

/// Opens a port, with something in it that can be read.
async fn open(name: &str, engines: &Engines) -> anyhow::Result<Port> {
    match name {
        "record" => record::port(engines).await,
        "journal" => journal::port(engines).await,
        "limits" => limits::port(engines),
        "small-objects" => objects::port(engines, objects::Size::Small).await,
        "large-objects" => objects::port(engines, objects::Size::Large).await,
        "ledger" => ledger::port(engines).await,
        "accounts" => accounts::port(engines).await,
        "conversations" => conversations::port(engines).await,
        "conversions" => conversions::port(engines).await,
        "usage" => usage::port(engines).await,
        _ => anyhow::bail!("there is no port {name}"),
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // As the program has it: logs are filtered, calls are counted.
    Telemetry::start(&TelemetryConfig::read(&Settings::new([])))?;
    let page = Page::begin("ports", "What each port manages in a second", &args.output);
    let engines = Engines::start()?;
    let runtime = tokio::runtime::Runtime::new()?;
    // What is dropped in the end may want to close its connections.
    let _inside = runtime.enter();
    let slice = Duration::from_millis(args.slice);
    let (versions, measured) = runtime.block_on(async {
        let versions = engines.versions().await?;
        let mut measured: Vec<(Port, Vec<Line>)> = Vec::new();
        for name in PORTS {
            if !args.only.iter().any(|only| only == name) {
                continue;
            }
            let port = open(name, &engines).await?;
            let lines = port.verbs.iter().map(|&(verb, name)| Line {
                verb,
                name,
                alone: Rates::default(),
                together: Rates::default(),
            });
            let lines = lines.collect();
            measured.push((port, lines));
        }
        // The round before the first warms up and is not counted.
        for number in 0..=args.rounds {
            for (port, lines) in &mut measured {
                for line in lines {
                    round(port, line, slice, number > 0)
                        .await
                        .map_err(|error| error.context(format!("{}: {}", port.name, line.name)))?;
                }
            }
        }
        anyhow::Ok((versions, measured))
    })?;
    page::write(page, &args, &versions, &measured)
}

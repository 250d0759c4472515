//! `chat`: what a chat costs on its way to an upstream through Atelier, beside Envoy, a FastAPI relay and LiteLLM's proxy
//! in the same run; it asserts nothing.

mod load;
mod ours;
mod page;
mod upstream;
mod ways;
mod wire;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bench_report::{Output, Page, Process, Spread, allowed_cores, settle};
use clap::{Parser, Subcommand};

use crate::load::{CONNECTIONS, Caller};
use crate::upstream::Kind;
use crate::ways::{Programs, Stand};

/// What a chat costs on its way to an upstream.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// The fake upstream alone, until it is ended
    Upstream {
        /// Its port
        #[arg(long)]
        port: u16,
    },
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    programs: Programs,
    /// How many rounds: each measures every way once, in turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long one measurement of a round lasts, in milliseconds
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    slice: u64,
    /// How many slow streams are held at once for a minute; 0 leaves that out
    #[arg(long, default_value_t = 1000)]
    crowd: usize,
    /// Measure only the ways whose line in the tables contains this text, and the upstream itself
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    #[command(flatten)]
    output: Output,
}

/// What was found out about one way.
#[derive(Default)]
pub(crate) struct Found {
    /// Of each round: replies in a second, the time of half and of 99 in a hundred, and what the way's process worked for
    /// each and of each core's time.
    call: Vec<Storm>,
    burst: Vec<Storm>,
    /// One call after the other on one connection, in seconds.
    alone: Vec<f64>,
    /// The first piece at a light load, in seconds.
    first: Vec<f64>,
    /// The most memory that was seen, in bytes.
    memory: f64,
    crowd: Option<Crowd>,
}

#[derive(Clone, Copy)]
pub(crate) struct Storm {
    rate: f64,
    half: f64,
    most: f64,
    worked: f64,
    busy: f64,
}

pub(crate) struct Crowd {
    gaps: Spread,
    /// Bytes for each stream.
    memory: f64,
    /// What its process worked, in a second.
    busy: f64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    if let Some(Role::Upstream { port }) = args.role {
        return runtime()?.block_on(upstream::serve(port));
    }
    let all = allowed_cores()?;
    settle(&args.run.programs.load_cores)?;
    let page = runtime()?.block_on(measure(&args.run))?;
    // The machine that the page tells of is the whole of it again.
    settle(&all)?;
    page.finish()
}

async fn measure(run: &Run) -> anyhow::Result<Page> {
    let mut page = Page::begin("chat", "What a chat costs", &run.output);
    let mut stand = Stand::build(&run.programs).await?;
    stand
        .ways
        .retain(|way| way.name.contains(&run.only) || way.process == 0);
    let mut found: Vec<Found> = Vec::new();
    for way in &stand.ways {
        load::prove(way, &stand.ours)
            .await
            .with_context(|| format!("before the run: {}", way.name))?;
        found.push(Found::default());
    }
    let mut renewed = Instant::now();
    // The round before the first warms up and is not counted.
    for number in 0..=run.rounds as usize {
        if renewed.elapsed() > Duration::from_secs(480) {
            stand.ours.renew().await?;
            renewed = Instant::now();
        }
        let count = stand.ways.len();
        for turn in 0..count {
            let at = (number + turn) % count;
            round(&stand, at, &mut found[at], run)
                .await
                .with_context(|| failed(&stand, at))?;
        }
        if number == 0 {
            found.iter_mut().for_each(|found| *found = Found::default());
        }
    }
    if run.crowd > 0 {
        for (at, found) in found.iter_mut().enumerate() {
            let is_ours = matches!(stand.ways[at].call, ways::Call::Ours(_));
            if at > 0 && !is_ours {
                continue;
            }
            stand.ours.renew().await?;
            let crowd = crowd(&stand, at, run.crowd).await;
            found.crowd = Some(crowd.with_context(|| failed(&stand, at))?);
        }
    }
    page::write(&mut page, run, &stand, &found);
    // What they worked is ours once they have ended.
    stand.stop().await;
    Ok(page)
}

fn failed(stand: &Stand, at: usize) -> String {
    let way = &stand.ways[at];
    format!(
        "{}\n{}",
        way.name,
        stand.processes[way.process].end_of_log()
    )
}

/// One measurement of one way.
async fn round(stand: &Stand, at: usize, found: &mut Found, run: &Run) -> anyhow::Result<()> {
    let slice = Duration::from_millis(run.slice);
    let way = &stand.ways[at];
    let process = &stand.processes[way.process];
    let mut callers = load::callers(way, &stand.ours, CONNECTIONS).await?;
    found
        .burst
        .push(storm(&mut callers, process, Kind::Burst, slice).await?);
    if way.counted {
        found
            .call
            .push(storm(&mut callers, process, Kind::Call, slice).await?);
        let alone = load::storm(&mut callers[..1], Kind::Call, slice / 3).await?;
        found.alone.extend(alone.whole);
        found.first.extend(load::stroll(&mut callers, 2).await?);
    }
    found.memory = found.memory.max(process.memory());
    Ok(())
}

async fn storm(
    callers: &mut [Caller],
    process: &Process,
    kind: Kind,
    slice: Duration,
) -> anyhow::Result<Storm> {
    let (begun, before) = (Instant::now(), process.worked());
    let taken = load::storm(callers, kind, slice).await?;
    let (worked, passed) = (process.worked() - before, begun.elapsed().as_secs_f64());
    let count = taken.whole.len() as f64;
    let spread = Spread::new(taken.whole);
    Ok(Storm {
        rate: taken.rate,
        half: spread.at(0.5),
        most: spread.at(0.99),
        worked: worked / count,
        busy: worked / passed,
    })
}

/// Many slow streams for a minute.
async fn crowd(stand: &Stand, at: usize, count: usize) -> anyhow::Result<Crowd> {
    let way = &stand.ways[at];
    let process = &stand.processes[way.process];
    let before = process.memory();
    let callers = load::callers(way, &stand.ours, count).await?;
    let streams = tokio::spawn(load::crowd(callers));
    // In the middle of the minute.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (begun, worked) = (Instant::now(), process.worked());
    let memory = process.memory() - before;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let busy = (process.worked() - worked) / begun.elapsed().as_secs_f64();
    Ok(Crowd {
        gaps: Spread::new(streams.await??),
        memory: memory / count as f64,
        busy,
    })
}

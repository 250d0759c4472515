//! `login`: how many logins a core manages beside the bare password hash, and whether their times tell who has an
//! account; it asserts nothing.

mod bare;
mod kinds;
mod page;
mod stand;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use atelier_kit::config::Settings;
use atelier_kit::telemetry::{Telemetry, TelemetryConfig};
use bench_report::{Output, Page};
use clap::Parser;

use crate::bare::Bare;
use crate::kinds::Kinds;
use crate::stand::{Stand, Way};

/// What a login costs beside the bare password hash.
#[derive(Debug, Parser)]
struct Args {
    /// How many rounds: each measures every rate once, and the page has the medians of all rounds
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long one rate of a round is measured, in milliseconds
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    slice: u64,
    /// How many logins of each kind are timed
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    logins: u32,
    #[command(flatten)]
    output: Output,
}

/// How many logins are under way at once for each core: more than the cores can hash, as when many people come.
const AT_ONCE: usize = 4;

/// How many there were in a second.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// By the clock.
    by_clock: f64,
    /// By what the threads of this process worked: in a second of one core.
    by_core: f64,
}

/// Counts from a beginning.
struct Begun {
    at: Instant,
    worked: f64,
}

impl Begun {
    fn now() -> anyhow::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            worked: worked()?,
        })
    }

    /// So many by now.
    fn rate(&self, count: f64) -> anyhow::Result<Rate> {
        Ok(Rate {
            by_clock: count / self.at.elapsed().as_secs_f64(),
            by_core: count / (worked()? - self.worked),
        })
    }
}

fn worked() -> anyhow::Result<f64> {
    bench_report::own_seconds().context("the system does not tell how long a process has worked")
}

/// The rates of all rounds.
#[derive(Default)]
struct Rates {
    bare: Vec<Rate>,
    memory: Vec<Rate>,
    edge: Vec<Rate>,
}

/// How many logins a second are answered while so many are always under way.
async fn rate(
    stand: &Arc<Stand>,
    way: Way,
    at_once: usize,
    slice: Duration,
) -> anyhow::Result<Rate> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let begun = Begun::now()?;
    let until = begun.at + slice;
    let callers: Vec<_> = (0..at_once)
        .map(|_| {
            let stand = stand.clone();
            tokio::spawn(async move {
                let mut count = 0_u32;
                while Instant::now() < until {
                    stand
                        .right(way, NUMBER.fetch_add(1, Ordering::Relaxed))
                        .await?;
                    count += 1;
                }
                anyhow::Ok(count)
            })
        })
        .collect();
    let mut count = 0;
    // Those under way at the end are waited for and counted: their work was done.
    for caller in callers {
        count += caller.await??;
    }
    begun.rate(f64::from(count))
}

/// Has glibc give large blocks back as soon as they are freed, as the program does at its start.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc is told so by a function of C")]
fn give_back() {
    const LARGE: libc::c_int = 128 * 1024;
    // SAFETY: mallopt takes two numbers and reads no memory of ours; no other thread exists yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
    }
}

#[cfg(not(target_env = "gnu"))]
fn give_back() {}

fn main() -> anyhow::Result<()> {
    give_back();
    let args = Args::parse();
    // As the program has it: logs are filtered, calls are counted.
    Telemetry::start(&TelemetryConfig::read(&Settings::new([])))?;
    let page = Page::begin("login", "What a login costs", &args.output);
    let slice = Duration::from_millis(args.slice);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Runtime::new()?;
    let bare = Bare::new()?;
    bare.verify()?;
    let stand = Arc::new(runtime.block_on(Stand::build(args.logins as usize))?);
    let mut rates = Rates::default();
    for round in 0..=args.rounds {
        let of_bare = bare.rate(cores, slice)?;
        let rate = |way| runtime.block_on(rate(&stand, way, AT_ONCE * cores, slice));
        let (memory, edge) = (rate(Way::Memory)?, rate(Way::Edge)?);
        // The first is for warming up.
        if round > 0 {
            rates.bare.push(of_bare);
            rates.memory.push(memory);
            rates.edge.push(edge);
        }
    }
    let kinds = runtime.block_on(Kinds::measure(&stand, args.logins as usize))?;
    page::write(page, &args, cores, &rates, &kinds)
}

//! `credits`: what it costs to pay for a generation, beside the bare commits that it takes at least; it asserts nothing.

mod bare;
mod book;
mod page;
mod service;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use atelier_kit::config::Settings;
use atelier_kit::telemetry::{Telemetry, TelemetryConfig};
use bench_report::{Output, Page};
use clap::Parser;

use crate::bare::Bare;
use crate::book::Book;
use crate::service::Service;

/// What it costs to pay for a generation.
#[derive(Debug, Parser)]
struct Args {
    /// How many rounds: each measures everything once, in turn, and the page has the medians of all rounds
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long one measurement of a round lasts, in milliseconds
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    slice: u64,
    /// How many accounts pay where many do
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    accounts: u32,
    #[command(flatten)]
    output: Output,
}

/// How many pay at once where many do.
const AT_ONCE: usize = 32;

/// Something that is paid with.
#[async_trait]
trait Payment: Send + Sync + 'static {
    /// Pays once, for the generation with this number, from one account or from many. Returns how long that took which a
    /// caller waits for before his generation begins, in seconds.
    async fn pay(&self, number: usize, whose: Whose) -> anyhow::Result<f64>;
}

/// Who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// One account for all.
    One,
    /// Each time another one.
    Many,
}

/// One measurement.
#[derive(Clone, Debug, Default)]
struct Paid {
    /// How many were paid in a second.
    rate: f64,
    /// What a caller waits for before each, in seconds.
    waited: Vec<f64>,
}

/// Pays as often as it goes for `slice`, so many at once.
async fn pay(
    payment: &Arc<dyn Payment>,
    whose: Whose,
    at_once: usize,
    slice: Duration,
) -> anyhow::Result<Paid> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let begun = Instant::now();
    let until = begun + slice;
    let callers: Vec<_> = (0..at_once)
        .map(|_| {
            let payment = payment.clone();
            tokio::spawn(async move {
                let mut waited = Vec::new();
                while Instant::now() < until {
                    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                    waited.push(payment.pay(number, whose).await?);
                }
                anyhow::Ok(waited)
            })
        })
        .collect();
    let mut paid = Paid::default();
    for caller in callers {
        paid.waited.extend(caller.await??);
    }
    paid.rate = paid.waited.len() as f64 / begun.elapsed().as_secs_f64();
    Ok(paid)
}

/// A line of the tables: what pays, who and how many at once, and what came of it in each round.
struct Line {
    name: &'static str,
    payment: Arc<dyn Payment>,
    whose: Whose,
    at_once: usize,
    rounds: Vec<Paid>,
}

fn lines(bare: Arc<Bare>, book: Arc<Book>, service: Arc<Service>) -> Vec<Line> {
    let line = |name, payment: Arc<dyn Payment>, whose, at_once| Line {
        name,
        payment,
        whose,
        at_once,
        rounds: Vec::new(),
    };
    vec![
        line("two bare commits", bare.clone(), Whose::One, 1),
        line("the book, one account", book.clone(), Whose::One, 1),
        line("the service, one account", service.clone(), Whose::One, 1),
        line("two bare commits, at once", bare, Whose::One, AT_ONCE),
        line(
            "the book, one account, at once",
            book.clone(),
            Whose::One,
            AT_ONCE,
        ),
        line(
            "the book, many accounts, at once",
            book,
            Whose::Many,
            AT_ONCE,
        ),
        line(
            "the service, one account, at once",
            service.clone(),
            Whose::One,
            AT_ONCE,
        ),
        line(
            "the service, many accounts, at once",
            service,
            Whose::Many,
            AT_ONCE,
        ),
    ]
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // As the program has it: logs are filtered, calls are counted.
    Telemetry::start(&TelemetryConfig::read(&Settings::new([])))?;
    let page = Page::begin("credits", "What it costs to pay", &args.output);
    let runtime = tokio::runtime::Runtime::new()?;
    let slice = Duration::from_millis(args.slice);
    let lines = runtime.block_on(async {
        let bare = Arc::new(Bare::open().await?);
        let book = Arc::new(Book::open(args.accounts).await?);
        let service = Arc::new(Service::open(args.accounts).await?);
        let mut lines = lines(bare, book.clone(), service.clone());
        // The round before the first warms up and is not counted.
        for round in 0..=args.rounds {
            for line in &mut lines {
                let paid = pay(&line.payment, line.whose, line.at_once, slice).await?;
                if round > 0 {
                    line.rounds.push(paid);
                }
            }
        }
        book.prove().await?;
        anyhow::Ok(lines)
    })?;
    page::write(page, &args, &lines)
}

//! `start`: how long the program takes until every service answers, and what it holds while nobody calls; it asserts nothing.

mod health;
mod memory;
mod page;
mod program;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bench_report::{Output, Page};
use clap::Parser;
use tempfile::TempDir;
use tokio::process::Command;

use crate::memory::Memory;
use crate::program::{Launch, Program, Started};

/// What a start of the program costs, and what it holds while nobody calls.
#[derive(Debug, Parser)]
struct Args {
    /// The program, built in release
    #[arg(long, value_name = "FILE", default_value = "target/release/atelier")]
    program: PathBuf,
    /// How often it is started, of each kind
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=1000))]
    starts: u32,
    /// How often its memory is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    memories: u32,
    /// How long nobody calls before memory is read, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    idle: u64,
    /// How often the demo runs as the work before memory is read again
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    demos: u32,
    /// A variable that the program is started with, as in `ATELIER_LOG=debug`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    #[command(flatten)]
    output: Output,
}

fn variable(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write it as NAME=VALUE".to_owned())
}

/// What was found.
struct Found {
    /// What `atelier --version` took, in seconds.
    empty: Vec<f64>,
    /// Starts on data that is there.
    existing: Vec<Started>,
    /// Starts in an empty folder.
    first: Vec<Started>,
    /// What it holds, at each of the moments of [`memory::MOMENTS`].
    memory: [Vec<Memory>; memory::MOMENTS.len()],
    /// The size of the program's file, in bytes.
    size: u64,
}

// One thread: this program only waits, and the machine's cores are the other's.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let program = args
        .program
        .canonicalize()
        .with_context(|| format!("the program {}", args.program.display()))?;
    let page = Page::begin(
        "start",
        "What a start costs, and what is held",
        &args.output,
    );
    let services = health::services()?;
    let mut found = Found {
        empty: Vec::new(),
        existing: Vec::new(),
        first: Vec::new(),
        memory: Default::default(),
        size: std::fs::metadata(&program)?.len(),
    };

    let launch = Launch {
        program: &program,
        variables: &args.variables,
        services: &services,
    };
    let kept = TempDir::new()?;
    let running = launch.on(kept.path()).await?.0;
    demo(&program, &running).await?;
    running.stop().await?;

    // In turn, so that whatever else the machine does hits all kinds alike.
    for _ in 0..args.starts {
        found.empty.push(version(&program).await?);
        let (running, started) = launch.on(kept.path()).await?;
        found.existing.push(started);
        running.stop().await?;
        let fresh = TempDir::new()?;
        let (running, started) = launch.on(fresh.path()).await?;
        found.first.push(started);
        running.stop().await?;
    }

    for _ in 0..args.memories {
        let (running, _) = launch.on(kept.path()).await?;
        let mut read = async |moment: usize, wait: u64| {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            found.memory[moment].push(Memory::of(running.id())?);
            anyhow::Ok(())
        };
        read(0, args.idle).await?;
        for _ in 0..args.demos {
            demo(&program, &running).await?;
        }
        read(1, 0).await?;
        read(2, args.idle).await?;
        running.stop().await?;
    }
    page::write(page, &args, services.len(), &found)
}

/// What it costs to start the program and do nothing, in seconds.
async fn version(program: &Path) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let output = Command::new(program).arg("--version").output().await?;
    let taken = begun.elapsed().as_secs_f64();
    ensure!(
        output.status.success(),
        "--version ended with {}",
        output.status
    );
    Ok(taken)
}

/// Work of every kind, once: the program's own demo, told to use the mesh that runs.
async fn demo(program: &Path, running: &Program) -> anyhow::Result<()> {
    // It writes a picture and a sound where it is started, and finds nothing of this account's own.
    let folder = TempDir::new()?;
    let output = Command::new(program)
        .args(["demo", "--url", &running.url()])
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "the demo ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

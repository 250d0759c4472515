//! `build`: what a clean build of the program costs, in a target folder of its own; it asserts nothing.

mod cost;
mod timings;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use bench_report::{Output, Page, Table};
use clap::Parser;
use tempfile::TempDir;

use crate::cost::{Worked, folder_size};
use crate::timings::Unit;

/// What a clean build of the program costs.
#[derive(Debug, Parser)]
struct Args {
    /// The folder in which the target folder is made, and removed in the end; by default that of temporary files
    #[arg(long, value_name = "FOLDER")]
    within: Option<PathBuf>,
    /// How many of the slowest crates the page lists
    #[arg(long, default_value_t = 10)]
    slowest: usize,
    #[command(flatten)]
    output: Output,
}

/// The goal, in minutes on two cores.
const GOAL_MINUTES: f64 = 8.0;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let folder = match &args.within {
        Some(within) => TempDir::new_in(within)?,
        None => TempDir::new()?,
    };
    // What must be downloaded is a matter of the line, not of the build.
    cargo(&["fetch", "--locked"], &folder)?;
    let mut page = Page::begin("build", "What a clean build costs", &args.output);
    let (begun, worked) = (Instant::now(), Worked::by_children()?);
    cargo(&["build", "--release", "--locked", "--timings"], &folder)?;
    let wall = begun.elapsed().as_secs_f64();
    let worked = Worked::by_children()?.since(worked);
    let units = timings::read(folder.path())?;

    page.paragraph(
        "`cargo build --release` of the program into an empty target folder, with all crates downloaded before: what \
         somebody waits for after the first `cargo run --release`, and on every machine that builds without a cache. Half \
         of what is worked, in minutes, is the least that two cores can take.",
    );
    let mut table = Table::new(&["clean build, release", ""]);
    table.row(["wall".to_owned(), minutes(wall)]);
    table.row(["worked, user".to_owned(), minutes(worked.user)]);
    table.row(["worked, system".to_owned(), minutes(worked.system)]);
    let cores = (worked.user + worked.system) / wall;
    table.row([
        "cores kept busy, on average".to_owned(),
        format!("{cores:.2}"),
    ]);
    table.row([
        "units of work (crates, their build scripts)".to_owned(),
        units.len().to_string(),
    ]);
    let size = folder_size(folder.path())? as f64 / 1024.0 / 1024.0;
    table.row(["target folder".to_owned(), format!("{size:.0} MiB")]);
    page.table(&table);

    page.heading("The slowest");
    page.paragraph(
        "Seconds from the beginning to the end of a unit, as Cargo's own timings have it. Units run beside each other, and \
         one that shares the cores takes longer than it would alone.",
    );
    page.table(&slowest(units, args.slowest));

    page.heading("The goal");
    page.paragraph(&format!(
        "A clean build within {GOAL_MINUTES:.0} minutes on two cores. This run: {}, {}.",
        minutes(wall),
        if wall <= GOAL_MINUTES * 60.0 {
            "reached"
        } else {
            "missed"
        }
    ));
    page.finish()
}

/// Runs Cargo at the root of the repository, where the program is the default member.
fn cargo(arguments: &[&str], target: &TempDir) -> anyhow::Result<()> {
    let status = Command::new("cargo")
        .args(arguments)
        .env("CARGO_TARGET_DIR", target.path())
        // A wrapper that keeps what was compiled before would make it another measurement.
        .env_remove("RUSTC_WRAPPER")
        .env_remove("CARGO_BUILD_RUSTC_WRAPPER")
        .status()
        .context("cargo")?;
    ensure!(
        status.success(),
        "cargo {} ended with {status}",
        arguments.join(" ")
    );
    Ok(())
}

fn slowest(mut units: Vec<Unit>, count: usize) -> Table {
    units.sort_by(|one, other| other.duration.total_cmp(&one.duration));
    let mut table = Table::new(&["crate", "s"]);
    for unit in units.into_iter().take(count) {
        let target = if unit.target.is_empty() {
            String::new()
        } else {
            format!(" ({})", unit.target.trim())
        };
        table.row([
            format!("{} {}{target}", unit.name, unit.version),
            format!("{:.1}", unit.duration),
        ]);
    }
    table
}

fn minutes(seconds: f64) -> String {
    format!(
        "{:.0} min {:02.0} s",
        (seconds / 60.0).floor(),
        (seconds % 60.0).floor()
    )
}

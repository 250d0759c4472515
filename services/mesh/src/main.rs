//! `atelier`: args → config → telemetry → roster → serve → drain; each step is a room of its own.

use std::process::ExitCode;

mod admin;
mod args;
mod config;
mod demo;
mod doors;
mod inventory;
mod keys;
mod links;
mod mesh;
mod objects;
mod roster;
mod signals;

use args::{Args, Command};
use atelier_kit::telemetry::Telemetry;

fn main() -> ExitCode {
    let args = match Args::read() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return inventory::failure(&error.into()),
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => inventory::failure(&error),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    // One crypto library for everything; whoever needs TLS finds it here.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let settings = args.settings(std::env::vars());
    let config = config::Config::read(&settings, &args)?;
    let telemetry = Telemetry::start(&config.telemetry)?;
    let ended = match args.command {
        None => serve(config).await,
        Some(Command::Demo(demo)) => demo::run(config, demo).await,
        Some(Command::Admin(admin)) => admin::run(&config, admin).await,
    };
    // The exporter blocks while it sends what is left.
    let _ = tokio::task::spawn_blocking(move || telemetry.flush()).await;
    ended
}

async fn serve(config: config::Config) -> anyhow::Result<()> {
    let mut signals = signals::Signals::listen()?;
    let mesh = mesh::Mesh::start(config).await?;
    inventory::print(&mesh);
    signals.first().await;
    inventory::note("draining; press Ctrl-C again to stop at once");
    tokio::select! {
        () = mesh.stop() => {}
        () = signals.first() => {}
    }
    Ok(())
}

//! `atelier`: args → config → telemetry → roster → serve → drain; each step is a room of its own.

use std::process::ExitCode;

mod admin;
mod args;
mod certs;
mod client;
mod config;
mod connections;
#[cfg(test)]
mod deployment_tests;
mod doors;
mod engines;
mod files;
mod inventory;
mod keys;
mod limits;
mod links;
mod memory;
mod mesh;
mod models;
mod needs;
mod objects;
mod operator;
mod peers;
mod plans;
mod profile;
mod revocations;
mod roster;
mod routes;
mod running;
mod signals;
mod simulator;

use args::{Args, ClientCommand, Command};
use atelier_kit::followed::Reread;
use atelier_kit::telemetry::{self, Telemetry};
use signals::Hangup;

/// How long what is left of the process may take once its work is done.
const LAST_MOMENT: std::time::Duration = std::time::Duration::from_secs(1);

fn main() -> ExitCode {
    let args = match Args::read() {
        Ok(args) => args,
        Err(code) => return code,
    };
    memory::give_back();
    files::allow();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return inventory::failure(&error.into()),
    };
    let code = match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => inventory::failure(&error),
    };
    // All that matters has ended; a write to a pipe that nobody reads would keep the process here for ever.
    runtime.shutdown_timeout(LAST_MOMENT);
    code
}

async fn run(mut args: Args) -> anyhow::Result<()> {
    // One crypto library for everything; whoever needs TLS finds it here.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let quiet = match &args.command {
        // A mesh that is started for a command says nothing of itself unless it is told to.
        Some(Command::Client(client)) if !matches!(client, ClientCommand::Demo(_)) => {
            Some((telemetry::LOG.name.to_owned(), "error".to_owned()))
        }
        _ => None,
    };
    let settings = args.settings(quiet.into_iter().chain(std::env::vars()));
    match args.command.take() {
        None => {
            let config = config::Config::read(&settings, &args)?;
            let telemetry = Telemetry::start(&config.telemetry)?;
            let ended = serve(config, settings.reread()).await;
            // The exporter blocks while it sends what is left.
            let _ = tokio::task::spawn_blocking(move || telemetry.flush()).await;
            ended
        }
        Some(Command::Admin(admin)) => {
            let config = config::Config::read(&settings, &args)?;
            let telemetry = Telemetry::start(&config.telemetry)?;
            let ended = admin::run(&config, admin).await;
            let _ = tokio::task::spawn_blocking(move || telemetry.flush()).await;
            ended
        }
        Some(Command::Models(asked)) => models::run(&asked.command),
        Some(Command::Limits(asked)) => limits::run(&asked.command),
        Some(Command::Plans(asked)) => plans::run(&asked.command),
        Some(Command::Routes(asked)) => routes::run(&asked.command),
        Some(Command::Simulator(asked)) => simulator::run(asked).await,
        Some(Command::Client(command)) => client::run(command, &settings, &args).await,
    }
}

async fn serve(config: config::Config, reread: &Reread) -> anyhow::Result<()> {
    let mut signals = signals::Signals::listen()?;
    let mut hangups = signals::Hangups::listen()?;
    let mesh = mesh::Mesh::start(config).await?;
    inventory::print(&mesh);
    loop {
        tokio::select! {
            () = signals.first() => break,
            hangup = hangups.next() => match hangup {
                Hangup::Terminal => break,
                Hangup::Operator => {
                    inventory::note("reading the files of the settings again");
                    reread.ask();
                }
            }
        }
    }
    inventory::note("draining; press Ctrl-C again to stop at once");
    tokio::select! {
        () = mesh.stop() => {}
        () = signals.first() => {}
    }
    Ok(())
}

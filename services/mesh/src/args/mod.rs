//! The command line: roles, places and commands. Every flag that a setting has too wins over it.

mod admin;
mod client;
mod credits;
mod help;
mod limits;
mod models;
mod plans;
mod routes;
mod simulator;

use std::path::PathBuf;
use std::process::ExitCode;

use atelier_kit::config::Settings;
use clap::error::ErrorKind;
use clap::{Args as ClapArgs, CommandFactory as _, Parser, Subcommand};
use url::Url;

pub use admin::{Admin, AdminCommand, GivenRole, KeysCommand, Way};
pub use client::{
    Chat, ClientCommand, DeleteAccount, Demo, Export, Format, Image, Login, Say, Usage, Whoami,
};
pub use credits::{Credits, CreditsCommand, Grant, Key, Refund, Statement};
pub use limits::{Limits, LimitsCommand};
pub use models::{Models, ModelsCommand};
pub use plans::{Plans, PlansCommand};
pub use routes::{Routes, RoutesCommand};
pub use simulator::Simulator;

use crate::certs;
use crate::client::settings as reach;
use crate::config;
use crate::inventory::WRONG_SETTING;
use crate::roster;

/// Chat, pictures and speech as a gRPC mesh in one binary.
///
/// Without a command, starts the roles that are named; all of them when none is. Settings are read from ATELIER_…
/// variables: `.env.example` lists them all.
#[derive(Debug, Parser)]
#[command(
    name = "atelier",
    version,
    subcommand_precedence_over_arg = true,
    max_term_width = 110,
    after_help = AFTER
)]
pub struct Args {
    /// The roles to run in this process; all when none is named
    #[arg(value_name = "ROLE", value_parser = roster::names())]
    pub roles: Vec<String>,

    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub place: Place,
}

const AFTER: &str = "\
Examples:
  atelier                     all roles in one process, on http://localhost:8080
  atelier users tts           two roles of a mesh that is split over processes
  atelier demo                the whole story: register, chat, draw, speak, count
  atelier login ADA@EXAMPLE.COM --register
  atelier chat                a conversation in this terminal
  atelier image a red boat -o boat.png
  atelier say hello -o - | aplay
  atelier credits             what may be spent, and what is left of today's quotas
  atelier admin grant EMAIL   the first admin
  atelier models check FILE   whether a registry of models can be used
  atelier limits check FILE   whether a file of limits can be used, and what holds with it
  atelier plans check FILE    whether a file of plans can be used, and what holds with it
  atelier routes check FILE   whether a file of routes can be used, and where each role is with it
  atelier simulator 'chance=429:10'
                              a provider that refuses every tenth call

Exit codes: 0 all is well, 1 something failed, 64 a wrong setting or flag; of the commands that speak to a mesh also
69 it cannot be reached, 75 try again later, 77 not signed in or not allowed, 130 after Ctrl-C.";

/// Where things are.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Where it runs")]
pub struct Place {
    /// The folder that everything is kept in [env: ATELIER_DATA]
    #[arg(long, value_name = "FOLDER", global = true)]
    pub data: Option<PathBuf>,

    /// The edge speaks TLS with a certificate made in the data folder, under certs/ [env: ATELIER_EDGE_TLS=development]
    #[arg(long, global = true)]
    pub tls: bool,

    /// The edge's port; 0 takes a free one [env: ATELIER_PORT]
    #[arg(long, value_name = "PORT", global = true)]
    pub port: Option<u16>,

    /// The port of /metrics, /livez and /readyz; 0 takes a free one [env: ATELIER_ADMIN_PORT]
    #[arg(long, value_name = "PORT", global = true)]
    pub admin_port: Option<u16>,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What is done as a client of a mesh
    #[command(flatten)]
    Client(ClientCommand),
    /// What only the owner of the machine may do
    Admin(Admin),
    /// The registry of models
    Models(Models),
    /// How often what may be done
    Limits(Limits),
    /// Who may have how much, and what may be spent
    Plans(Plans),
    /// Where the roles of a split mesh are
    Routes(Routes),
    /// A provider that fails when it is told to, for any program that speaks the OpenAI-compatible API
    Simulator(Simulator),
}

impl Args {
    /// Reads the command line. What cannot be read is told, and so is what was only asked for (help, version): then
    /// there is an exit code in place of the arguments.
    pub fn read() -> Result<Self, ExitCode> {
        let read = Self::try_parse().and_then(|args| {
            if args.command.is_some() && !args.roles.is_empty() {
                let conflict = "roles cannot be named together with a command";
                return Err(Self::command().error(ErrorKind::ArgumentConflict, conflict));
            }
            Ok(args)
        });
        read.map_err(|error| {
            // A closed pipe is no reason for another exit code.
            let _ = error.print();
            if error.use_stderr() {
                ExitCode::from(WRONG_SETTING)
            } else {
                ExitCode::SUCCESS
            }
        })
    }

    /// The settings: the environment's, with the flags on top.
    pub fn settings(&self, environment: impl Iterator<Item = (String, String)>) -> Settings {
        let place = &self.place;
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let mut flags = vec![
            (config::DATA.name, path(&place.data)),
            (
                certs::EDGE_TLS.name,
                place.tls.then(|| certs::DEVELOPMENT.to_owned()),
            ),
            (config::PORT.name, place.port.map(|port| port.to_string())),
            (
                config::ADMIN_PORT.name,
                place.admin_port.map(|port| port.to_string()),
            ),
        ];
        if let Some(Command::Client(command)) = &self.command
            && let Some(named) = command.reach()
        {
            flags.extend([
                (reach::URL.name, named.url.as_ref().map(Url::to_string)),
                (reach::CA.name, path(&named.ca)),
                (reach::CONFIG.name, path(&named.config_dir)),
            ]);
        }
        let flags = flags
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)));
        Settings::new(environment.chain(flags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn roles_are_those_of_the_roster() {
        assert!(Args::try_parse_from(["atelier", "users", "tts"]).is_ok());
        assert!(Args::try_parse_from(["atelier", "billing"]).is_err());
    }

    #[test]
    fn flags_may_stand_before_a_command_and_after_it() {
        for line in [
            ["atelier", "--port", "1", "demo"],
            ["atelier", "demo", "--port", "1"],
        ] {
            let args = Args::try_parse_from(line).unwrap();
            assert_eq!(args.place.port, Some(1));
            assert!(matches!(
                args.command,
                Some(Command::Client(ClientCommand::Demo(_)))
            ));
        }
    }
}

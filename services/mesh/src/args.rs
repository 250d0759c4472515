//! The command line; every flag is a setting too, and the flag wins.

use std::path::PathBuf;
use std::process::ExitCode;

use atelier_kit::config::Settings;
use clap::error::ErrorKind;
use clap::{Args as ClapArgs, CommandFactory as _, Parser, Subcommand};

use crate::config;
use crate::inventory::WRONG_SETTING;
use crate::roster;

/// Chat, pictures and speech as a gRPC mesh in one binary.
///
/// Without a command, starts the roles that are named; all of them when none is. Settings are read from ATELIER_…
/// variables: `.env.example` lists them all.
#[derive(Debug, Parser)]
#[command(name = "atelier", version, subcommand_precedence_over_arg = true, after_help = AFTER)]
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
  atelier admin grant EMAIL   the first admin

Exit codes: 0 all is well, 1 something failed, 64 a wrong setting or flag.";

/// Where things are.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Place {
    /// The folder that everything is kept in [env: ATELIER_DATA]
    #[arg(long, value_name = "FOLDER", global = true)]
    pub data: Option<PathBuf>,

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
    /// Registers, logs in, chats, draws, speaks, and reads the usage back
    Demo(Demo),
    /// What only the owner of the machine may do
    Admin(Admin),
}

/// The demo's own flags.
#[derive(Debug, ClapArgs)]
pub struct Demo {
    /// A mesh that runs already; without it the demo starts its own
    #[arg(long, value_name = "URL")]
    pub url: Option<url::Url>,
    /// What to ask in the chat, beside the demo's own questions
    #[arg(long, value_name = "TEXT")]
    pub ask: Option<String>,
    /// What to draw
    #[arg(
        long,
        value_name = "PROMPT",
        default_value = "a red boat and a lighthouse under a full moon"
    )]
    pub draw: String,
    /// The picture's size
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "768x512", value_parser = size)]
    pub size: (i32, i32),
    /// What to say
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "Welcome to Atelier. Your words, your pictures and your voice, on your own machine."
    )]
    pub say: String,
}

/// The owner's own commands.
#[derive(Debug, ClapArgs)]
pub struct Admin {
    #[command(subcommand)]
    pub command: AdminCommand,
}

/// What the owner can do.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Makes a registered account an admin, in the embedded database of the users service
    Grant {
        /// The account's e-mail
        email: String,
    },
}

fn size(text: &str) -> Result<(i32, i32), String> {
    let (width, height) = text.split_once(['x', '×']).ok_or("write it as 768x512")?;
    let side = |text: &str| {
        text.trim()
            .parse::<i32>()
            .map_err(|error| format!("{text:?}: {error}"))
    };
    Ok((side(width)?, side(height)?))
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
        let flags = [
            (
                config::DATA.name,
                self.place
                    .data
                    .as_ref()
                    .map(|path| path.display().to_string()),
            ),
            (
                config::PORT.name,
                self.place.port.map(|port| port.to_string()),
            ),
            (
                config::ADMIN_PORT.name,
                self.place.admin_port.map(|port| port.to_string()),
            ),
        ];
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
        assert_eq!(size("64x32"), Ok((64, 32)));
        assert!(size("64").is_err());
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
            assert!(matches!(args.command, Some(Command::Demo(_))));
        }
    }
}

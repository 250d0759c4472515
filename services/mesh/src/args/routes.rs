//! The command `routes`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// Where the roles of a split mesh are.
#[derive(Debug, ClapArgs)]
pub struct Routes {
    #[command(subcommand)]
    pub command: RoutesCommand,
}

/// What is done with a file of routes.
#[derive(Debug, Subcommand)]
pub enum RoutesCommand {
    /// Says what is wrong with a file for ATELIER_ROUTES, else where each role is with it; needs no mesh
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

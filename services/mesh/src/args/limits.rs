//! The command `limits`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// How often what may be done.
#[derive(Debug, ClapArgs)]
pub struct Limits {
    #[command(subcommand)]
    pub command: LimitsCommand,
}

/// What is done with a file of limits.
#[derive(Debug, Subcommand)]
pub enum LimitsCommand {
    /// Says what is wrong with a file for ATELIER_LIMITS, else what holds with it; needs no mesh
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

//! The command `plans`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// Who may have how much, and what may be spent.
#[derive(Debug, ClapArgs)]
pub struct Plans {
    #[command(subcommand)]
    pub command: PlansCommand,
}

/// What is done with a file of plans.
#[derive(Debug, Subcommand)]
pub enum PlansCommand {
    /// Says what is wrong with a file for ATELIER_PLANS, else what holds with it; needs no mesh
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

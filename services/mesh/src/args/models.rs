//! The command `models`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// The registry of models.
#[derive(Debug, ClapArgs)]
pub struct Models {
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// What is done with a registry.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Says everything that is wrong with a file for ATELIER_MODELS; needs no mesh and no key
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

//! The flags of `atelier admin`; what they do is the owner's own room.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

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
    /// Makes certificates for every role, signed by an authority in the same folder, which is made when there is none
    ///
    /// Run it again to renew them: processes that use them take up the new ones by themselves. Keep `ca-key.pem` away
    /// from machines that run a role.
    Certs {
        /// Where to: what ATELIER_CERTS then names
        #[arg(long = "to", value_name = "FOLDER", default_value = "certs")]
        folder: PathBuf,
        /// A name or an address that the edge is called by, beside its role's; may be given again [default: localhost, 127.0.0.1, ::1]
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
        /// A service of your own that calls roles, which gets a certificate too; may be given again
        #[arg(long = "service", value_name = "NAME", value_parser = service)]
        services: Vec<String>,
        /// How long they hold
        #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
    },
}

/// What a certificate can name, and a file too.
fn service(name: &str) -> Result<String, &'static str> {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 40 || name == "ca" || !name.chars().all(sound) {
        return Err("write it in small letters, digits and dashes: at most 40, and not `ca`");
    }
    Ok(name.to_owned())
}

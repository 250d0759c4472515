//! The flags of `atelier admin`; what they do is the owner's own room.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use url::Url;

/// The owner's own commands.
#[derive(Debug, ClapArgs)]
pub struct Admin {
    #[command(subcommand)]
    pub command: AdminCommand,
}

/// What the owner can do.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Gives a registered account a role: through the mesh that runs here, or in the embedded database when none does
    Grant {
        /// The account's e-mail
        email: String,
        /// The role
        #[arg(long, value_enum, default_value_t = GivenRole::Admin)]
        role: GivenRole,
        /// Tells the account as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        way: Way,
    },
    /// The keys that access tokens are signed with, of the mesh that runs here
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
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

/// What can be done with signing keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Lists the published keys, the newest first
    List {
        #[command(flatten)]
        way: Way,
        /// Tells each as a line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Makes the next key: it is published at once and signs 90 seconds later
    Rotate {
        #[command(flatten)]
        way: Way,
        /// Tells it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Takes a private RSA key of 2048 to 4096 bits as the next one
    Import {
        /// A PEM file with a PKCS#1 or PKCS#8 key, also an encrypted PKCS#8 one; `-` reads standard input
        file: PathBuf,
        /// A file whose first line is the passphrase of an encrypted key; without it the terminal is asked
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        #[command(flatten)]
        way: Way,
        /// Tells it as JSON
        #[arg(long)]
        json: bool,
    },
}

/// How a running mesh is reached as its owner.
#[derive(Debug, Default, ClapArgs)]
pub struct Way {
    /// Its admin port [default: that of the mesh on the data folder, or http://127.0.0.1:8090]
    #[arg(long, value_name = "URL", value_parser = admin_url)]
    pub admin_url: Option<Url>,

    /// The file of its operator's token [default: operator-token in the data folder]
    #[arg(long, value_name = "FILE")]
    pub operator_token_file: Option<PathBuf>,
}

/// The roles that can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GivenRole {
    /// May do everything
    Admin,
    /// Looks after what others made
    Moderator,
    /// A registered account
    User,
}

fn admin_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("write it as http://127.0.0.1:8090".to_owned());
    }
    Ok(url)
}

/// What a certificate can name, and a file too.
fn service(name: &str) -> Result<String, &'static str> {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 40 || name == "ca" || !name.chars().all(sound) {
        return Err("write it in small letters, digits and dashes: at most 40, and not `ca`");
    }
    Ok(name.to_owned())
}

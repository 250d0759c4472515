//! `atelier admin`: what only the owner of the machine may do, on the embedded databases.
#![expect(
    clippy::print_stdout,
    reason = "a command tells its result on standard output"
)]

use crate::args::{Admin, AdminCommand};
use crate::certs;
use crate::config::Config;

/// Runs one command.
pub async fn run(config: &Config, admin: Admin) -> anyhow::Result<()> {
    match admin.command {
        AdminCommand::Grant { email } => {
            atelier_users::grant_admin(&config.folder("users"), &email).await?;
            println!("{email} is an admin; its access tokens say so from their next refresh on");
            Ok(())
        }
        AdminCommand::Certs {
            folder,
            names,
            services,
            days,
        } => {
            certs::make(&folder, &names, &services, days)?;
            println!(
                "certificates for every role are in {}; each machine needs ca.pem and the files of its roles",
                folder.display()
            );
            Ok(())
        }
    }
}

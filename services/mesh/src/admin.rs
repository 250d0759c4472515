//! `atelier admin`: what only the owner of the machine may do, through the admin port of the mesh that runs, or on the
//! embedded databases when none does.

mod door;
mod import;
mod keys;

use atelier_kit::identity::Role;
use serde_json::json;
use tonic::Code;

use crate::args::{Admin, AdminCommand, GivenRole, KeysCommand, Way};
use crate::certs;
use crate::client::terminal::{plain, print};
use crate::client::trouble::Trouble;
use crate::config::Config;
use door::Door;

/// Runs one command.
pub async fn run(config: &Config, admin: Admin) -> anyhow::Result<()> {
    match admin.command {
        AdminCommand::Grant {
            email,
            role,
            json,
            way,
        } => {
            let role = role.role();
            let id = grant(config, &email, role, &way).await?;
            let told = if json {
                json!({"userId": id, "email": email, "role": role.name()}).to_string()
            } else {
                told(&email, role)
            };
            print(&format!("{told}\n"))
        }
        AdminCommand::Keys { command } => match command {
            KeysCommand::List { way, json } => keys::list(Door::open(config, &way)?, json).await,
            KeysCommand::Rotate { way, json } => {
                keys::rotate(Door::open(config, &way)?, json).await
            }
            KeysCommand::Import {
                file,
                passphrase_file,
                way,
                json,
            } => {
                let door = Door::open(config, &way)?;
                let pem = import::read(&file, passphrase_file.as_deref())?;
                keys::import(door, pem, json).await
            }
        },
        AdminCommand::Certs {
            folder,
            names,
            services,
            days,
        } => {
            certs::make(&folder, &names, &services, days)?;
            print(&format!(
                "certificates for every role are in {}; each machine needs ca.pem and the files of its roles\n",
                folder.display()
            ))
        }
    }
}

impl GivenRole {
    fn role(self) -> Role {
        match self {
            GivenRole::Admin => Role::Admin,
            GivenRole::Moderator => Role::Moderator,
            GivenRole::User => Role::User,
        }
    }
}

fn told(email: &str, role: Role) -> String {
    let email = plain(email);
    match role {
        Role::Admin => {
            format!("{email} is an admin; its access tokens say so from their next refresh on")
        }
        other => format!(
            "{email} is a {}; if it was more, its sessions have ended",
            other.name()
        ),
    }
}

/// Gives a role through the mesh that runs. Where none was named and none of this data folder answers, the database
/// is changed itself, as whoever may write it can; returns the account's id.
async fn grant(config: &Config, email: &str, role: Role, way: &Way) -> anyhow::Result<String> {
    let named = way.admin_url.is_some() || way.operator_token_file.is_some();
    let asked = match Door::open(config, way) {
        Ok(door) => door.grant(email, role).await,
        Err(trouble) => Err(trouble.into()),
    };
    let error = match asked {
        Ok(id) => return Ok(id),
        Err(error) => error,
    };
    if !named && door::is_elsewhere(&error) {
        let (server, data) = (config.engines.postgres.as_ref(), config.folder("users"));
        let granted = atelier_users::grant_role(server, &data, email, role).await?;
        return Ok(granted.user_id);
    }
    Err(match crate::client::trouble::status_of(&error) {
        Some(status) if status.code() == Code::NotFound => {
            Trouble::failed(format!("no account has the e-mail {}", plain(email))).into()
        }
        _ => error,
    })
}

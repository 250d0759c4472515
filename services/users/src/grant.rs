//! Giving roles while no service runs: whoever can write the database may name the first admin; no account can.

use std::path::{Path, PathBuf};

use atelier_kit::identity::Role;
use atelier_kit::sql::{OpenError, PostgresServer};

use crate::error::Error;
use crate::ports::UserStore as _;
use crate::store::{self, SqlUserStore};
use crate::{DATABASE, email};

/// What [`grant_role`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The account's id.
    pub user_id: String,
    /// The account's e-mail, as it is kept.
    pub email: String,
    /// The role it had; the one that was given when nothing had to change.
    pub before: Role,
}

/// Why nobody was made an admin.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// The folder has no database: the service has never run there.
    #[error("there is no accounts database at {}; start the users service once, and register the account", .0.display())]
    NoDatabase(PathBuf),
    /// The e-mail cannot be one.
    #[error("the e-mail {0}")]
    Email(&'static str),
    /// Nobody has registered with this e-mail.
    #[error("no account has the e-mail {0}; register it first")]
    Unknown(String),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be written.
    #[error("the account could not be changed: {0}")]
    Store(#[from] Error),
}

/// Makes the account of an e-mail an admin; see [`grant_role`].
pub async fn grant_admin(
    server: Option<&PostgresServer>,
    data: &Path,
    email: &str,
) -> Result<Granted, GrantError> {
    grant_role(server, data, email, Role::Admin).await
}

/// Gives the account of an e-mail another role, in the database of the users service: on this server, or where there is none
/// in the service's folder, `data`. The service may be running: its tokens carry the new role from their next refresh on.
pub async fn grant_role(
    server: Option<&PostgresServer>,
    data: &Path,
    email: &str,
    role: Role,
) -> Result<Granted, GrantError> {
    let email = email::normalise(email).map_err(GrantError::Email)?;
    let path = data.join(DATABASE);
    // Opening would make an empty one, and then deny that the account exists.
    if server.is_none() && !path.is_file() {
        return Err(GrantError::NoDatabase(path));
    }
    let database = store::open(server, data).await?;
    let granted = SqlUserStore::new(database.clone())
        .grant(&email, role, atelier_kit::moment::now())
        .await;
    database.close().await;
    match granted? {
        Some((user_id, before)) => Ok(Granted {
            user_id,
            email,
            before,
        }),
        None => Err(GrantError::Unknown(email)),
    }
}

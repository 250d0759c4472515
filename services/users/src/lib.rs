#![doc = include_str!("../README.md")]

mod accounts;
mod config;
mod email;
mod error;
mod grant;
mod grpc;
mod keyring;
mod passwords;
mod ports;
mod sessions;
mod store;
mod sweeper;
mod tokens;
mod users;

use std::sync::Arc;

use atelier_kit::service::{Foundation, Service, StartError};
use atelier_proto::users::v1::users_service_server::UsersServiceServer;

pub use config::{Config, REFRESH_GRACE_SECONDS, SETTINGS};
pub use error::Error;
pub use grant::{GrantError, Granted, grant_admin};
pub use passwords::Argon2Passwords;
pub use ports::{Clock, Passwords, SystemClock};

use accounts::Accounts;
use keyring::KeyRing;
use store::{SqliteKeyStore, SqliteSessionStore, SqliteUserStore};

/// The database's name within the service's folder.
const DATABASE: &str = "users.db";

/// Builds the service: opens its database in the foundation's folder, makes the first signing key when there is none,
/// and starts the sweeper, which ends with `foundation.stop`.
pub async fn build(config: Config, foundation: &Foundation) -> Result<Service, StartError> {
    let passwords =
        Argon2Passwords::new().map_err(|error| StartError::other("the password hashing", error))?;
    build_with(
        config,
        foundation,
        Arc::new(SystemClock),
        Arc::new(passwords),
    )
    .await
}

/// The same, with another clock and another way to hash passwords.
pub async fn build_with(
    config: Config,
    foundation: &Foundation,
    clock: Arc<dyn Clock>,
    passwords: Arc<dyn Passwords>,
) -> Result<Service, StartError> {
    let path = foundation.data.join(DATABASE);
    let database = store::open(&path).await?;
    let sessions = Arc::new(SqliteSessionStore::new(database.clone()));
    let ring = KeyRing::open(
        &SqliteKeyStore::new(database.clone()),
        &foundation.secret.derive("key-ring"),
        clock.now(),
    )
    .await
    .map_err(|error| {
        StartError::other(
            "the key ring (is it the same ATELIER_SECRET as before?)",
            error,
        )
    })?;
    let signs_with = ring.kid().to_owned();

    foundation.tasks.spawn(sweeper::run(
        sessions.clone(),
        clock.clone(),
        config.sweep_every,
        foundation.stop.clone().cancelled_owned(),
    ));
    let accounts = Accounts {
        users: Arc::new(SqliteUserStore::new(database.clone())),
        sessions,
        passwords,
        ring,
        clock,
        grace: config.refresh_grace,
    };
    let service = UsersServiceServer::new(grpc::UsersGrpc::new(accounts, foundation.pages.clone()));
    Ok(Service::new(tonic::service::Routes::new(service))
        .with_adapter("accounts", format!("sqlite {}", path.display()))
        .with_adapter(
            "keys",
            format!("RSA-2048 {signs_with} in {}", path.display()),
        )
        .on_close(move || async move { database.close().await }))
}

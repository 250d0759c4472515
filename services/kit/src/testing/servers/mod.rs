//! Real engines for tests. Each test process starts private servers when it needs them, on loopback and in a folder of its own,
//! and takes them along when it ends, however it ends. What is not installed fails with what to install: `./test --setup`.
//!
//! `ATELIER_TEST_STORE` says what the suites of the stores run on: `sqlite` (the default), `postgres` or `mongodb`. Each suite
//! is the same on each.

#![expect(
    clippy::disallowed_methods,
    reason = "what is set for the tests is read of the environment, and their servers are waited for by whoever starts them"
)]

mod mongo;
mod postgres;
mod private;
mod redis;
mod s3;

pub use mongo::Mongo;
pub use postgres::Postgres;
pub use private::Private;
pub use redis::Redis;
pub use s3::S3;

use std::path::Path;

use crate::mongo::MongoServer;
use crate::service::Engines;
use crate::sql::PostgresServer;

/// What the suites of the stores run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Files.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
    /// A server that speaks MongoDB's protocol.
    Mongo,
}

impl Store {
    /// As `ATELIER_TEST_STORE` says.
    ///
    /// # Panics
    ///
    /// When it says something else.
    pub fn chosen() -> Self {
        match std::env::var("ATELIER_TEST_STORE").as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok("mongodb") => Self::Mongo,
            Ok(other) => panic!("ATELIER_TEST_STORE cannot be {other:?}"),
        }
    }
}

/// The engines of a service whose folder this is: the same folder has the same databases, and another has others.
pub fn engines(folder: &Path) -> Engines {
    Engines {
        postgres: postgres_of(folder),
        mongodb: mongodb_of(folder),
        ..Engines::default()
    }
}

/// The PostgreSQL database of a folder, where the suites run on PostgreSQL.
///
/// # Panics
///
/// When no server can be started.
pub fn postgres_of(folder: &Path) -> Option<PostgresServer> {
    (Store::chosen() == Store::Postgres).then(|| Postgres::shared().database(&name_of(folder)))
}

/// The MongoDB database of a folder, where the suites run on MongoDB.
///
/// # Panics
///
/// When no server can be started.
pub fn mongodb_of(folder: &Path) -> Option<MongoServer> {
    (Store::chosen() == Store::Mongo).then(|| Mongo::shared().database(&name_of(folder)))
}

/// What tells a process that a test starts where this test's servers are.
///
/// # Panics
///
/// When no server can be started.
pub fn shared_with_children() -> Vec<(&'static str, String)> {
    match Store::chosen() {
        Store::Postgres => vec![(postgres::URL, Postgres::shared().told().to_owned())],
        Store::Mongo => vec![Mongo::shared().for_children()],
        Store::Sqlite => Vec::new(),
    }
}

/// Gives a folder the databases that another has, as a copy of its files does; nobody may be connected to them.
///
/// # Panics
///
/// When they cannot be copied.
pub fn copy_databases(from: &Path, to: &Path) {
    if Store::chosen() == Store::Postgres {
        Postgres::shared().copy(&name_of(from), &name_of(to));
    }
}

/// A name for what a folder stands for.
fn name_of(folder: &Path) -> String {
    let digest = crate::secret::digest(&[folder.as_os_str().as_encoded_bytes()]);
    digest[..12].iter().fold("t".to_owned(), |mut name, byte| {
        name.push_str(&format!("{byte:02x}"));
        name
    })
}

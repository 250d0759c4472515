//! A database with one table, on whichever engine the suite is run on.

use std::path::Path;

use atelier_kit::sql::{Database, Migrations, PostgresServer, query, query_as};
use atelier_kit::testing::servers::{self, Postgres, Store};

pub const MIGRATIONS: Migrations = Migrations::of_service(
    || sqlx::migrate!("tests/sql/migrations/sqlite"),
    Some(|| sqlx::migrate!("tests/sql/migrations/postgres")),
);

/// Those of the next version.
pub const NEWER: Migrations = Migrations::of_service(
    || sqlx::migrate!("tests/sql/migrations/sqlite"),
    Some(|| sqlx::migrate!("tests/sql/migrations/postgres-newer")),
);

/// The database of a folder.
pub async fn open(folder: &Path) -> Database {
    match servers::postgres_of(folder) {
        Some(server) => Database::schema(&server, "things", &[MIGRATIONS]).await,
        None => Database::file(&folder.join("things.db"), &[MIGRATIONS]).await,
    }
    .unwrap()
}

/// The database of a server that a test has for itself.
pub async fn on(server: &PostgresServer) -> Database {
    Database::schema(server, "things", &[MIGRATIONS])
        .await
        .unwrap()
}

/// A new database on the server of this process; `None` where the suite is not run on PostgreSQL.
pub fn server() -> Option<PostgresServer> {
    let name = format!("t{}", uuid());
    (Store::chosen() == Store::Postgres).then(|| Postgres::shared().database(&name))
}

/// A server of its own, for a test that does it harm; `None` where the suite is not run on PostgreSQL.
pub fn own_server() -> Option<Postgres> {
    (Store::chosen() == Store::Postgres).then(Postgres::start)
}

fn uuid() -> String {
    atelier_kit::moment::new_id().replace('-', "")
}

/// Adds a thing in a transaction of its own.
pub async fn add(database: &Database, name: &str) -> Result<(), sqlx::Error> {
    let mut write = database.begin().await?;
    query("INSERT INTO things (name) VALUES ($1)")
        .bind(name)
        .execute(&mut *write)
        .await?;
    write.commit().await
}

pub async fn count(database: &Database) -> i64 {
    let (count,): (i64,) = query_as("SELECT COUNT(*) FROM things")
        .fetch_one(database.read())
        .await
        .unwrap();
    count
}

//! PostgreSQL: a schema for each service, a pool, and a time within which it must answer.

use std::str::FromStr as _;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Error, PgConnection};

use super::{Migrations, OpenError};

/// How long a start waits for a server that is not there yet: nothing of a mesh need be started in an order.
const START: Duration = Duration::from_secs(60);
/// How long one look for the server takes at most, and the pause after it.
const LOOK: Duration = Duration::from_secs(3);
/// How long somebody waits for a connection. Below the shortest deadline of a method, so that the answer is still heard.
pub(super) const ACQUIRE: Duration = Duration::from_secs(3);
/// How many connections a process keeps to one service's schema.
const CONNECTIONS: u32 = 16;

/// Where a PostgreSQL server is, and who we are there.
#[derive(Clone, Debug)]
pub struct PostgresServer {
    url: SecretString,
    /// As it may be told: without a password.
    told: String,
}

impl PostgresServer {
    /// Reads a URL such as `postgres://atelier:secret@db:5432/atelier?sslmode=verify-full`.
    pub fn parse(url: &str) -> Result<Self, String> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err("it must begin with postgres://".to_owned());
        }
        // What sqlx says may have the password in it.
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| "it is no URL of a PostgreSQL server".to_owned())?;
        let database = options.get_database().unwrap_or("");
        let told = format!(
            "postgres {}:{}/{database}",
            options.get_host(),
            options.get_port()
        );
        Ok(Self {
            url: SecretString::from(url),
            told,
        })
    }

    /// Whether it is asked to speak TLS and nothing else.
    pub fn is_encrypted(&self) -> bool {
        PgConnectOptions::from_str(self.url.expose_secret()).is_ok_and(|options| {
            matches!(
                options.get_ssl_mode(),
                PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
            )
        })
    }

    fn options(&self, schema: &str) -> Result<PgConnectOptions, Error> {
        Ok(PgConnectOptions::from_str(self.url.expose_secret())?
            .application_name(&format!("atelier-{schema}"))
            .options([
                ("search_path", format!("\"{schema}\"").as_str()),
                // Whoever waits for a lock must hear so before he gives up himself.
                ("lock_timeout", "3s"),
                ("statement_timeout", "30s"),
                // A process that is frozen in the middle of a transaction holds up nobody for longer.
                ("idle_in_transaction_session_timeout", "20s"),
            ])
            // Values may be a person's words.
            .disable_statement_logging())
    }
}

impl std::fmt::Display for PostgresServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.told)
    }
}

/// Opens a service's schema, and applies the migrations to it.
pub(super) async fn open(
    server: &PostgresServer,
    schema: &'static str,
    migrations: &[Migrations],
) -> Result<PgPool, OpenError> {
    let refused = |source| OpenError::Open {
        path: format!("{server}, schema {schema}"),
        source,
    };
    let options = server.options(schema).map_err(refused)?;
    let mut first = connect(server, &options).await.map_err(refused)?;
    migrate(&mut first, server, schema, migrations).await?;
    let _ = first.close().await;
    Ok(PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(Duration::from_secs(300))
        .max_lifetime(Duration::from_secs(1800))
        .connect_lazy_with(options.statement_cache_capacity(super::STATEMENTS)))
}

/// Looks for the server until it is there, as long as it is likely to come.
async fn connect(
    server: &PostgresServer,
    options: &PgConnectOptions,
) -> Result<PgConnection, Error> {
    let began = tokio::time::Instant::now();
    loop {
        let looked = tokio::time::timeout(LOOK, options.connect()).await;
        let error = match looked {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) if !super::is_away(&error) => return Err(error),
            Ok(Err(error)) => error,
            Err(_) => Error::PoolTimedOut,
        };
        if began.elapsed() > START {
            return Err(error);
        }
        tracing::warn!(%server, %error, "the database is not there yet");
        tokio::time::sleep(LOOK).await;
    }
}

/// Applies the migrations, one starter after the other. A schema that is newer than this version is left as it is: the
/// version before may still be running, and may be started again, while the next one is rolled out.
async fn migrate(
    connection: &mut PgConnection,
    server: &PostgresServer,
    schema: &'static str,
    migrations: &[Migrations],
) -> Result<(), OpenError> {
    let path = || format!("{server}, schema {schema}");
    let refused = |source| OpenError::Open {
        path: path(),
        source,
    };
    // The lock ends with the connection, whatever becomes of this process.
    let alone = format!(
        "SET lock_timeout = '60s'; SET statement_timeout = 0; SELECT pg_advisory_lock({})",
        super::Lock::of(schema, "migrations").number()
    );
    sqlx::raw_sql(AssertSqlSafe(alone))
        .execute(&mut *connection)
        .await
        .map_err(refused)?;
    // Asked first: who may not make schemas may well use one that was made for him.
    let there: Option<(i32,)> =
        sqlx::query_as("SELECT 1 FROM information_schema.schemata WHERE schema_name = $1")
            .bind(schema)
            .fetch_optional(&mut *connection)
            .await
            .map_err(refused)?;
    if there.is_none() {
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA \"{schema}\"")))
            .execute(&mut *connection)
            .await
            .map_err(refused)?;
    }
    for mut migrator in migrations.iter().filter_map(Migrations::postgres) {
        migrator.set_ignore_missing(true).set_locking(false);
        // `run` is this and a borrow that no thread may be told of.
        migrator
            .run_direct(None, &mut *connection, false)
            .await
            .map_err(|source| OpenError::Migrate {
                path: path(),
                source,
            })?;
    }
    Ok(())
}

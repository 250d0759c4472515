//! The real engines: started for one run, in folders of their own, and gone with it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use atelier_kit::sql::PostgresServer;
use atelier_kit::testing::servers::{Mongo, Private, Redis, S3};
use mongodb::bson::doc;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// The user that PostgreSQL is run as where the bench is root's: it refuses to be.
const USER: &str = "postgres";
/// What the server of the tests is built by.
const STAND_IN: &str = include_str!("../../../services/kit/tests/mongo/go.mod");
/// When a server that takes no connections is given up on.
const PATIENCE: Duration = Duration::from_secs(30);

/// All of them.
pub struct Engines {
    /// For rows.
    pub postgres: Postgres,
    /// For documents.
    pub mongo: &'static Mongo,
    /// For what replicas share.
    pub redis: Redis,
    /// For objects.
    pub s3: S3,
}

/// What the page says of them.
pub struct Versions {
    /// As in `PostgreSQL 15.8`.
    pub postgres: String,
    /// Of whatever speaks MongoDB's protocol.
    pub mongo: String,
    /// Whether that is the server of the tests, and no MongoDB.
    pub is_stand_in: bool,
    /// As in `Redis 7.0.15`.
    pub redis: String,
    /// As in `Versity S3 gateway 1.7.0`.
    pub s3: String,
}

impl Engines {
    /// Starts them. It waits for each, so that it belongs before the runtime.
    pub fn start() -> anyhow::Result<Self> {
        Ok(Self {
            postgres: Postgres::start()?,
            mongo: Mongo::shared(),
            redis: Redis::start(),
            s3: S3::start(),
        })
    }

    /// Asks each of them.
    pub async fn versions(&self) -> anyhow::Result<Versions> {
        let (mongo, is_stand_in) = self.mongo_version().await?;
        let redis = self.redis.cli(&["INFO", "server"]);
        let redis = line_of(&redis, "redis_version:").context("no version of Redis")?;
        Ok(Versions {
            postgres: self.postgres.version().await?,
            mongo,
            is_stand_in,
            redis: format!("Redis {redis}"),
            s3: format!("Versity S3 gateway {}", self.s3.version()),
        })
    }

    async fn mongo_version(&self) -> anyhow::Result<(String, bool)> {
        let client = mongodb::Client::with_uri_str(self.mongo.url("admin")).await?;
        let told = client
            .database("admin")
            .run_command(doc! {"buildInfo": 1})
            .await?;
        if told.get_str("ferretdbVersion").is_err() {
            return Ok((format!("MongoDB {}", told.get_str("version")?), false));
        }
        // A library does not know its own version; what it was built by does.
        let module = "github.com/FerretDB/FerretDB ";
        let mut lines = STAND_IN.lines().map(str::trim);
        let version = lines.find_map(|line| line.strip_prefix(module));
        let version = version.context("no version of FerretDB")?;
        Ok((format!("FerretDB {version}"), true))
    }
}

/// What follows a name on its line.
fn line_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines();
    lines.find_map(|line| Some(line.strip_prefix(name)?.trim()))
}

/// A PostgreSQL server with its own settings. That of the tests does not wait for the disk, because it is killed and its
/// machine is not; here that is what a commit is measured for.
pub struct Postgres {
    url: String,
    _server: Private,
}

impl Postgres {
    fn start() -> anyhow::Result<Self> {
        let folder = Private::folder("bench-postgres");
        let data = folder.join("data").display().to_string();
        if is_root()? {
            run(&[
                "chown".to_owned(),
                USER.to_owned(),
                folder.display().to_string(),
            ])?;
        }
        let mut initdb = program("initdb")?;
        let told = ["--auth=trust", "--username=atelier", "--encoding=UTF8"];
        initdb.extend(told.map(str::to_owned));
        initdb.extend(["--no-sync".to_owned(), "--pgdata".to_owned(), data.clone()]);
        run(&initdb)?;
        let port = Private::port();
        let mut command = program("postgres")?;
        command.extend(["-D".to_owned(), data]);
        command.extend(["-k".to_owned(), folder.display().to_string()]);
        let port_set = format!("port={port}");
        for setting in [
            "listen_addresses=127.0.0.1",
            "max_connections=400",
            &port_set,
        ] {
            command.extend(["-c".to_owned(), setting.to_owned()]);
        }
        Ok(Self {
            _server: Private::start(folder, port, command),
            url: format!("postgres://atelier@127.0.0.1:{port}"),
        })
    }

    /// Connects to the database that every server has; it listens a little earlier than it answers.
    async fn connect(&self) -> anyhow::Result<PgConnection> {
        let url = format!("{}/postgres", self.url);
        let begun = Instant::now();
        loop {
            match PgConnection::connect(&url).await {
                Ok(connection) => return Ok(connection),
                Err(error) => ensure!(begun.elapsed() < PATIENCE, "no PostgreSQL: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A new database.
    pub async fn database(&self, name: &str) -> anyhow::Result<PostgresServer> {
        let mut connection = self.connect().await?;
        let sql = format!("CREATE DATABASE {name}");
        sqlx::query(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        PostgresServer::parse(&format!("{}/{name}", self.url)).map_err(anyhow::Error::msg)
    }

    async fn version(&self) -> anyhow::Result<String> {
        let mut connection = self.connect().await?;
        let show = |name: &'static str| sqlx::query_scalar::<_, String>(name);
        let version = show("SHOW server_version")
            .fetch_one(&mut connection)
            .await?;
        for setting in ["SHOW fsync", "SHOW synchronous_commit"] {
            let is = show(setting).fetch_one(&mut connection).await?;
            ensure!(
                is == "on",
                "{setting}: {is}, and a commit waits for no disk"
            );
        }
        connection.close().await?;
        let number = version.split(' ').next().unwrap_or(&version);
        Ok(format!("PostgreSQL {number}"))
    }
}

/// Where its programs are: Debian keeps the server's out of the PATH.
fn binaries() -> anyhow::Result<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions
        .pop()
        .context("PostgreSQL is not installed: ./test --setup postgres")
}

fn is_root() -> anyhow::Result<bool> {
    let id = Command::new("id").arg("-u").output()?;
    Ok(id.stdout.trim_ascii() == b"0")
}

/// One of its programs, as a user that it accepts.
fn program(name: &str) -> anyhow::Result<Vec<String>> {
    let program = binaries()?.join(name).display().to_string();
    if !is_root()? {
        return Ok(vec![program]);
    }
    let user = [format!("--reuid={USER}"), format!("--regid={USER}")];
    let command = ["setpriv".to_owned()].into_iter().chain(user);
    Ok(command
        .chain(["--clear-groups".to_owned(), program])
        .collect())
}

fn run(command: &[String]) -> anyhow::Result<()> {
    // It wants to go back to where it was called, which may be closed to its user.
    let done = Command::new(&command[0])
        .args(&command[1..])
        .current_dir("/")
        .output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{}: {said}", command.join(" "));
    Ok(())
}

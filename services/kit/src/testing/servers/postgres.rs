//! A PostgreSQL server of one test process, of the distribution's packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::Private;
use crate::sql::PostgresServer;

/// The user it is run as where the tests are root's: PostgreSQL refuses to be.
const USER: &str = "postgres";

/// Says to a process that a test starts where the server of that test is, as in `postgres://atelier@127.0.0.1:5433`: it uses
/// that one, and starts none.
pub const URL: &str = "ATELIER_TEST_POSTGRES_URL";

/// A server with as many databases as tests ask for.
#[derive(Debug)]
pub struct Postgres {
    /// `None` when it is another process's.
    server: Option<Private>,
    /// Its URL, without a database.
    url: String,
}

impl Postgres {
    /// The one that all tests of this process share; that of the process which has started this one, where [`URL`] says so.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var(URL) {
            Ok(url) => Self { server: None, url },
            Err(_) => Self::start(),
        })
    }

    /// One more, for a test that will kill it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start() -> Self {
        let folder = Private::folder("postgres");
        let data = folder.join("data");
        let port = Private::port();
        if is_root() {
            run(&["chown".into(), USER.into(), folder.display().to_string()]);
        }
        let text = |path: &Path| path.display().to_string();
        let mut initdb = program("initdb");
        initdb.extend(
            [
                "--auth=trust",
                "--username=atelier",
                "--encoding=UTF8",
                "--no-sync",
                "--pgdata",
            ]
            .map(String::from),
        );
        initdb.push(text(&data));
        run(&initdb);
        let mut command = program("postgres");
        command.extend(["-D".into(), text(&data), "-k".into(), text(&folder)]);
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "max_connections=400".to_owned(),
            // These servers are killed, and their machine is not: what was written to the system is there again.
            "fsync=off".to_owned(),
            "shared_buffers=64MB".to_owned(),
        ] {
            command.extend(["-c".to_owned(), setting]);
        }
        let postgres = Self {
            server: Some(Private::start(folder, port, command)),
            url: format!("postgres://atelier@127.0.0.1:{port}"),
        };
        postgres.answers();
        postgres
    }

    /// A database of this name, made when there is none.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub fn database(&self, name: &str) -> PostgresServer {
        let there = self.psql("postgres", &format!("CREATE DATABASE {name}"));
        assert!(
            there.is_ok()
                || there.as_ref().is_err_and(|why| {
                    // The second of two who make it at once is told of the key.
                    why.contains("already exists") || why.contains("pg_database_datname_index")
                }),
            "{there:?}"
        );
        PostgresServer::parse(&self.url(name)).unwrap()
    }

    /// A new database with all that is in another, which nobody is connected to.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub fn copy(&self, from: &str, to: &str) {
        let sql = format!("CREATE DATABASE {to} TEMPLATE {from}");
        let began = std::time::Instant::now();
        // Whoever has just disconnected may still be seen.
        while let Err(why) = self.psql("postgres", &sql) {
            assert!(began.elapsed().as_secs() < 20, "{why}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// The URL of a database.
    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// Where it is, for a process that is to use it: the value of [`URL`].
    pub fn told(&self) -> &str {
        &self.url
    }

    /// The server itself, to be killed, frozen and started again.
    ///
    /// # Panics
    ///
    /// When it is another process's.
    pub fn server(&mut self) -> &mut Private {
        self.server.as_mut().expect("a server of this process")
    }

    /// Waits until it takes connections: it listens a little earlier.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn answers(&self) {
        let began = std::time::Instant::now();
        while let Err(why) = self.psql("postgres", "SELECT 1") {
            assert!(
                began.elapsed().as_secs() < 60,
                "{why}\n{}",
                self.server.as_ref().map(Private::said).unwrap_or_default()
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Carries out a statement; returns what it says.
    ///
    /// # Errors
    ///
    /// What it complains about.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let told = Command::new(binaries().join("psql"))
            .args(["-X", "-A", "-t", "-q", "-d", &self.url(database), "-c", sql])
            .output()
            .unwrap();
        if told.status.success() {
            Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&told.stderr).into_owned())
        }
    }
}

/// Where the programs are: Debian keeps the server's out of the PATH.
fn binaries() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions
        .pop()
        .expect("PostgreSQL is not installed: ./test --setup postgres")
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// One of its programs, as a user that it accepts.
fn program(name: &str) -> Vec<String> {
    let program = binaries().join(name).display().to_string();
    if is_root() {
        let user = format!("--reuid={USER}");
        let group = format!("--regid={USER}");
        vec![
            "setpriv".into(),
            user,
            group,
            "--clear-groups".into(),
            program,
        ]
    } else {
        vec![program]
    }
}

fn run(command: &[String]) {
    let done = Command::new(&command[0])
        .args(&command[1..])
        // It wants to go back to where it was called, which may be closed to its user.
        .current_dir("/")
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}: {}",
        command.join(" "),
        String::from_utf8_lossy(&done.stderr)
    );
}

//! A Redis server of one test process, of the distribution's packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::Private;
use crate::redis::RedisServer;

/// A server that keeps nothing over its death.
#[derive(Debug)]
pub struct Redis {
    /// `None` when it is another process's.
    server: Option<Private>,
    /// What it is told by a process that has started this one: its URL.
    told: Option<String>,
    /// What stands between the port and the scheme.
    scheme: &'static str,
    query: String,
}

impl Redis {
    /// Says to a process that a test starts where the server of that test is: it uses that one, and starts none.
    pub const URL: &str = "ATELIER_TEST_REDIS_URL";

    /// The one that all tests of this process share; that of the process which has started this one, where
    /// [`Redis::URL`] says so.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        // No setting of the product: one test tells it to its children.
        SHARED.get_or_init(|| match std::env::var_os(Self::URL) {
            Some(url) => Self {
                server: None,
                told: url.into_string().ok(),
                scheme: "redis",
                query: String::new(),
            },
            None => Self::start(),
        })
    }

    /// One more, for a test that will kill it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start() -> Self {
        let port = Private::port();
        Self::with(
            "redis",
            String::new(),
            &["--port".into(), port.to_string()],
            port,
        )
    }

    /// One that takes nothing but TLS, with a certificate for 127.0.0.1 of the authority in this folder.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn secured(folder: &Path, role: &str) -> Self {
        let port = Private::port();
        let file = |name: String| folder.join(name).display().to_string();
        let authority = file("ca.pem".into());
        let settings = [
            ("--port", "0".to_owned()),
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", file(format!("{role}.pem"))),
            ("--tls-key-file", file(format!("{role}-key.pem"))),
            ("--tls-ca-cert-file", authority.clone()),
            ("--tls-auth-clients", "no".to_owned()),
        ];
        let settings: Vec<String> = settings
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value])
            .collect();
        Self::with("rediss", format!("?ca={authority}"), &settings, port)
    }

    fn with(scheme: &'static str, query: String, settings: &[String], port: u16) -> Self {
        let folder = Private::folder("redis");
        let mut command = vec![program().display().to_string()];
        command.extend(settings.iter().cloned());
        command.extend(
            [
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
            ]
            .map(String::from),
        );
        command.push(folder.display().to_string());
        Self {
            server: Some(Private::start(folder, port, command)),
            told: None,
            scheme,
            query,
        }
    }

    /// Where it is, with one of its sixteen databases; all of them where it is another process's are the one that was told.
    pub fn url(&self, database: u8) -> String {
        if let Some(told) = &self.told {
            return told.clone();
        }
        let (scheme, port, query) = (self.scheme, self.private().at(), &self.query);
        format!("{scheme}://127.0.0.1:{port}/{database}{query}")
    }

    fn private(&self) -> &Private {
        self.server.as_ref().expect("a server of this process")
    }

    /// The first database.
    ///
    /// # Panics
    ///
    /// Never: its URL is one.
    pub fn server_of(&self) -> RedisServer {
        RedisServer::parse(&self.url(0)).unwrap()
    }

    /// The server itself, to be killed, frozen and started again.
    ///
    /// # Panics
    ///
    /// When it is another process's.
    pub fn server(&mut self) -> &mut Private {
        self.server.as_mut().expect("a server of this process")
    }

    /// Carries out a command, as `redis-cli` takes it; returns what it says.
    ///
    /// # Panics
    ///
    /// When there is no `redis-cli`.
    pub fn cli(&self, command: &[&str]) -> String {
        let told = Command::new("redis-cli")
            .args(["-p", &self.private().at().to_string()])
            .args(command)
            .output()
            .unwrap();
        String::from_utf8_lossy(&told.stdout).trim().to_owned()
    }
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("redis-server"))
        .find(|program| program.exists())
        .expect("Redis is not installed: ./test --setup redis")
}

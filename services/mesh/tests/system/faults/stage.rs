//! A mesh in earnest: two processes for each role on loopback addresses of their own, on engines that others wrote, all of which
//! can be killed, frozen and started again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atelier_kit::testing::servers::{Mongo, Postgres, Private, Redis, S3};

use crate::running::{Launch, Running, free_port};
use crate::split::{SECRET, SERVICES};

/// Where the copies of a role listen, all at its one port.
const HOSTS: [&str; 2] = ["127.0.0.1", "127.0.0.2"];

/// The engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    Postgres,
    Mongo,
    Redis,
    S3,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Mongo, Self::Redis, Self::S3];
}

/// The servers of a mesh.
pub struct Engines {
    postgres: Postgres,
    mongo: Mongo,
    redis: Redis,
    s3: S3,
}

impl Engines {
    /// Starts all four.
    pub fn start() -> Self {
        Self {
            postgres: Postgres::start(),
            mongo: Mongo::start(),
            redis: Redis::start(),
            s3: S3::start(),
        }
    }

    /// What a process must be told to use them.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        self.postgres.database("atelier");
        let mut variables = self.s3.variables();
        variables.extend([
            ("ATELIER_POSTGRES_URL", self.postgres.url("atelier")),
            ("ATELIER_MONGODB_URL", self.mongo.url("atelier")),
            ("ATELIER_REDIS_URL", self.redis.url(0)),
        ]);
        variables
    }

    /// Which servers they are.
    pub fn versions(&self) -> String {
        let postgres = self.postgres.psql("postgres", "SHOW server_version");
        let told = self.redis.cli(&["INFO", "server"]);
        let redis = told
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"));
        let [postgres, redis] = [postgres.ok().as_deref(), redis].map(|version| {
            let version = version.and_then(|version| version.split_whitespace().next());
            version.unwrap_or("of unknown version").to_owned()
        });
        format!(
            "PostgreSQL {postgres}, Redis {redis}, FerretDB 1.24.2 in place of MongoDB, the Versity S3 gateway 1.8.0"
        )
    }

    /// One of them.
    pub fn server(&mut self, engine: Engine) -> &mut Private {
        match engine {
            Engine::Postgres => self.postgres.server(),
            Engine::Mongo => self.mongo.server(),
            Engine::Redis => self.redis.server(),
            Engine::S3 => self.s3.server(),
        }
    }

    /// Waits until one answers again.
    pub fn answers(&self, engine: Engine) {
        if engine == Engine::Postgres {
            self.postgres.answers();
        }
    }
}

/// The mesh.
pub struct Mesh {
    /// Its engines.
    pub engines: Engines,
    /// The URLs of its edges.
    pub edges: Vec<String>,
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
    port: u16,
    running: BTreeMap<(&'static str, usize), Running>,
}

impl Mesh {
    /// Starts two of each role.
    pub async fn start(folder: &Path) -> Self {
        let engines = Engines::start();
        let port = free_port();
        let mut settings = engines.variables();
        for (_, name) in SERVICES {
            let port = free_port();
            let urls = HOSTS.map(|host| format!("http://{host}:{port}"));
            settings.push((name, urls.join(",")));
        }
        let edges = HOSTS.map(|host| format!("http://{host}:{port}"));
        settings.extend([
            ("ATELIER_SECRET", SECRET.to_owned()),
            ("ATELIER_PUBLIC_URL", edges[0].clone()),
            ("ATELIER_PROFILE", "production".to_owned()),
            ("ATELIER_ALLOW", "offline,mail-folder".to_owned()),
            ("ATELIER_LAME_DUCK_SECONDS", "1".to_owned()),
        ]);
        let mut mesh = Self {
            engines,
            edges: edges.into(),
            folder: folder.to_path_buf(),
            settings,
            port,
            running: BTreeMap::new(),
        };
        for role in mesh.roles() {
            for copy in 0..HOSTS.len() {
                mesh.begin(role, copy).await;
            }
        }
        mesh
    }

    fn roles(&self) -> impl Iterator<Item = &'static str> + use<> {
        let services = SERVICES.iter().map(|(role, _)| *role);
        services.chain(["edge"])
    }

    /// Starts one copy of a role.
    pub async fn begin(&mut self, role: &'static str, copy: usize) {
        self.begin_with(role, copy, &[]).await;
    }

    /// Starts one copy of a role whose clock is two minutes ahead; its timers go as they should.
    pub async fn begin_skewed(&mut self, role: &'static str, copy: usize) {
        let ahead = [
            ("LD_PRELOAD", faketime()),
            ("FAKETIME", "+120s".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        self.begin_with(role, copy, &ahead).await;
    }

    async fn begin_with(
        &mut self,
        role: &'static str,
        copy: usize,
        more: &[(&'static str, String)],
    ) {
        let data = self.folder.join(format!("{role}-{copy}"));
        let launch = Launch::new(&[role])
            .args(&["--data", &data.display().to_string()])
            .args(&["--port", &self.port.to_string(), "--admin-port", "0"])
            .env("ATELIER_HOST", HOSTS[copy])
            .envs(&self.settings)
            .envs(more);
        let before = self.running.insert((role, copy), launch.start().await);
        assert!(before.is_none(), "{role} runs already");
    }

    /// Kills one copy.
    pub async fn kill(&mut self, role: &'static str, copy: usize) {
        let running = self.running.remove(&(role, copy));
        running.expect("it runs").kill().await;
    }

    /// Tells one copy to go, and waits until it has.
    pub async fn leave(&mut self, role: &'static str, copy: usize) {
        let running = self.running.remove(&(role, copy)).expect("it runs");
        running.signal("TERM");
        let ended = running.ended(Duration::from_secs(40)).await;
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }

    /// The admin port of one copy.
    pub fn admin(&self, role: &'static str, copy: usize) -> &str {
        self.running[&(role, copy)].admin()
    }
}

/// Debian's libfaketime, whichever machine it is for.
fn faketime() -> String {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten();
    let mut found = folders
        .filter_map(|entry| Some(entry.ok()?.path().join("faketime/libfaketime.so.1")))
        .filter(|library| library.exists());
    let library = found
        .next()
        .expect("libfaketime is not installed: ./test --setup apt");
    library.display().to_string()
}

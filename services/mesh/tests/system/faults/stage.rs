//! A mesh in earnest: two processes for each role on loopback addresses of their own, on engines that others wrote, all of which
//! can be killed, frozen and started again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atelier_kit::testing::servers::{Mongo, Postgres, Private, Redis, S3};
use futures_util::future::join_all;

use super::disk::Disk;
use super::streams::PROVIDER;
use crate::running::{Launch, Running, free_port};
use crate::split::{SECRET, SERVICES};
use crate::web;

/// Where the copies of a role listen, all at its one port.
const HOSTS: [&str; 2] = ["127.0.0.1", "127.0.0.2"];

/// What is made by the program itself, and a model that takes its time.
const MODELS: &str = r#"
[providers.simulated]
url = "PROVIDER"

[[models]]
id = "atelier-offline"
medium = "chat"
provider = "offline"

[[models]]
id = "patient"
medium = "chat"
provider = "simulated"

[[models]]
id = "atelier-painter"
medium = "image"
provider = "offline"

[[models]]
id = "flite"
medium = "speech"
provider = "offline"
voices = ["kal"]
"#;

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

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mongo => "the MongoDB server",
            Self::Redis => "Redis",
            Self::S3 => "the S3 server",
        }
    }
}

/// The servers of a mesh.
pub struct Engines {
    postgres: Postgres,
    mongo: Mongo,
    redis: Redis,
    s3: S3,
    /// What the object store is on, where it is to be filled; after the store, which goes first.
    disk: Option<Disk>,
}

impl Engines {
    /// Starts all four, the object store on this disk if there is one.
    pub fn start(disk: Option<Disk>) -> Self {
        Self {
            postgres: Postgres::start(),
            mongo: Mongo::start(),
            redis: Redis::start(),
            s3: match &disk {
                Some(disk) => S3::start_in(disk.path()),
                None => S3::start(),
            },
            disk,
        }
    }

    /// The disk of the object store.
    pub fn disk(&mut self) -> &mut Disk {
        self.disk.as_mut().expect("a disk that can be filled")
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
            "PostgreSQL {postgres}, Redis {redis}, FerretDB {} in place of MongoDB, the Versity S3 gateway {}",
            ferretdb(),
            self.s3.version()
        )
    }

    /// Whether each migration of each schema has been applied once, and to its end; how many there are.
    pub fn migrations(&self) -> usize {
        let tables = "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables \
            WHERE table_name LIKE '%migrations'";
        let tables = self.postgres.psql("atelier", tables).expect("the tables");
        let mut applied = 0;
        for table in tables.lines() {
            let sql =
                format!("SELECT count(DISTINCT version), count(*), bool_and(success) FROM {table}");
            let told = self.postgres.psql("atelier", &sql).expect("the migrations");
            let told: Vec<&str> = told.split('|').collect();
            assert_eq!((told[0], told[2]), (told[1], "t"), "{table}");
            applied += told[0].parse::<usize>().unwrap();
        }
        applied
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

/// How a mesh is other than usual.
pub struct Ways {
    /// Who makes the replies that take their time.
    pub provider: String,
    /// More variables of all processes.
    pub settings: Vec<(&'static str, String)>,
    /// More variables of the edges.
    pub of_edges: Vec<(&'static str, String)>,
    /// The roles whose two processes have one folder.
    pub shared: Vec<&'static str>,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            provider: PROVIDER.to_owned(),
            settings: Vec::new(),
            of_edges: Vec::new(),
            shared: Vec::new(),
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
    of_edges: Vec<(&'static str, String)>,
    shared: Vec<&'static str>,
    port: u16,
    running: BTreeMap<(&'static str, usize), Running>,
}

impl Mesh {
    /// Starts two of each role, all of them at once, on empty databases.
    pub async fn start(folder: &Path) -> Self {
        Self::start_on(folder, Engines::start(None), &Ways::default()).await
    }

    /// The same on these engines, in other ways than the usual ones.
    pub async fn start_on(folder: &Path, engines: Engines, ways: &Ways) -> Self {
        let port = free_port();
        let mut settings = engines.variables();
        for (_, name) in SERVICES {
            let port = free_port();
            let urls = HOSTS.map(|host| format!("http://{host}:{port}"));
            settings.push((name, urls.join(",")));
        }
        let edges = HOSTS.map(|host| format!("http://{host}:{port}"));
        let models = folder.join("models.toml");
        std::fs::write(&models, MODELS.replace("PROVIDER", &ways.provider)).unwrap();
        settings.extend([
            ("ATELIER_SECRET", SECRET.to_owned()),
            ("ATELIER_PUBLIC_URL", edges[0].clone()),
            ("ATELIER_PROFILE", "production".to_owned()),
            ("ATELIER_ALLOW", "offline,simulator,mail-folder".to_owned()),
            ("ATELIER_MODELS", models.display().to_string()),
            ("ATELIER_LAME_DUCK_SECONDS", "1".to_owned()),
        ]);
        settings.extend(ways.settings.clone());
        let mut mesh = Self {
            engines,
            edges: edges.into(),
            folder: folder.to_path_buf(),
            settings,
            of_edges: ways.of_edges.clone(),
            shared: ways.shared.clone(),
            port,
            running: BTreeMap::new(),
        };
        let copies = mesh.roles().flat_map(|role| [(role, 0), (role, 1)]);
        let started = copies.map(|(role, copy)| {
            let launch = mesh.launch(role, copy, &[]);
            async move { ((role, copy), launch.start().await) }
        });
        let running = join_all(started).await;
        mesh.running.extend(running);
        mesh
    }

    /// All roles, the edge last.
    pub fn roles(&self) -> impl Iterator<Item = &'static str> + use<> {
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
        let launch = self.launch(role, copy, more);
        let before = self.running.insert((role, copy), launch.start().await);
        assert!(before.is_none(), "{role} runs already");
    }

    fn launch(&self, role: &'static str, copy: usize, more: &[(&'static str, String)]) -> Launch {
        let data = match self.shared.contains(&role) {
            true => self.folder.join(role),
            false => self.folder.join(format!("{role}-{copy}")),
        };
        Launch::new(&[role])
            .args(&["--data", &data.display().to_string()])
            .args(&["--port", &self.port.to_string(), "--admin-port", "0"])
            .env("ATELIER_HOST", HOSTS[copy])
            .envs(&self.settings)
            .envs(if role == "edge" { &self.of_edges } else { &[] })
            .envs(more)
    }

    /// Kills one copy.
    pub async fn kill(&mut self, role: &'static str, copy: usize) {
        let running = self.running.remove(&(role, copy));
        running.expect("it runs").kill().await;
    }

    /// Tells one copy to go.
    pub fn tell_to_go(&self, role: &'static str, copy: usize) {
        self.running[&(role, copy)].signal("TERM");
    }

    /// Waits until one that was told so has gone.
    pub async fn gone(&mut self, role: &'static str, copy: usize) {
        let running = self.running.remove(&(role, copy)).expect("it runs");
        let ended = running.ended(Duration::from_secs(40)).await;
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    }

    /// Whether both copies of a role take calls, as all who call it see them.
    pub async fn is_whole(&self, role: &str) -> bool {
        for ((of, _), running) in &self.running {
            if *of == role {
                let page = web::get(&format!("{}/readyz", running.admin())).await;
                if page.status != 200 {
                    return false;
                }
            }
            let page = web::get(&format!("{}/metrics", running.admin())).await;
            let of_role = format!("atelier_link_endpoints{{role=\"{role}\",state=\"");
            let known = page.text();
            let mut states = known.lines().filter_map(|line| line.strip_prefix(&of_role));
            let is_away = |state: &str| !state.starts_with("serving") && !state.ends_with(" 0");
            if states.any(is_away) {
                return false;
            }
        }
        true
    }

    /// The admin port of one copy.
    pub fn admin(&self, role: &'static str, copy: usize) -> &str {
        self.running[&(role, copy)].admin()
    }
}

/// Which FerretDB the stand-in for MongoDB is made of.
fn ferretdb() -> String {
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/../kit/tests/mongo/go.mod");
    let modules = std::fs::read_to_string(modules).unwrap();
    let version = modules
        .lines()
        .find_map(|line| line.split_once("github.com/FerretDB/FerretDB v"));
    version.expect("FerretDB").1.trim().to_owned()
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

//! The processes of one measurement: the service, the edge and Envoy before it, and who calls them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use atelier_kit::identity::{KeySource as _, Role};
use atelier_kit::limit::Quota;
use atelier_kit::testing::Issuer;
use bench_report::{Launch, Process, free_port, local};
use clap::ValueEnum;
use tempfile::TempDir;

use crate::call::{Caller, Kind, Protocol, Target};
use crate::door;
use crate::frames::Frames;

/// A way to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// gRPC, with nothing between
    Direct,
    /// grpc-web through our edge
    Edge,
    /// grpc-web through Envoy
    Envoy,
}

impl Way {
    /// Its line in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Edge => "edge",
            Self::Envoy => "Envoy",
        }
    }
}

/// What is the same for all measurements of a run.
pub struct Site {
    folder: TempDir,
    envoy: Option<PathBuf>,
    cores: String,
    issuer: Issuer,
    keys: PathBuf,
    jwks: String,
}

impl Site {
    /// What runs has these cores.
    pub async fn new(envoy: Option<&Path>, cores: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let issuer = Issuer::new();
        let jwks = issuer.fetch().await?;
        let keys = folder.path().join("keys.json");
        std::fs::write(&keys, &jwks)?;
        Ok(Self {
            envoy: envoy.map(std::path::absolute).transpose()?,
            cores: cores.to_owned(),
            folder,
            issuer,
            keys,
            jwks,
        })
    }

    /// The access token of the account with this number, as it stands in `authorization`.
    fn token(&self, number: usize) -> String {
        self.issuer
            .bearer_for(&format!("account-{number}"), Role::User, 7200)
    }

    async fn start<S: AsRef<std::ffi::OsStr>>(
        &self,
        name: &str,
        program: &Path,
        port: u16,
        arguments: &[S],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Process> {
        let launch = Launch {
            name,
            cores: &self.cores,
            folder: self.folder.path(),
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        launch
            .start(program, arguments)?
            .listening(local(port))
            .await
    }

    /// This program, in another part.
    async fn start_own(&self, part: &str, arguments: &[String]) -> anyhow::Result<(u16, Process)> {
        let port = free_port()?;
        let own = [part.to_owned(), format!("--port={port}")];
        let all = [own.as_slice(), arguments].concat();
        let program = std::env::current_exe()?;
        Ok((
            port,
            self.start(part, &program, port, &all, &[door::ALLOCATOR])
                .await?,
        ))
    }

    async fn start_envoy(
        &self,
        envoy: &Path,
        behind: u16,
        per_minute: Option<u32>,
    ) -> anyhow::Result<(u16, Process)> {
        let port = free_port()?;
        let checks = per_minute.map_or(String::new(), |limit| self.checks(limit));
        let text = include_str!("../peers/envoy.yaml")
            .replace("{CHECKS}", checks.trim_end())
            .replace("{PORT}", &port.to_string())
            .replace("{SERVICE}", &behind.to_string());
        let config = self.folder.path().join("envoy.yaml");
        std::fs::write(&config, text)?;
        let threads = std::thread::available_parallelism()?.to_string();
        let config = config.to_string_lossy();
        let arguments = [
            "--config-path",
            &config,
            "--concurrency",
            &threads,
            "--log-level",
            "warn",
            "--disable-hot-restart",
        ];
        Ok((
            port,
            self.start("envoy", envoy, port, &arguments, &[]).await?,
        ))
    }

    /// Envoy counts all calls together, and not by network.
    fn checks(&self, per_minute: u32) -> String {
        let (limit, fill) = match per_minute {
            Quota::MOST => (1_000_000_000, "1s"),
            few => (few, "60s"),
        };
        include_str!("../peers/checks.yaml")
            .replace("{JWKS}", &self.jwks)
            .replace("{LIMIT}", &limit.to_string())
            .replace("{FILL}", fill)
    }
}

/// Where a way is entered, and what stands there.
pub struct Entry {
    /// Which.
    pub way: Way,
    /// Where.
    pub address: SocketAddr,
    /// Which of those that stand before the service.
    front: Option<usize>,
}

impl Entry {
    fn target(&self, kind: Kind) -> Target {
        Target {
            address: self.address,
            protocol: match self.way {
                Way::Direct => Protocol::Grpc,
                Way::Edge | Way::Envoy => Protocol::Web,
            },
            kind,
        }
    }
}

/// All that runs.
pub struct Stand {
    /// The ways.
    pub entries: Vec<Entry>,
    /// The service.
    pub service: Process,
    fronts: Vec<Process>,
    checked: bool,
}

impl Stand {
    /// Starts it. With a limit calls are checked by what stands before the service.
    pub async fn start(site: &Site, ways: &[Way], per_minute: Option<u32>) -> anyhow::Result<Self> {
        let (behind, service) = site.start_own("service", &[]).await?;
        let mut stand = Self {
            entries: Vec::new(),
            service,
            fronts: Vec::new(),
            checked: per_minute.is_some(),
        };
        if ways.contains(&Way::Direct) && !stand.checked {
            stand.add(Way::Direct, behind, None);
        }
        if ways.contains(&Way::Edge) {
            let keys = site.keys.display();
            let mut arguments = vec![format!("--service={behind}"), format!("--keys={keys}")];
            arguments.extend(per_minute.map(|limit| format!("--per-minute={limit}")));
            let (port, edge) = site.start_own("edge", &arguments).await?;
            stand.add(Way::Edge, port, Some(edge));
        }
        if let Some(envoy) = &site.envoy
            && ways.contains(&Way::Envoy)
        {
            let (port, envoy) = site.start_envoy(envoy, behind, per_minute).await?;
            stand.add(Way::Envoy, port, Some(envoy));
        }
        Ok(stand)
    }

    fn add(&mut self, way: Way, port: u16, front: Option<Process>) {
        self.entries.push(Entry {
            way,
            address: local(port),
            front: front.is_some().then_some(self.fronts.len()),
        });
        self.fronts.extend(front);
    }

    /// What stands before the service on a way.
    pub fn front(&self, entry: &Entry) -> Option<&Process> {
        self.fronts.get(entry.front?)
    }

    /// So many callers of a way, each an account and, up to 256 of them, a network of its own.
    pub async fn callers(
        &self,
        site: &Site,
        entry: &Entry,
        kind: Kind,
        count: usize,
    ) -> anyhow::Result<Vec<Caller>> {
        let (target, mut callers) = (entry.target(kind), Vec::with_capacity(count));
        for number in 0..count {
            let token = self.checked.then(|| site.token(number));
            let network = (number % 256) as u8;
            callers.push(Caller::connect(&target, network, token.as_deref()).await?);
        }
        Ok(callers)
    }

    /// That every way gives the right answer, and where calls are checked, none to those who have a token with a wrong signature.
    pub async fn prove(&self, site: &Site, kind: Kind) -> anyhow::Result<()> {
        for entry in &self.entries {
            let proven = self.prove_one(site, entry, kind).await;
            proven.with_context(|| self.failed(entry))?;
        }
        Ok(())
    }

    async fn prove_one(&self, site: &Site, entry: &Entry, kind: Kind) -> anyhow::Result<()> {
        let mut callers = self.callers(site, entry, kind, 1).await?;
        callers[0].prove().await?;
        if self.checked {
            let token = forged(&site.token(0));
            let mut stranger = Caller::connect(&entry.target(kind), 0, Some(&token)).await?;
            let answer = stranger.ask(Frames::default()).await?;
            ensure!(answer.is_for_nobody(), "a wrong token got {answer:?}");
        }
        Ok(())
    }

    /// That whoever calls more often than `limit`, which this was started with, is refused, and nobody before.
    pub async fn prove_limit(&self, site: &Site, limit: u32) -> anyhow::Result<()> {
        for entry in &self.entries {
            let mut callers = self.callers(site, entry, Kind::Small, 1).await?;
            for _ in 0..limit {
                callers[0]
                    .call()
                    .await
                    .with_context(|| self.failed(entry))?;
            }
            let answer = callers[0].ask(Frames::default()).await?;
            ensure!(
                answer.is_limited(),
                "{}: one call too many got {answer:?}",
                entry.way.name()
            );
        }
        Ok(())
    }

    /// What is said of a way that failed.
    pub fn failed(&self, entry: &Entry) -> String {
        let front = self.front(entry).map(Process::end_of_log);
        let (name, front) = (entry.way.name(), front.unwrap_or_default());
        format!("{name}\n{front}\n{}", self.service.end_of_log())
    }

    /// Ends all.
    pub async fn stop(self) {
        for process in self.fronts.into_iter().chain([self.service]) {
            process.stop().await;
        }
    }
}

/// A token whose signature is another one.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let other: String = signature
        .chars()
        .map(|letter| if letter == 'A' { 'B' } else { 'A' })
        .collect();
    format!("{signed}.{other}")
}

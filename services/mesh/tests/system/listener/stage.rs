//! Where the attacks happen: a running mesh, somebody who is served all the while, and the rows of the table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use atelier_kit::tls::AUTHORITY;
use atelier_proto::users::v1::GetKeySetRequest;
use atelier_proto::users::v1::users_service_client::UsersServiceClient;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::wire::Wire;
use crate::running::{Launch, Running};

/// Who attacks. Whoever is served comes from 127.0.0.1.
pub const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// A method that anyone may call, with a message of at most a kibibyte.
pub const OPEN: &str = "/atelier.users.v1.UsersService/GetKeySet";
/// How often the other client calls.
const EVERY: Duration = Duration::from_millis(50);
/// A mebibyte, in which `/proc` counts no memory.
const MIB: usize = 1024;

/// A mesh that is attacked.
pub struct Stage {
    /// It.
    pub mesh: Running,
    /// The edge's port.
    pub port: u16,
    table: &'static str,
    ceiling: usize,
    folder: TempDir,
}

/// An attack by its name.
pub type Attack<'a> = (&'static str, Pin<Box<dyn Future<Output = Outcome> + 'a>>);

/// What an attack was and what came of it.
pub struct Outcome {
    /// What was sent.
    pub sent: String,
    /// What was answered.
    pub answered: String,
}

impl Outcome {
    pub fn new(sent: impl Into<String>, answered: impl Into<String>) -> Self {
        Self {
            sent: sent.into(),
            answered: answered.into(),
        }
    }
}

impl Stage {
    /// Starts all roles in one process, which may take `ceiling` MiB. `table` is the part of the table that it fills.
    pub async fn start(table: &'static str, ceiling: usize, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut launch = Launch::serving(&[], folder.path());
        for (name, value) in settings {
            launch = launch.env(name, value);
        }
        let mesh = launch.start().await;
        let (_, port) = mesh.edge().rsplit_once(':').expect("a port");
        let port = port.trim_end_matches('/').parse().expect("a port");
        Self {
            mesh,
            port,
            table,
            ceiling,
            folder,
        }
    }

    /// A connection of the attacker.
    pub async fn wire(&self) -> Wire {
        Wire::open(self.port, STRANGER, &[]).await
    }

    /// Lets an attack happen, and holds the listener to what it promises of all of them.
    pub async fn attack(&self, name: &'static str, attack: impl Future<Output = Outcome>) {
        self.attacks(vec![(name, Box::pin(attack))]).await;
    }

    /// Lets attacks happen beside each other, for those that are long; the memory is that of all.
    pub async fn attacks(&self, attacks: Vec<Attack<'_>>) {
        let memory = Memory(self.mesh.id());
        memory.forget();
        let other = Other::begin(self.connect().await).await;
        let (names, attacks): (Vec<_>, Vec<_>) = attacks.into_iter().unzip();
        let outcomes = futures_util::future::join_all(attacks).await;
        let (served, slowest) = other.end(&names.join(", ")).await;
        let peak = memory.peak();
        for (name, outcome) in names.iter().zip(outcomes) {
            let row = format!(
                "| {name} | {} | {} | {peak} | {served}, {} ms |",
                outcome.sent,
                outcome.answered,
                slowest.as_millis()
            );
            record(self.table, row);
        }
        let ceiling = self.ceiling;
        assert!(
            peak < ceiling,
            "{names:?}: {peak} MiB are more than {ceiling}"
        );
    }

    /// Connects as anybody does; over TLS where the edge speaks that.
    async fn connect(&self) -> Channel {
        let mut endpoint = Endpoint::from_shared(self.mesh.edge().to_owned()).unwrap();
        if self.mesh.edge().starts_with("https:") {
            let authority = self.folder.path().join("certs").join(AUTHORITY);
            let authority = Certificate::from_pem(std::fs::read(authority).unwrap());
            let tls = ClientTlsConfig::new().ca_certificate(authority);
            endpoint = endpoint.tls_config(tls).unwrap();
        }
        let endpoint = endpoint.timeout(Duration::from_secs(10));
        endpoint.connect().await.expect("it is there for others")
    }
}

/// Another client, who calls all the while over a connection of his own.
pub struct Other {
    stop: CancellationToken,
    calling: JoinHandle<(usize, Duration, Vec<tonic::Status>)>,
}

impl Other {
    /// Begins, and returns when the first call was answered.
    pub async fn begin(channel: Channel) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (first, begun) = tokio::sync::oneshot::channel();
        let calling = tokio::spawn(async move {
            let mut client = UsersServiceClient::new(channel);
            let (mut served, mut slowest, mut errors) = (0, Duration::ZERO, Vec::new());
            let mut first = Some(first);
            loop {
                let asked = Instant::now();
                match client.get_key_set(GetKeySetRequest {}).await {
                    Ok(_) => served += 1,
                    Err(status) => errors.push(status),
                }
                slowest = slowest.max(asked.elapsed());
                if let Some(first) = first.take() {
                    let _ = first.send(());
                }
                tokio::select! {
                    () = stopped.cancelled() => return (served, slowest, errors),
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        });
        begun.await.unwrap();
        Self { stop, calling }
    }

    /// Ends: how many calls were answered, none of them with an error, and after which time the slowest.
    pub async fn end(self, name: &str) -> (usize, Duration) {
        self.stop.cancel();
        let (served, slowest, errors) = self.calling.await.unwrap();
        assert!(errors.is_empty(), "{name}: others were told {errors:?}");
        assert!(served > 0, "{name}: nobody else was served");
        (served, slowest)
    }
}

/// The memory of a process.
struct Memory(u32);

impl Memory {
    /// Forgets the peak until now.
    fn forget(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.0), "5").unwrap();
    }

    /// The most that was resident since then, in MiB.
    fn peak(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        kib.and_then(|kib| kib.parse::<usize>().ok()).unwrap() / MIB
    }
}

/// Adds a row to the table, which is written anew.
fn record(part: &'static str, row: String) {
    static TABLE: Mutex<BTreeMap<&str, Vec<String>>> = Mutex::new(BTreeMap::new());
    let mut table = TABLE.lock().unwrap();
    table.entry(part).or_default().push(row);
    let mut text = String::new();
    for (part, rows) in table.iter() {
        let _ = writeln!(
            text,
            "## {part}\n\n\
             | attack | what was sent | what answered | peak memory, MiB | others' calls answered, the slowest |\n\
             |---|---|---|--:|--:|"
        );
        for row in rows {
            let _ = writeln!(text, "{row}");
        }
        text.push('\n');
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("listener.md");
    std::fs::write(file, text.trim_end().to_owned() + "\n").unwrap();
}

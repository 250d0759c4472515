//! Processes that are measured: started on their cores, waited for, counted with all their children, and ended by their id.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How long a start may take: LiteLLM's is half a minute on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
/// How the clock of `/proc` ticks.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process, and those that it started. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// How a process is started.
pub struct Launch<'a> {
    /// What it is called in errors, and its log.
    pub name: &'a str,
    /// The cores that it may use, as `taskset` has them.
    pub cores: &'a str,
    /// Where it works and has its log.
    pub folder: &'a Path,
    /// Variables beside a few of the shell's own.
    pub variables: Vec<(String, String)>,
}

impl Launch<'_> {
    /// Starts it.
    pub fn start<S: AsRef<OsStr>>(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> anyhow::Result<Process> {
        let log = self.folder.join(format!("{}.log", self.name));
        let output = File::create(&log)?;
        let kept = std::env::vars().filter(|(name, _)| {
            matches!(
                name.as_str(),
                "PATH" | "HOME" | "LANG" | "TMPDIR" | "XDG_CACHE_HOME"
            )
        });
        // When the bench is ended by a signal, what it started ends with it.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "taskset", "-c", self.cores])
            .arg(program)
            .args(arguments)
            .current_dir(self.folder)
            // No setting of the shell that started the bench reaches it.
            .env_clear()
            .envs(kept)
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.name))?;
        Ok(Process {
            name: self.name.to_owned(),
            child,
            log,
        })
    }
}

impl Process {
    /// Waits until it takes connections there.
    pub async fn listening(mut self, address: SocketAddr) -> anyhow::Result<Self> {
        let begun = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}:\n{}", self.name, self.end_of_log());
            }
            if begun.elapsed() > PATIENCE {
                bail!("{} does not listen:\n{}", self.name, self.end_of_log());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(self)
    }

    /// The last of what it said.
    pub fn end_of_log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// It and all its children.
    fn all(&self) -> BTreeSet<u32> {
        let mut all = BTreeSet::new();
        let mut next: Vec<u32> = self.child.id().into_iter().collect();
        while let Some(id) = next.pop() {
            if !all.insert(id) {
                continue;
            }
            let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else {
                continue;
            };
            for thread in threads.flatten() {
                let text = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
                next.extend(
                    text.split_whitespace()
                        .filter_map(|id| id.parse::<u32>().ok()),
                );
            }
        }
        all
    }

    /// What they have worked so far, in seconds.
    pub fn worked(&self) -> f64 {
        self.all().into_iter().filter_map(worked).sum()
    }

    /// Its own id, without its children; none when it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// The memory that they hold, in bytes; what several share is counted once.
    pub fn memory(&self) -> f64 {
        self.all().into_iter().filter_map(memory).sum()
    }

    /// Ends it: politely, and when that does not help by force. Its children end with it, or are ended.
    pub async fn stop(mut self) {
        let all = self.all();
        if let Some(id) = self.child.id() {
            signal("TERM", id).await;
        }
        if tokio::time::timeout(Duration::from_secs(20), self.child.wait())
            .await
            .is_err()
        {
            let _ = self.child.kill().await;
        }
        for id in all {
            if Path::new(&format!("/proc/{id}")).exists() {
                signal("KILL", id).await;
            }
        }
    }
}

async fn signal(name: &str, id: u32) {
    let _ = Command::new("sh")
        .args([
            "-c",
            r#"kill -s "$0" "$1" 2>/dev/null"#,
            name,
            &id.to_string(),
        ])
        .status()
        .await;
}

fn worked(id: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold spaces; what follows it does not.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    // utime stime
    let ticks: Vec<f64> = fields
        .get(11..13)?
        .iter()
        .filter_map(|field| field.parse().ok())
        .collect();
    Some(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

fn memory(id: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0)
}

/// A port that nobody has. Somebody could take it before the process does; then the start fails and says so.
pub fn free_port() -> std::io::Result<u16> {
    Ok(
        TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?
            .local_addr()?
            .port(),
    )
}

/// A port of this machine.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The cores that this process may use.
pub fn allowed_cores() -> anyhow::Result<String> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    Ok(line
        .context("the system does not tell its cores")?
        .trim()
        .to_owned())
}

/// Moves this process to these cores, and allows as many open files as the system does; children inherit that.
pub fn settle(cores: &str) -> anyhow::Result<()> {
    let script =
        r#"taskset -cp "$1" "$0" && prlimit --pid "$0" --nofile="$(ulimit -Hn):$(ulimit -Hn)""#;
    let done = std::process::Command::new("sh")
        .args(["-c", script, &std::process::id().to_string(), cores])
        .output()
        .context("taskset, prlimit and setpriv, of util-linux, are needed")?;
    ensure!(
        done.status.success(),
        "these cores cannot be had: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(())
}

/// What a program says of its version, in one line.
pub fn said(program: &Path, arguments: &[&str]) -> String {
    std::process::Command::new(program)
        .args(arguments)
        .output()
        .map_or_else(
            |_| "unknown".to_owned(),
            |output| {
                let text = String::from_utf8_lossy(&output.stdout);
                // Envoy tells the path of its own file first.
                text.trim()
                    .rsplit("version: ")
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            },
        )
}

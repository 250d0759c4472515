//! The program as a child process: started, timed, asked, and told to stop by its own id.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::health;

/// How long a start or an end may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one start took, in seconds since the program was executed.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    /// Until the edge's port took a connection.
    pub open: f64,
    /// Until the program said that it is ready.
    pub ready: f64,
    /// Until every service was told to be SERVING.
    pub serving: f64,
    /// The time that the program's threads had worked by then.
    pub worked: f64,
}

/// How the program is started.
pub struct Launch<'a> {
    /// The program's file.
    pub program: &'a Path,
    /// The variables that it is started with; it sees no others.
    pub variables: &'a [(String, String)],
    /// The services that are waited for.
    pub services: &'a [String],
}

impl Launch<'_> {
    /// Starts it on a folder, and waits until all services are SERVING.
    pub async fn on(&self, data: &Path) -> anyhow::Result<(Program, Started)> {
        let port = free_port()?;
        let mut command = Command::new(self.program);
        command
            .args(["--port", &port.to_string(), "--admin-port", "0", "--data"])
            .arg(data)
            // No setting of the shell that started the bench reaches it.
            .env_clear()
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let begun = Instant::now();
        let mut child = command.spawn().context("the program cannot be started")?;
        let (tell, told) = oneshot::channel();
        let stderr = child.stderr.take().context("its standard error")?;
        let log = tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            let (mut log, mut tell) = (String::new(), Some(tell));
            while let Ok(Some(line)) = lines.next_line().await {
                if line.starts_with("ready")
                    && let Some(tell) = tell.take()
                {
                    let _ = tell.send(begun.elapsed().as_secs_f64());
                }
                log.push_str(&line);
                log.push('\n');
            }
            log
        });
        let mut running = Program { child, port, log };
        let url = running.url();
        let waited = tokio::select! {
            waited = tokio::time::timeout(PATIENCE, health::all_serving(&url, self.services, begun)) => waited.ok(),
            _ = running.child.wait() => None,
        };
        let Some(times) = waited else {
            let _ = running.child.kill().await;
            bail!(
                "it did not start:\n{}",
                running.log.await.unwrap_or_default()
            );
        };
        let times = times?;
        let worked = worked(running.id()).unwrap_or(f64::NAN);
        let ready = tokio::time::timeout(PATIENCE, told)
            .await
            .context("it never said that it is ready")??;
        let started = Started {
            open: times.open,
            ready,
            serving: times.serving,
            worked,
        };
        Ok((running, started))
    }
}

/// A program that runs with all roles on embedded engines. Dropping it kills it.
pub struct Program {
    child: Child,
    port: u16,
    log: JoinHandle<String>,
}

impl Program {
    /// Its process id.
    pub fn id(&self) -> u32 {
        // Only a child that was waited for has none, and waiting takes the value.
        self.child.id().unwrap_or_default()
    }

    /// The edge's address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Tells it to stop, and waits for its good end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let told = Command::new("sh")
            .args(["-c", r#"kill -s TERM "$0""#, &self.id().to_string()])
            .status()
            .await?;
        ensure!(told.success(), "the signal could not be sent");
        let status = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .context("it did not stop")??;
        let log = self.log.await?;
        ensure!(status.success(), "it ended with {status}:\n{log}");
        Ok(())
    }
}

/// A port that nobody has. Somebody could take it before the program does; then the start fails and says so.
fn free_port() -> std::io::Result<u16> {
    let socket = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(socket.local_addr()?.port())
}

/// How long the threads of a process have been on a core so far, in seconds; those that have ended are not counted.
fn worked(pid: u32) -> Option<f64> {
    let mut nanos = 0_u64;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanos += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(nanos as f64 / 1e9)
}

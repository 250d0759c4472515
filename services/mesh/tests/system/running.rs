//! The program as a child process: started, waited for, told to stop and killed by its own id; never by a name.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(60);
/// How long a command that serves nothing may take.
const COMMAND: Duration = Duration::from_secs(60);
/// How much of a child's log a failed test shows.
const TAIL_LINES: usize = 60;

/// A file of limits that limits nothing: tests ask more often than anybody may.
pub const UNLIMITED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/unlimited.toml");

/// A file of plans that count nothing, for the same reason.
pub const UNCOUNTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/uncounted.toml");

/// The turn of a test that takes the whole machine.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Waits for the turn among the tests that take the whole machine, and keeps it: two of them at once would be slower than their
/// bounds, and what one of them tells of a load would be about the other.
pub async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    ALONE.lock().await
}

/// The program that is tested: the one that was built with the tests, or another build of it (`ATELIER_TEST_PROGRAM`), as
/// for a campaign whose load a debug build cannot hold.
fn program() -> OsString {
    std::env::var_os("ATELIER_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_atelier").into())
}

/// How the program is started: nothing of this process's environment but the path reaches it, nothing is limited, and no
/// generation is counted.
pub struct Launch(Command);

impl Launch {
    /// With these arguments.
    pub fn new(args: &[&str]) -> Self {
        let mut command = Command::new(program());
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("ATELIER_LIMITS", UNLIMITED)
            .env("ATELIER_PLANS", UNCOUNTED)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(command)
    }

    /// Serving these roles (all, when none is named) from this folder, on free ports.
    pub fn serving(roles: &[&str], data: &Path) -> Self {
        let mut launch = Self::new(roles);
        launch
            .0
            .arg("--data")
            .arg(data)
            .args(["--port", "0", "--admin-port", "0"]);
        launch
    }

    /// With the limits and the plans that are built in.
    pub fn limited(mut self) -> Self {
        self.0.env_remove("ATELIER_LIMITS");
        self.0.env_remove("ATELIER_PLANS");
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.0.env(name, value.as_ref());
        self
    }

    /// Sets many.
    pub fn envs(mut self, variables: &[(&'static str, String)]) -> Self {
        self.0
            .envs(variables.iter().map(|(name, value)| (name, value)));
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.0.args(args);
        self
    }

    /// Starts it in a folder.
    pub fn within(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Starts it and waits until it says that it is ready.
    pub async fn start(self) -> Running {
        let mut running = self.spawn();
        let begun = Instant::now();
        loop {
            let log = running.log();
            if let Some(line) = log.lines().find(|line| line.starts_with("ready")) {
                let after = |mark: &str| {
                    line.split_once(mark)
                        .and_then(|(_, rest)| rest.split_whitespace().next())
                        .map(str::to_owned)
                };
                running.edge = after("ready: ");
                running.admin = after("admin: ").expect("the admin address is told");
                return running;
            }
            if let Some(status) = running.child.try_wait().unwrap() {
                panic!("it ended before it was ready: {status}");
            }
            assert!(begun.elapsed() < START, "it was not ready in time");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts a command that goes on, and waits until it says that it is ready: where.
    pub async fn start_command(self) -> (Running, String) {
        let mut running = self.spawn();
        let begun = Instant::now();
        loop {
            let log = running.log();
            if let Some(url) = log.lines().find_map(|line| line.strip_prefix("ready: ")) {
                return (running, url.to_owned());
            }
            if let Some(status) = running.child.try_wait().unwrap() {
                panic!("it ended before it was ready: {status}");
            }
            assert!(begun.elapsed() < START, "it was not ready in time");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts it and waits for its end, for a command or a start that must fail.
    pub async fn run(self) -> Ended {
        self.run_within(COMMAND).await
    }

    /// The same, with another bound.
    pub async fn run_within(self, limit: Duration) -> Ended {
        self.spawn().ended(limit).await
    }

    fn spawn(mut self) -> Running {
        let mut child = self.0.spawn().expect("the program starts");
        let mut stdout = child.stdout.take().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let written = log.clone();
        let errors = std::thread::spawn(move || {
            // Byte lines, since a log at `trace` may hold anything.
            for line in stderr.split(b'\n').map_while(Result::ok) {
                let mut log = written.lock().unwrap();
                log.extend_from_slice(&line);
                log.push(b'\n');
            }
        });
        let output = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stdout.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Running {
            child,
            log,
            errors: Some(errors),
            output: Some(output),
            edge: None,
            admin: String::new(),
        }
    }
}

/// A child that runs. Dropping it kills it, and shows the end of its log when the test has failed.
pub struct Running {
    child: Child,
    log: Arc<Mutex<Vec<u8>>>,
    errors: Option<JoinHandle<()>>,
    output: Option<JoinHandle<String>>,
    edge: Option<String>,
    admin: String,
}

/// How a child ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it told its operator.
    pub stderr: String,
    /// How long its end took, from when it was waited for.
    pub took: Duration,
}

impl Ended {
    /// Its exit code; none when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The one line on standard error; more or less than one fails the test.
    pub fn only_line(&self) -> &str {
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "more than one line: {}", self.stderr);
        lines[0]
    }
}

impl Running {
    /// The edge's URL.
    pub fn edge(&self) -> &str {
        self.edge.as_deref().expect("the edge runs here")
    }

    /// The URL of the admin port.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that was logged until now.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    /// Sends a signal, as in `TERM`, to this child.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", r#"kill -s "$0" "$1""#, name])
            .arg(self.child.id().to_string())
            .status()
            .expect("a shell");
        assert!(sent.success(), "the signal {name} could not be sent");
    }

    /// Tells it to stop and waits for its end.
    pub async fn terminate(self) -> Ended {
        self.signal("TERM");
        self.ended(Duration::from_secs(40)).await
    }

    /// Ends it as a power cut would.
    pub async fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        self.ended(Duration::from_secs(10)).await
    }

    /// Waits for its end.
    pub async fn ended(mut self, limit: Duration) -> Ended {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < limit, "it did not end in {limit:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let took = begun.elapsed();
        if let Some(errors) = self.errors.take() {
            errors.join().unwrap();
        }
        let stdout = self.output.take().map(|output| output.join().unwrap());
        Ended {
            status,
            stdout: stdout.unwrap_or_default(),
            stderr: self.log(),
            took,
        }
    }
}

impl Drop for Running {
    #[expect(
        clippy::print_stderr,
        reason = "a failed test shows what the program said"
    )]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
            eprintln!(
                "── the end of the log of process {} ──\n{}\n──",
                self.child.id(),
                tail.join("\n")
            );
        }
    }
}

/// A port that is free, and below those that the system gives away by itself: no connection of another test takes it
/// between now and its use.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Another run of these tests begins somewhere else.
        let offset = std::process::id().wrapping_mul(131);
        let offset = offset.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + (offset % 20_000) as u16;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits until a condition holds; `limit` is for a busy machine.
pub async fn eventually<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> F,
) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < limit, "not true after {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

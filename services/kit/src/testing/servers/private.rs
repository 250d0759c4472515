//! A server of one test process.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Runs the server beside a look at its input, which ends with the test process, even one that is killed; then the server is
/// killed, and its folder goes.
const KEEPER: &str = r#"
folder=$1; shift
"$@" </dev/null >>"$folder/server.log" 2>&1 &
server=$!
echo $server >"$folder/server.pid"
cat >/dev/null
kill -CONT $server 2>/dev/null
kill -KILL $server 2>/dev/null
wait $server 2>/dev/null
[ -e "$folder/kept" ] || rm -rf "$folder"
"#;
/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(60);

/// A server that lives as long as this value, or as the test process.
#[derive(Debug)]
pub struct Private {
    keeper: Option<Child>,
    command: Vec<String>,
    folder: PathBuf,
    port: u16,
}

impl Private {
    /// A folder for a server, which only the test process and who runs the server may enter.
    ///
    /// # Panics
    ///
    /// When there can be none.
    pub fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("atelier-{name}-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A port that is free.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn port() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    }

    /// Starts a server that will listen on this port.
    ///
    /// # Panics
    ///
    /// When it does not come up; with the end of what it said.
    pub fn start(folder: PathBuf, port: u16, command: Vec<String>) -> Self {
        let mut server = Self {
            keeper: None,
            command,
            folder,
            port,
        };
        server.begin();
        server
    }

    /// Where it listens.
    pub fn at(&self) -> u16 {
        self.port
    }

    /// Its folder.
    pub fn place(&self) -> &Path {
        &self.folder
    }

    /// Kills it, and all that it has started. What it keeps stays.
    ///
    /// # Panics
    ///
    /// When it runs no more.
    pub fn kill(&mut self) {
        std::fs::write(self.folder.join("kept"), "").unwrap();
        let children = self.children();
        self.signal("KILL");
        for child in children {
            let _ = Command::new("kill").args(["-KILL", &child]).status();
        }
        drop(self.keeper.as_mut().and_then(|keeper| keeper.stdin.take()));
        if let Some(mut keeper) = self.keeper.take() {
            keeper.wait().unwrap();
        }
        std::fs::remove_file(self.folder.join("kept")).unwrap();
    }

    /// Starts it again on what it had kept.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    pub fn begin(&mut self) {
        assert!(self.keeper.is_none(), "it runs already");
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&self.folder)
            .args(&self.command)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.keeper = Some(keeper);
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(began.elapsed() < START, "{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops its processes where they are: it accepts, and never answers.
    pub fn freeze(&self) {
        self.signal_all("STOP");
    }

    /// Lets them go on.
    pub fn thaw(&self) {
        self.signal_all("CONT");
    }

    /// The end of what it said.
    pub fn said(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.len().saturating_sub(30);
        format!("{}:\n{}", self.command.join(" "), lines[last..].join("\n"))
    }

    fn pid(&self) -> String {
        let pid = std::fs::read_to_string(self.folder.join("server.pid")).unwrap_or_default();
        pid.trim().to_owned()
    }

    fn children(&self) -> Vec<String> {
        let file = format!("/proc/{0}/task/{0}/children", self.pid());
        let children = std::fs::read_to_string(file).unwrap_or_default();
        children.split_whitespace().map(str::to_owned).collect()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid()])
            .status();
        assert!(sent.is_ok_and(|sent| sent.success()), "{}", self.said());
    }

    fn signal_all(&self, name: &str) {
        self.signal(name);
        for child in self.children() {
            // It may have ended meanwhile.
            let _ = Command::new("kill")
                .args([&format!("-{name}"), &child])
                .status();
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

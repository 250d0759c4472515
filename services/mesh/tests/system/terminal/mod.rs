//! The commands of the shell, as a person types them and as a script does: the real program against a real mesh, on a
//! pseudo-terminal or with pipes. Whatever a command prints is searched for tokens and passwords.

mod account;
mod attach;
mod conversation;
mod credits;
mod cut;
mod files;
mod leaving;
mod markdown;
mod model;
mod screen;
mod script;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::people::credentials;

/// How long one command may take on a busy machine.
const COMMAND: Duration = Duration::from_secs(90);

/// A person at a shell, with a home of their own.
pub struct Desk {
    home: tempfile::TempDir,
    url: Option<String>,
    passwords: Vec<String>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its results.
    pub out: Vec<u8>,
    /// What else it said.
    pub err: String,
}

impl Said {
    /// Its results as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("text")
    }

    /// The results, of a command that went well.
    pub fn well(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        self.text()
    }

    /// The one line of why, of a command that ended with a code and no result.
    pub fn refused(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.out.is_empty(), "{self:?}");
        let lines: Vec<&str> = self.err.lines().collect();
        assert_eq!(lines.len(), 1, "{self:?}");
        assert!(lines[0].starts_with("atelier: "), "{self:?}");
        lines[0]
    }

    /// The results as JSON, one object a line.
    pub fn json(&self) -> Vec<serde_json::Value> {
        self.well()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect()
    }
}

impl Desk {
    /// At a mesh that runs.
    pub fn at(url: &str) -> Self {
        Self {
            url: Some(url.to_owned()),
            ..Self::alone()
        }
    }

    /// With nothing but a data folder of their own.
    pub fn alone() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            url: None,
            passwords: Vec::new(),
        }
    }

    /// A folder of theirs, which commands run in.
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Where sign-ins are kept.
    pub fn credentials(&self) -> PathBuf {
        self.folder().join(".config/atelier/credentials.json")
    }

    /// Where their own mesh keeps everything.
    pub fn data(&self) -> PathBuf {
        self.folder().join(".local/share/atelier")
    }

    /// The variables of their commands.
    pub fn variables(&self) -> Vec<(String, String)> {
        let mut variables = vec![(
            "HOME".to_owned(),
            self.folder().to_str().unwrap().to_owned(),
        )];
        variables.push((
            "ATELIER_LIMITS".to_owned(),
            crate::running::UNLIMITED.to_owned(),
        ));
        for name in ["PATH", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE"] {
            let value = std::env::var_os(name).and_then(|value| value.into_string().ok());
            variables.extend(value.map(|value| (name.to_owned(), value)));
        }
        variables.extend(self.url.clone().map(|url| ("ATELIER_URL".to_owned(), url)));
        variables
    }

    /// Makes an account and signs in; the e-mail.
    pub async fn register(&mut self) -> String {
        let (email, password) = credentials();
        self.passwords.push(password.clone());
        let args = ["login", &email, "--register", "--password-stdin"];
        let said = self.pipe(&args, format!("{password}\n").as_bytes()).await;
        assert_eq!(said.well(), format!("signed in as {email}\n"));
        email
    }

    /// Runs a command without any input.
    pub async fn run(&self, args: &[&str]) -> Said {
        self.pipe(args, b"").await
    }

    /// Runs a command with this on its standard input.
    pub async fn pipe(&self, args: &[&str], input: &[u8]) -> Said {
        self.start(args, input).await
    }

    /// Starts a command; it runs beside others.
    pub fn start(&self, args: &[&str], input: &[u8]) -> impl Future<Output = Said> + use<> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_atelier"))
            .args(args)
            .env_clear()
            .envs(self.variables())
            .current_dir(self.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
        // A command that reads nothing closes the pipe.
        std::thread::spawn(move || stdin.write_all(&input));
        let (credentials, passwords) = (self.credentials(), self.passwords.clone());
        let before = secrets(&credentials);
        let waited = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        async move {
            let output = tokio::time::timeout(COMMAND, waited)
                .await
                .expect("a command that ends")
                .unwrap();
            let said = Said {
                code: output.status.code().unwrap_or(-1),
                out: output.stdout,
                err: String::from_utf8(output.stderr).unwrap(),
            };
            let all = format!("{}{}", String::from_utf8_lossy(&said.out), said.err);
            for secret in before
                .iter()
                .chain(&secrets(&credentials))
                .chain(&passwords)
            {
                assert!(!all.contains(secret), "a secret was told");
            }
            said
        }
    }
}

/// The tokens in a file of sign-ins.
fn secrets(path: &Path) -> Vec<String> {
    let Ok(bytes) = std::fs::read(path) else {
        return Vec::new();
    };
    let kept: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    kept["meshes"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|sign_in| [&sign_in["access_token"], &sign_in["refresh_token"]])
        .map(|token| token.as_str().unwrap().to_owned())
        .collect()
}

/// Changes something in the file of sign-ins, for every mesh in it.
pub fn tamper(path: &Path, change: impl Fn(&mut serde_json::Value)) {
    let mut kept: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for sign_in in kept["meshes"].as_object_mut().unwrap().values_mut() {
        change(sign_in);
    }
    std::fs::write(path, serde_json::to_vec(&kept).unwrap()).unwrap();
}

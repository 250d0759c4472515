//! An S3 server of one test process that others wrote: the Versity gateway on a folder, which keeps its objects over a kill.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use url::Url;

use super::Private;
use crate::objects::{DoorKey, EdgeDoor, S3Config};

/// The keys of its one account.
const ACCESS: &str = "atelier-tests";
const SECRET: &str = "a secret that only tests would use";

/// A server with as many buckets as tests ask for.
#[derive(Debug)]
pub struct S3 {
    server: Private,
}

impl S3 {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start() -> Self {
        let folder = Private::folder("s3");
        let objects = folder.join("objects");
        std::fs::create_dir_all(&objects).unwrap();
        Self::with(folder, &objects)
    }

    /// Starts one whose objects are in this folder, which must take extended attributes: a file system in memory does since
    /// Linux 6.6.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start_in(objects: &Path) -> Self {
        Self::with(Private::folder("s3"), objects)
    }

    // What it knows of an object is in extended attributes: beside it, in files, it would be written at another moment.
    fn with(folder: PathBuf, objects: &Path) -> Self {
        let port = Private::port();
        let at = format!("127.0.0.1:{port}");
        let command = [
            program().display().to_string().as_str(),
            "--quiet",
            "--access",
            ACCESS,
            "--secret",
            SECRET,
            "--port",
            &at,
            "posix",
            &objects.display().to_string(),
        ]
        .map(str::to_owned);
        Self {
            server: Private::start(folder, port, command.into()),
        }
    }

    /// Its address.
    ///
    /// # Panics
    ///
    /// Never: the address is a URL.
    pub fn endpoint(&self) -> Url {
        let text = format!("http://127.0.0.1:{}", self.server.at());
        text.parse().unwrap()
    }

    /// A bucket of this name, with URLs that are its own.
    ///
    /// # Panics
    ///
    /// Never: the address is a URL.
    pub fn bucket(&self, name: &str) -> S3Config {
        S3Config {
            endpoint: Some(self.endpoint()),
            region: "us-east-1".to_owned(),
            bucket: name.to_owned(),
            access_key: ACCESS.to_owned(),
            secret_key: SecretString::from(SECRET),
            force_path_style: true,
            public_url: Some(self.endpoint()),
            door: EdgeDoor {
                public_url: "http://localhost:8080".parse().unwrap(),
                role: "tts".to_owned(),
                key: DoorKey::new([7; 32]),
            },
            embedded_in: None,
        }
    }

    /// What a process must be told to use it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ATELIER_S3_ENDPOINT", self.endpoint().to_string()),
            ("ATELIER_S3_ACCESS_KEY", ACCESS.to_owned()),
            ("ATELIER_S3_SECRET_KEY", SECRET.to_owned()),
        ]
    }

    /// Which version it is of, as the folder of its program says: the program itself does not know.
    pub fn version(&self) -> String {
        let program = program();
        let folder = program.parent().and_then(|folder| folder.file_name());
        let folder = folder.unwrap_or_default().to_string_lossy();
        let version = folder.strip_prefix("versitygw-v");
        version.unwrap_or("of unknown version").to_owned()
    }

    /// The server itself, to be killed, frozen and started again.
    pub fn server(&mut self) -> &mut Private {
        &mut self.server
    }
}

/// Where `./test` keeps it: named by `VERSITYGW`, else the newest in the cache.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("VERSITYGW") {
        return named.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    let mut found: Vec<PathBuf> = std::fs::read_dir(cache.join("atelier"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("versitygw-")
        })
        .map(|folder| folder.join("versitygw"))
        .filter(|program| program.is_file())
        .collect();
    found.sort();
    found
        .pop()
        .expect("the Versity S3 gateway is not installed: ./test --setup versitygw")
}

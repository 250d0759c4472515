//! Where the mesh of a command is: at a URL, running on the data folder already, or started here for as long as it takes.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use atelier_kit::config::Settings;
use atelier_kit::telemetry::Telemetry;
use url::Url;

use super::connection::{self, Connection};
use super::credentials::private_folder;
use super::settings::ClientConfig;
use super::trouble::Trouble;
use crate::args::Args;
use crate::config::Config;
use crate::mesh::Mesh;
use crate::running;

/// The lock of commands that start a mesh on a data folder: one does, the others use it.
const LOCK: &str = "client.lock";
/// How long another command may take to start its mesh, or to end it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a mesh may take from taking the data folder to saying where it is.
const STARTING: Duration = Duration::from_secs(5);
/// How often it is looked for.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a mesh is.
pub struct Site {
    /// Its edge.
    pub url: Url,
    /// A PEM file of authorities to trust there beside the usual ones.
    pub ca: Option<PathBuf>,
    /// What its sign-ins are kept under: its origin, or its data folder, whose port may be another one every time.
    pub key: String,
    started: Option<Started>,
}

struct Started {
    mesh: Mesh,
    telemetry: Telemetry,
    _lock: File,
}

impl Site {
    /// Finds the mesh, or starts it. Nothing of the server is read or made where there is a URL.
    pub async fn find(
        client: &ClientConfig,
        settings: &Settings,
        args: &Args,
    ) -> anyhow::Result<Self> {
        if let Some(url) = &client.url {
            return Ok(Self {
                url: url.clone(),
                ca: client.ca.clone(),
                key: url.origin().ascii_serialization(),
                started: None,
            });
        }
        let begun = Instant::now();
        loop {
            if let Some(site) = Self::attach(client).await {
                return Ok(site);
            }
            if let Some(lock) = lock(&client.data)? {
                return Self::start(client, settings, args, lock).await;
            }
            // Another command is about to start its mesh, or to end it.
            if begun.elapsed() > PATIENCE {
                let data = client.data.display();
                let line = format!("another command is busy with {data}: try again");
                return Err(Trouble::later(line).into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The mesh that runs on the data folder, if one does and answers.
    async fn attach(client: &ClientConfig) -> Option<Self> {
        let place = running::read(&client.data)?;
        let ca = client.ca.clone().or(place.ca);
        let url = Url::parse(&place.edge).ok()?;
        connection::answers(&url, ca.as_deref())
            .await
            .then(|| Self {
                url,
                ca,
                key: key(&client.data),
                started: None,
            })
    }

    async fn start(
        client: &ClientConfig,
        settings: &Settings,
        args: &Args,
        lock: File,
    ) -> anyhow::Result<Self> {
        let mut config = Config::read(settings, args)?;
        // A guest on this machine takes whatever ports are free.
        config.port = 0;
        config.admin_port = 0;
        let telemetry = Telemetry::start(&config.telemetry)?;
        let mesh = match Mesh::start(config).await {
            Ok(mesh) => mesh,
            // One that serves may have taken the folder first, and not have said yet where it is.
            Err(error) => {
                drop(lock);
                return Self::appears(client).await.ok_or(error);
            }
        };
        let url = mesh.edge_url.clone().context("this mesh has no edge")?;
        Ok(Self {
            url,
            ca: client.ca.clone().or_else(|| mesh.edge_ca.clone()),
            key: key(&mesh.data),
            started: Some(Started {
                mesh,
                telemetry,
                _lock: lock,
            }),
        })
    }

    /// Waits for a mesh that is being started by somebody else.
    async fn appears(client: &ClientConfig) -> Option<Self> {
        let begun = Instant::now();
        while begun.elapsed() < STARTING {
            if let Some(site) = Self::attach(client).await {
                return Some(site);
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    /// The mesh that was started here.
    pub fn mesh(&self) -> Option<&Mesh> {
        self.started.as_ref().map(|started| &started.mesh)
    }

    /// Connects to it.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(&self.url, self.ca.as_deref()).await
    }

    /// Ends what was started.
    pub async fn close(self) {
        if let Some(started) = self.started {
            started.mesh.stop().await;
            // The exporter blocks while it sends what is left.
            let _ = tokio::task::spawn_blocking(move || started.telemetry.flush()).await;
        }
    }
}

/// The lock of a data folder; none while another command has it.
fn lock(data: &Path) -> anyhow::Result<Option<File>> {
    private_folder(data)?;
    let path = data.join(LOCK);
    let mut options = File::options();
    let file = options
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .with_context(|| path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn key(data: &Path) -> String {
    let whole = std::fs::canonicalize(data)
        .or_else(|_| std::path::absolute(data))
        .unwrap_or_else(|_| data.to_path_buf());
    whole.display().to_string()
}

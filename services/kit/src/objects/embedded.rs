//! An S3 server in this process, on loopback alone, over a folder: the object store when nothing else is installed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::folder::ObjectFolder;
use super::{EdgeDoor, S3Config};

/// Time for a client to send the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// Time for the requests under way when the end comes.
const DRAIN: Duration = Duration::from_secs(5);
/// Connections at once; more wait their turn.
const CONNECTIONS: usize = 512;
/// The file whose lock says that the folder is in use.
const LOCK: &str = ".lock";

/// A running embedded server. It ends with its token; dropping this value does not end it.
#[derive(Debug)]
pub struct EmbeddedS3 {
    endpoint: Url,
    folder: PathBuf,
    access_key: String,
    secret_key: SecretString,
    task: JoinHandle<()>,
}

impl EmbeddedS3 {
    /// Starts a server over a folder, which is made if need be, and which one process alone may serve.
    ///
    /// It listens on a free port of 127.0.0.1 and takes only requests signed with the given keys; see
    /// [`random_credentials`]. When the token is cancelled it finishes what is under way, for at most five seconds.
    ///
    /// # Errors
    /// When the folder cannot be made or is served by another process already ([`io::ErrorKind::ResourceBusy`]), or
    /// when there is no port.
    pub async fn start(
        folder: PathBuf,
        access_key: String,
        secret_key: SecretString,
        shutdown: CancellationToken,
    ) -> io::Result<Self> {
        let lock = claim(&folder)?;
        let mut builder = S3ServiceBuilder::new(ObjectFolder::open(&folder)?);
        builder.set_auth(SimpleAuth::from_single(
            access_key.as_str(),
            secret_key.expose_secret(),
        ));
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = listener.local_addr()?;
        let endpoint = Url::parse(&format!("http://{address}")).map_err(io::Error::other)?;
        let service = builder.build();
        let task = tokio::spawn(async move {
            accept(listener, service, shutdown).await;
            drop(lock);
        });
        Ok(Self {
            endpoint,
            folder,
            access_key,
            secret_key,
            task,
        })
    }

    /// Where it listens, as in `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The configuration of a store in one bucket of this server, whose links lead through the edge.
    pub fn config(&self, bucket: &str, door: EdgeDoor) -> S3Config {
        S3Config {
            endpoint: Some(self.endpoint.clone()),
            region: "us-east-1".to_owned(),
            bucket: bucket.to_owned(),
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
            force_path_style: true,
            public_url: None,
            door,
            embedded_in: Some(self.folder.clone()),
        }
    }

    /// Waits until the server has ended, which it does when its token is cancelled.
    pub async fn ended(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the embedded object store broke off");
        }
    }
}

/// An access key and a secret key from the system's randomness, for one process's life.
pub fn random_credentials() -> io::Result<(String, SecretString)> {
    let mut bytes = [0; 48];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("no randomness"))?;
    let (access, secret) = bytes.split_at(16);
    Ok((
        URL_SAFE_NO_PAD.encode(access),
        URL_SAFE_NO_PAD.encode(secret).into(),
    ))
}

/// Makes the folder, readable by its owner alone, and locks it. The lock ends with the process, whatever its end.
fn claim(folder: &Path) -> io::Result<File> {
    let mut options = fs::DirBuilder::new();
    options.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut options, 0o700);
    options.create(folder)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!(
                "the object folder {} is served by another process",
                folder.display()
            ),
        )),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

async fn accept(listener: TcpListener, service: S3Service, shutdown: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let socket = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = async {
                let place = Arc::clone(&room).acquire_owned().await;
                (listener.accept().await, place)
            } => accepted,
        };
        match socket {
            (Ok((socket, _)), place) => {
                // Head and body of an answer are two writes: without this the second waits for the first's acknowledgement,
                // which the other side keeps back for 40 ms.
                let _ = socket.set_nodelay(true);
                let (service, shutdown) = (service.clone(), shutdown.clone());
                connections.spawn(async move {
                    serve(socket, service, shutdown).await;
                    drop(place);
                });
            }
            (Err(error), _) => {
                // Out of file handles, mostly: waiting is all one can do.
                tracing::warn!(%error, "the embedded object store cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let drained = tokio::time::timeout(DRAIN, async {
        while connections.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        connections.shutdown().await;
    }
}

async fn serve(socket: TcpStream, service: S3Service, shutdown: CancellationToken) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A client that goes away mid-way is no failure of the store.
        tracing::debug!(%error, "a connection of the embedded object store ended early");
    }
}

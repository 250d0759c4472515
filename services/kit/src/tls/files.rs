//! Certificates and keys in PEM files, followed while they change; what is in them is for TLS alone and never shown.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How often the files are looked at, at most: when connections are made.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// More than any chain needs.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct TlsError {
    path: String,
    why: String,
}

impl TlsError {
    pub(super) fn unusable(path: &Path, why: impl std::fmt::Display) -> Self {
        Self {
            path: path.display().to_string(),
            why: why.to_string(),
        }
    }
}

/// A certificate with those that lead to its authority, and its key.
pub(super) struct Files {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Files {
    pub(super) fn read(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let key_bytes = bytes(key)?;
        Ok(Self {
            chain: certificates(chain)?,
            key: PrivateKeyDer::from_pem_slice(&key_bytes)
                .map_err(|_| TlsError::unusable(key, "no private key in PEM is there"))?,
        })
    }
}

/// The certificates of a PEM file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes(path)?).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsError::unusable(path, "no certificate in PEM is there")),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    let size = std::fs::metadata(path).map_err(|error| TlsError::unusable(path, error))?;
    if size.len() > MAX_FILE_BYTES {
        return Err(TlsError::unusable(path, "the file is too large"));
    }
    std::fs::read(path).map_err(|error| TlsError::unusable(path, error))
}

/// What tells one version of the files from the next.
type Stamps = Vec<Option<(SystemTime, u64)>>;

/// Something read from files, and read again when they change.
pub(super) struct Followed<T> {
    files: Vec<PathBuf>,
    read: Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>,
    known: Mutex<Known<T>>,
}

struct Known<T> {
    value: Arc<T>,
    stamps: Stamps,
    looked: Instant,
}

impl<T> std::fmt::Debug for Followed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Followed({:?})", self.files)
    }
}

impl<T> Followed<T> {
    pub(super) fn new(
        files: Vec<PathBuf>,
        read: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        // The stamps first: what changes between them and the reading is then read again.
        let stamps = stamps(&files);
        let known = Known {
            value: Arc::new(read()?),
            stamps,
            looked: Instant::now(),
        };
        Ok(Self {
            files,
            read: Box::new(read),
            known: Mutex::new(known),
        })
    }

    /// What holds now. Files that changed and cannot be used leave what was known, until they can: a certificate and
    /// its key are two files, and nobody replaces both at once.
    pub(super) fn now(&self) -> Arc<T> {
        // A few small local files, at most once a second: no reason to leave the thread.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.looked.elapsed() >= LOOK_AGAIN {
            known.looked = Instant::now();
            let stamps = stamps(&self.files);
            if stamps != known.stamps {
                match (self.read)() {
                    Ok(value) => {
                        tracing::info!(files = ?self.files, "certificates were read again");
                        known.value = Arc::new(value);
                        known.stamps = stamps;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "changed certificates cannot be used; the old ones stay");
                    }
                }
            }
        }
        known.value.clone()
    }
}

fn stamps(files: &[PathBuf]) -> Stamps {
    files
        .iter()
        .map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
        .collect()
}

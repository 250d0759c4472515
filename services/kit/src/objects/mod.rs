//! The object store behind one port: an embedded server or any S3, and the signed door through which callers read.
//!
//! It knows no service and no setting: keys, buckets and secrets come in as parameters.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

mod answer;
mod client;
pub mod door;
pub mod embedded;
mod folder;
mod key;
mod leftovers;
mod parts;
mod range;
mod s3;
mod signature;
#[cfg(any(test, feature = "testing"))]
mod suite;

pub use client::S3Config;
pub use key::{MAX_KEY_BYTES, MAX_SEGMENT_BYTES, ObjectKey};
pub use leftovers::Leftovers;
pub use range::{ByteRange, ServedRange};
pub use s3::S3BlobStore;
pub use signature::{DoorKey, EdgeDoor};
#[cfg(any(test, feature = "testing"))]
pub use suite::blob_store_suite;

/// The most keys that one call of [`BlobStore::list`] returns.
pub const LIST_LIMIT: usize = 1000;

/// The longest life of a signed URL; S3 signs for no longer.
pub const MAX_URL_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Where pictures and audio are kept.
///
/// Every adapter passes `blob_store_suite`. Calls may be repeated safely; each has its own time limit, so a store that
/// is away answers [`BlobError::Unavailable`] and never hangs.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Keeps an object, replacing the one under this key. Its SHA-256 is sent along, so that the store refuses bytes
    /// that changed on their way; after a refusal the former object is still there.
    ///
    /// `content_type` is a media type such as `image/png`, at most 127 visible ASCII characters.
    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<Stored, BlobError>;

    /// Opens an object, or a part of it. The body is a stream; nothing of it has been read when this returns.
    ///
    /// A range beyond the end is shortened; one that begins beyond it, and any range of an empty object, is
    /// [`BlobError::Range`].
    async fn get(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<Blob, BlobError>;

    /// The same for the whole of an object that may be gone: `None` when it is.
    async fn find(&self, key: &ObjectKey) -> Result<Option<Blob>, BlobError> {
        match self.get(key, None).await {
            Ok(object) => Ok(Some(object)),
            Err(BlobError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is known of an object without reading it.
    async fn head(&self, key: &ObjectKey) -> Result<BlobInfo, BlobError>;

    /// Deletes an object; deleting what is absent is a success.
    async fn delete(&self, key: &ObjectKey) -> Result<(), BlobError>;

    /// The keys that begin with `prefix`, in the order of their bytes, after the key `after` if one is given.
    ///
    /// At most [`LIST_LIMIT`] are returned; a full answer may have more behind it, which are asked for with the last
    /// key as `after`. Objects whose names are no [`ObjectKey`] were put there by others and are left out.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
    ) -> Result<Vec<ObjectKey>, BlobError>;

    /// A URL that lets anyone who holds it read the object until it expires. Whether the object exists is not looked at.
    ///
    /// The lifetime is rounded to seconds and held between one second and [`MAX_URL_LIFETIME`].
    async fn signed_url(&self, key: &ObjectKey, lifetime: Duration)
    -> Result<SignedUrl, BlobError>;

    /// One line for the inventory at start-up: which store this is and where; no secrets.
    fn describe(&self) -> String;
}

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, as 64 lowercase hexadecimal digits.
    pub sha256_hex: String,
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its media type, as it was put.
    pub content_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its entity tag with the quotation marks, empty when the store has none.
    pub etag: String,
}

/// An object, or a part of it, open for reading.
pub struct Blob {
    /// Its media type, as it was put.
    pub content_type: String,
    /// The size of the whole object in bytes.
    pub total_size: u64,
    /// Which part the body is; `None` when it is the whole.
    pub range: Option<ServedRange>,
    /// Its entity tag with the quotation marks, empty when the store has none.
    pub etag: String,
    /// The bytes. A body that ends early or does not match its checksum ends with an error, and its last piece is only
    /// given out once all of it was found right.
    pub body: BoxStream<'static, Result<Bytes, BlobError>>,
}

impl Blob {
    /// The size of the body in bytes.
    pub fn length(&self) -> u64 {
        self.range.map_or(self.total_size, |range| range.length())
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blob")
            .field("content_type", &self.content_type)
            .field("total_size", &self.total_size)
            .field("range", &self.range)
            .field("etag", &self.etag)
            .finish_non_exhaustive()
    }
}

/// A URL that works until it expires.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedUrl {
    /// The URL; whoever has it can read the object, so it belongs in no log.
    pub url: String,
    /// From this moment on it is refused.
    pub expires: SystemTime,
}

impl std::fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedUrl")
            .field("url", &"…")
            .field("expires", &self.expires)
            .finish()
    }
}

/// The cause of a failure, for the log.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such object.
    #[error("there is no such object")]
    NotFound,
    /// The text is no [`ObjectKey`], or no prefix of one.
    #[error("not an object key: {0}")]
    InvalidKey(&'static str),
    /// No byte of the object lies in the range.
    #[error("the range lies outside the object")]
    Range,
    /// The store cannot be reached, is overloaded, or broke off; trying again later may help.
    #[error("the object store is not available")]
    Unavailable(#[source] Cause),
    /// The bytes are not those that were meant.
    #[error("the bytes do not match their checksum")]
    Checksum,
    /// Anything else: a refused credential, a wrong setting, a defect. Trying again does not help.
    #[error("the object store refused")]
    Other(#[source] Cause),
}

/// Now and a lifetime as whole seconds since 1970: the moment of signing, and the lifetime within its bounds.
fn signing_time(lifetime: Duration) -> (u64, u64) {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    (now, lifetime.as_secs().clamp(1, MAX_URL_LIFETIME.as_secs()))
}

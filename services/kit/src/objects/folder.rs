//! The embedded server's folder: `s3s-fs` with its sharp edges covered; it serves only what the port needs.
//!
//! What is covered, each seen in `s3s-fs` 0.14.1: a key with `..` leaves its bucket; a refused put has already replaced
//! the object; bytes and properties change one after the other; a deleted object's properties stay; a directory is
//! served as an object; a suffix range longer than the object fails, and of an empty one panics; nothing is synced.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::{
    CreateBucketInput, CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput, Range,
};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::RwLock;
use tokio::task::spawn_blocking;

use super::ObjectKey;

/// The longest bucket name: see [`super::MAX_KEY_BYTES`].
const MAX_BUCKET_BYTES: usize = 24;
/// Where objects are written before they take their name. No bucket can be called so.
const DRAFTS: &str = ".drafts";
/// Names of locks. Two objects may share one, which only costs a short wait.
const TURNS: usize = 64;

/// A folder of buckets.
pub(super) struct ObjectFolder {
    inner: FileSystem,
    root: PathBuf,
    drafts: AtomicU64,
    turns: [Arc<RwLock<()>>; TURNS],
}

impl ObjectFolder {
    /// Opens a folder that exists and belongs to this process alone; drafts that a crash left are deleted.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let root = root.canonicalize()?;
        let left = format!(".bucket-{}.", URL_SAFE_NO_PAD.encode(DRAFTS));
        for entry in fs::read_dir(&root)? {
            let entry = entry?;
            if entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(&left))
            {
                fs::remove_file(entry.path())?;
            }
        }
        match fs::remove_dir_all(root.join(DRAFTS)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(root.join(DRAFTS))?,
        }
        let inner =
            FileSystem::new(&root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        Ok(Self {
            inner,
            root,
            drafts: AtomicU64::new(0),
            turns: std::array::from_fn(|_| Arc::default()),
        })
    }

    /// The three files of an object; an error when the key could lead elsewhere.
    fn files(&self, bucket: &str, key: &str) -> S3Result<Files> {
        let key = ObjectKey::new(key).map_err(|error| s3_error!(InvalidArgument, "{error}"))?;
        if !self.root.join(bucket).is_dir() {
            return Err(s3_error!(NoSuchBucket));
        }
        Ok(Files::new(&self.root, bucket, key.as_str()))
    }

    fn turn(&self, bucket: &str, key: &str) -> Arc<RwLock<()>> {
        let mut hasher = DefaultHasher::new();
        (bucket, key).hash(&mut hasher);
        Arc::clone(&self.turns[(hasher.finish() % TURNS as u64) as usize])
    }
}

/// An object on disk: its bytes, its properties (content type), and what the server knows of it (tag, checksums).
struct Files {
    bytes: PathBuf,
    properties: PathBuf,
    knowledge: PathBuf,
}

impl Files {
    fn new(root: &Path, bucket: &str, key: &str) -> Self {
        let stem = format!(
            ".bucket-{}.object-{}",
            URL_SAFE_NO_PAD.encode(bucket),
            URL_SAFE_NO_PAD.encode(key)
        );
        Self {
            bytes: root.join(bucket).join(key),
            properties: root.join(format!("{stem}.metadata.json")),
            knowledge: root.join(format!("{stem}.internal.json")),
        }
    }

    fn remove(&self) -> io::Result<()> {
        // The bytes go first: without them there is no object, whatever else is left.
        for file in [&self.bytes, &self.properties, &self.knowledge] {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives a draft this object's name, for good: it survives a loss of power once this returns.
    fn take(&self, draft: &Draft) -> io::Result<()> {
        // Before anything changes its name: what can be refused is refused whole.
        if self.bytes.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let folder = self.bytes.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        for (from, to) in [
            (&draft.0.properties, &self.properties),
            (&draft.0.knowledge, &self.knowledge),
            (&draft.0.bytes, &self.bytes),
        ] {
            File::open(from)?.sync_all()?;
            fs::rename(from, to)?;
        }
        sync_folder(folder)?;
        sync_folder(self.properties.parent().unwrap_or(folder))
    }
}

/// Only Unix can sync a folder; elsewhere the file system must do.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// An object without a name yet; what was not taken is deleted, also when the writer went away.
struct Draft(Files);

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = self.0.remove() {
            tracing::warn!(%error, "a draft of an object could not be deleted");
        }
    }
}

/// Runs file work off the async threads. It is not cut off when the caller goes away.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> S3Result<T> {
    spawn_blocking(work)
        .await
        .map_err(S3Error::internal_error)?
        .map_err(S3Error::internal_error)
}

#[async_trait::async_trait]
impl S3 for ObjectFolder {
    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.inner.head_bucket(req).await
    }

    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        if req.input.bucket.len() > MAX_BUCKET_BYTES {
            return Err(s3_error!(
                InvalidBucketName,
                "at most {MAX_BUCKET_BYTES} bytes"
            ));
        }
        self.inner.create_bucket(req).await
    }

    async fn put_object(
        &self,
        mut req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        if req.input.if_match.is_some() || req.input.if_none_match.is_some() {
            return Err(s3_error!(NotImplemented, "conditional writes"));
        }
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let files = self.files(&bucket, &key)?;
        let number = self.drafts.fetch_add(1, Ordering::Relaxed).to_string();
        let draft = Draft(Files::new(&self.root, DRAFTS, &number));
        req.input.bucket = DRAFTS.to_owned();
        req.input.key = number;
        let answer = self.inner.put_object(req).await?;
        let turn = self.turn(&bucket, &key).write_owned().await;
        let taken = spawn_blocking(move || {
            let _turn = turn;
            files.take(&draft)
        })
        .await
        .map_err(S3Error::internal_error)?;
        match taken.as_ref().map_err(io::Error::kind) {
            Ok(()) => Ok(answer),
            // A folder cannot be a file too. S3 would take both names; trying again would not help here.
            Err(
                io::ErrorKind::IsADirectory
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::AlreadyExists,
            ) => Err(s3_error!(
                InvalidArgument,
                "the key is a folder of another object, or the other way round"
            )),
            Err(_) => taken.map(|()| answer).map_err(S3Error::internal_error),
        }
    }

    async fn get_object(
        &self,
        mut req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let files = self.files(&req.input.bucket, &req.input.key)?;
        // Held until the file is open: from then on its bytes stay, whatever takes its name.
        let turn = self.turn(&req.input.bucket, &req.input.key);
        let _turn = turn.read().await;
        let size = object_size(&files).await?;
        if let Some(Range::Suffix { length }) = req.input.range {
            if size == 0 || length == 0 {
                return Err(s3_error!(InvalidRange));
            }
            req.input.range = Some(Range::Int {
                first: size.saturating_sub(length),
                last: None,
            });
        }
        self.inner.get_object(req).await
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let files = self.files(&req.input.bucket, &req.input.key)?;
        let turn = self.turn(&req.input.bucket, &req.input.key);
        let _turn = turn.read().await;
        object_size(&files).await?;
        self.inner.head_object(req).await
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let files = self.files(&req.input.bucket, &req.input.key)?;
        let turn = self
            .turn(&req.input.bucket, &req.input.key)
            .write_owned()
            .await;
        blocking(move || {
            let _turn = turn;
            // A folder is no object, so there is nothing to delete.
            if files.bytes.is_dir() {
                Ok(())
            } else {
                files.remove()
            }
        })
        .await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.inner.list_objects_v2(req).await
    }
}

async fn object_size(files: &Files) -> S3Result<u64> {
    let absent = |kind| matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    match tokio::fs::metadata(&files.bytes).await {
        Ok(found) if found.is_file() => Ok(found.len()),
        Ok(_) => Err(s3_error!(NoSuchKey)),
        Err(error) if absent(error.kind()) => Err(s3_error!(NoSuchKey)),
        Err(error) => Err(S3Error::internal_error(error)),
    }
}

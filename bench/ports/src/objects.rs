//! Pictures and audio: on the embedded S3 server, or on one that others wrote.

use std::sync::Arc;

use anyhow::ensure;
use async_trait::async_trait;
use atelier_kit::objects::embedded::{EmbeddedS3, random_credentials};
use atelier_kit::objects::{BlobStore as _, DoorKey, EdgeDoor, ObjectKey, S3BlobStore};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::engines::Engines;
use crate::{AT_ONCE, Port, Side, Turn, Verb};

/// How many keys are written, in turn: each write after those replaces an object, and the disk does not fill.
const KEYS: usize = 2 * AT_ONCE;
const TYPE: &str = "image/png";

/// How large an object is.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// 100 KiB: speech of some seconds.
    Small,
    /// 1 MiB: a picture.
    Large,
}

/// The port.
pub async fn port(engines: &Engines, size: Size) -> anyhow::Result<Port> {
    let (name, bytes, bucket) = match size {
        Size::Small => ("Objects of 100 KiB", 100 << 10, "small"),
        Size::Large => ("Objects of 1 MiB", 1 << 20, "large"),
    };
    let embedded = Embedded::start().await?;
    let config = embedded.server.config(bucket, door()?);
    let own = Objects::open(S3BlobStore::new(config), bytes, Some(embedded)).await?;
    let gateway = S3BlobStore::new(engines.s3.bucket(bucket));
    Ok(Port {
        name,
        about: "`S3BlobStore` on both, so that each pays for signatures, checksums and HTTP over loopback. *Put* replaces one of 64 \
                objects, *get* reads the whole of one and checks it.",
        verbs: &[(Verb::Write, "put"), (Verb::Read, "get")],
        embedded: ("embedded S3", own),
        servers: vec![("S3 gateway", Objects::open(gateway, bytes, None).await?)],
    })
}

/// How callers reach objects through an edge; there is none here.
fn door() -> anyhow::Result<EdgeDoor> {
    Ok(EdgeDoor {
        public_url: "http://localhost:8080".parse()?,
        role: "tts".to_owned(),
        key: DoorKey::new([7; 32]),
    })
}

/// The embedded server on a folder of its own.
pub struct Embedded {
    server: EmbeddedS3,
    _stop: DropGuard,
    _folder: TempDir,
}

impl Embedded {
    /// Starts it.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let stop = CancellationToken::new();
        let (access, secret) = random_credentials()?;
        let objects = folder.path().join("objects");
        Ok(Self {
            server: EmbeddedS3::start(objects, access, secret, stop.clone()).await?,
            _stop: stop.drop_guard(),
            _folder: folder,
        })
    }

    /// A store in one of its buckets.
    pub fn store(&self, bucket: &str) -> anyhow::Result<S3BlobStore> {
        Ok(S3BlobStore::new(self.server.config(bucket, door()?)))
    }
}

struct Objects {
    store: S3BlobStore,
    content: Bytes,
    _embedded: Option<Embedded>,
}

/// Bytes that do not compress, the same in each run.
fn noise(length: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

fn key(kind: &str, number: usize) -> anyhow::Result<ObjectKey> {
    Ok(ObjectKey::new(format!("{kind}/{}.png", number % KEYS))?)
}

impl Objects {
    async fn open(
        store: S3BlobStore,
        bytes: usize,
        embedded: Option<Embedded>,
    ) -> anyhow::Result<Arc<dyn Side>> {
        let content = noise(bytes);
        for number in 0..KEYS {
            let key = key("read", number)?;
            store.put(&key, content.clone(), TYPE).await?;
        }
        Ok(Arc::new(Self {
            store,
            content,
            _embedded: embedded,
        }))
    }
}

#[async_trait]
impl Side for Objects {
    async fn once(&self, verb: Verb, turn: Turn) -> anyhow::Result<()> {
        let length = self.content.len() as u64;
        if verb == Verb::Write {
            let key = key("written", turn.number)?;
            let stored = self.store.put(&key, self.content.clone(), TYPE).await?;
            ensure!(stored.size == length, "{} bytes were kept", stored.size);
            return Ok(());
        }
        let object = self.store.get(&key("read", turn.number)?, None).await?;
        let read = object.body.try_fold(
            0,
            |read, piece| async move { Ok(read + piece.len() as u64) },
        );
        let read = read.await?;
        ensure!(read == length, "{read} bytes were read");
        Ok(())
    }
}

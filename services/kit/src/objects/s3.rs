//! The port over any S3, the embedded one included; the SDK's errors end here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_lc_rs::digest;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, ChecksumMode, CreateBucketConfiguration};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::sync::Mutex;
use url::Url;

use super::answer::{exactly, pieces, status, translate};
use super::client::{client, with_bytes};
use super::key::check_prefix;
use super::{
    Blob, BlobError, BlobInfo, BlobStore, ByteRange, LIST_LIMIT, ObjectKey, S3Config, ServedRange,
    SignedUrl, Stored, parts, signing_time,
};

/// Pages of names that are nobody's keys before [`BlobStore::list`] gives up.
const LIST_PAGES: usize = 100;
/// A larger object is sent in parts, of which one that fails is sent again by itself.
const WHOLE_BYTES: u64 = 16 << 20;
/// The region in which a bucket is made without naming it.
const FIRST_REGION: &str = "us-east-1";

/// Objects in one bucket of an S3.
#[derive(Debug)]
pub struct S3BlobStore {
    client: Client,
    /// Signs URLs for the address that callers see, which is part of the signature; it never connects.
    public: Option<Client>,
    config: S3Config,
    bucket_stands: AtomicBool,
    making: Mutex<()>,
}

impl S3BlobStore {
    /// Makes the client; nothing is reached yet, so a store that is away does not keep a process from starting.
    pub fn new(config: S3Config) -> Self {
        let public = config
            .public_url
            .as_ref()
            .map(|url| client(&config, Some(url)));
        Self {
            client: client(&config, config.endpoint.as_ref()),
            public,
            config,
            bucket_stands: AtomicBool::new(false),
            making: Mutex::new(()),
        }
    }

    /// Makes the bucket unless it is there. It need not be called: the first [`BlobStore::put`] does, as does one that
    /// finds the bucket gone. A failure is not remembered.
    pub async fn ensure_bucket(&self) -> Result<(), BlobError> {
        if self.bucket_stands.load(Ordering::Acquire) {
            return Ok(());
        }
        let _turn = self.making.lock().await;
        if self.bucket_stands.load(Ordering::Acquire) {
            return Ok(());
        }
        let there = match self
            .client
            .head_bucket()
            .bucket(&self.config.bucket)
            .send()
            .await
        {
            Ok(_) => true,
            // A key that may write objects need not be allowed to look at buckets: the write itself will tell.
            Err(error) if status(&error) == Some(403) => true,
            Err(error) if status(&error) == Some(404) => false,
            Err(error) => return Err(translate(error)),
        };
        if !there {
            self.make_bucket().await?;
        }
        self.bucket_stands.store(true, Ordering::Release);
        Ok(())
    }

    async fn make_bucket(&self) -> Result<(), BlobError> {
        let elsewhere = (self.config.region != FIRST_REGION && self.config.embedded_in.is_none())
            .then(|| {
                CreateBucketConfiguration::builder()
                    .location_constraint(BucketLocationConstraint::from(
                        self.config.region.as_str(),
                    ))
                    .build()
            });
        let made = self
            .client
            .create_bucket()
            .bucket(&self.config.bucket)
            .set_create_bucket_configuration(elsewhere)
            .send()
            .await;
        match made {
            Ok(_) => Ok(()),
            // Another process was faster. A bucket of another account would refuse the write that follows.
            Err(error)
                if matches!(
                    error.code(),
                    Some("BucketAlreadyExists" | "BucketAlreadyOwnedByYou")
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(translate(error)),
        }
    }
}

#[async_trait]
impl BlobStore for S3BlobStore {
    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<Stored, BlobError> {
        check_content_type(content_type)?;
        let digest = digest::digest(&digest::SHA256, &bytes);
        let size = bytes.len() as u64;
        let stored = Stored {
            size,
            sha256_hex: hex(digest.as_ref()),
        };
        // The server in this process takes no parts, and nothing is lost on the way to it.
        if size > WHOLE_BYTES && self.config.embedded_in.is_none() {
            self.ensure_bucket().await?;
            parts::put(&self.client, &self.config.bucket, key, bytes, content_type).await?;
            return Ok(stored);
        }
        let checksum = STANDARD.encode(digest.as_ref());
        let write = || {
            self.client
                .put_object()
                .bucket(&self.config.bucket)
                .key(key.as_str())
                .content_type(content_type)
                .checksum_sha256(&checksum)
                .body(ByteStream::from(bytes.clone()))
                .customize()
                .config_override(with_bytes())
                .send()
        };
        self.ensure_bucket().await?;
        let answer = match write().await {
            Err(error) if error.code() == Some("NoSuchBucket") => {
                self.bucket_stands.store(false, Ordering::Release);
                self.ensure_bucket().await?;
                write().await
            }
            answer => answer,
        }
        .map_err(translate)?;
        if answer
            .checksum_sha256()
            .is_some_and(|told| told != checksum)
        {
            return Err(BlobError::Checksum);
        }
        Ok(stored)
    }

    async fn get(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<Blob, BlobError> {
        if let Some(range) = range {
            range.check()?;
        }
        let answer = self
            .client
            .get_object()
            .bucket(&self.config.bucket)
            .key(key.as_str())
            .set_range(range.map(ByteRange::to_header))
            // What is kept is the checksum of the whole; some stores tell it of a part too, which it can never match.
            .set_checksum_mode(range.is_none().then_some(ChecksumMode::Enabled))
            .send()
            .await
            .map_err(translate)?;
        let length = size(answer.content_length())?;
        let (range, total_size) = match answer.content_range() {
            // Some stores send it for a whole object too.
            Some(text) if range.is_some() => {
                let (served, total) = ServedRange::parse(text)
                    .ok_or_else(|| other("the store's content-range makes no sense"))?;
                if served.length() != length {
                    return Err(other("the store's content-range and content-length differ"));
                }
                (Some(served), total)
            }
            // A store that ignores ranges is within its rights, but not when there is nothing to serve.
            _ if range.is_some() && length == 0 => return Err(BlobError::Range),
            _ => (None, length),
        };
        Ok(Blob {
            content_type: answer.content_type().unwrap_or(UNKNOWN_TYPE).to_owned(),
            total_size,
            range,
            etag: answer.e_tag().unwrap_or_default().to_owned(),
            body: exactly(pieces(answer.body), length),
        })
    }

    async fn head(&self, key: &ObjectKey) -> Result<BlobInfo, BlobError> {
        let answer = self
            .client
            .head_object()
            .bucket(&self.config.bucket)
            .key(key.as_str())
            .send()
            .await
            .map_err(translate)?;
        Ok(BlobInfo {
            content_type: answer.content_type().unwrap_or(UNKNOWN_TYPE).to_owned(),
            size: size(answer.content_length())?,
            etag: answer.e_tag().unwrap_or_default().to_owned(),
        })
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), BlobError> {
        let gone = self
            .client
            .delete_object()
            .bucket(&self.config.bucket)
            .key(key.as_str())
            .send()
            .await
            .map_err(translate);
        match gone {
            Ok(_) | Err(BlobError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
    ) -> Result<Vec<ObjectKey>, BlobError> {
        check_prefix(prefix)?;
        let mut keys = Vec::new();
        let mut after = after.map(|key| key.as_str().to_owned());
        for _ in 0..LIST_PAGES {
            let page = self
                .client
                .list_objects_v2()
                .bucket(&self.config.bucket)
                .prefix(prefix)
                .max_keys(LIST_LIMIT as i32)
                .set_start_after(after.clone())
                .send()
                .await
                .map_err(translate);
            let page = match page {
                // No bucket yet: nothing was put yet.
                Err(BlobError::NotFound) => return Ok(keys),
                page => page?,
            };
            let mut names = page.contents().iter().filter_map(|object| object.key());
            keys.extend(names.clone().filter_map(|name| ObjectKey::new(name).ok()));
            if keys.len() >= LIST_LIMIT {
                keys.truncate(LIST_LIMIT);
                return Ok(keys);
            }
            // Every page begins behind the last name seen, which also holds when objects vanish in between.
            after = names.next_back().map(str::to_owned);
            if page.is_truncated() != Some(true) || after.is_none() {
                return Ok(keys);
            }
        }
        Err(other("too many objects that are nobody's"))
    }

    async fn signed_url(
        &self,
        key: &ObjectKey,
        lifetime: Duration,
    ) -> Result<SignedUrl, BlobError> {
        let Some(public) = &self.public else {
            return Ok(self.config.door.url(key, lifetime));
        };
        let (now, lifetime) = signing_time(lifetime);
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        let lifetime = Duration::from_secs(lifetime);
        let presigning = PresigningConfig::builder()
            .start_time(start)
            .expires_in(lifetime)
            .build()
            .map_err(|error| BlobError::Other(error.into()))?;
        let request = public
            .get_object()
            .bucket(&self.config.bucket)
            .key(key.as_str())
            .presigned(presigning)
            .await
            .map_err(translate)?;
        Ok(SignedUrl {
            url: request.uri().to_owned(),
            expires: start + lifetime,
        })
    }

    fn describe(&self) -> String {
        let bucket = &self.config.bucket;
        let place = match (&self.config.embedded_in, &self.config.endpoint) {
            (Some(folder), _) => {
                format!("embedded S3, folder {}, bucket {bucket}", folder.display())
            }
            (None, Some(url)) => format!("S3 at {}, bucket {bucket}", address(url)),
            (None, None) => format!("S3 of AWS in {}, bucket {bucket}", self.config.region),
        };
        match &self.config.public_url {
            Some(url) => format!("{place}, links presigned for {}", address(url)),
            None => format!(
                "{place}, links through {}",
                address(&self.config.door.public_url)
            ),
        }
    }
}

/// The media type of an object that was put without one, by others.
const UNKNOWN_TYPE: &str = "application/octet-stream";

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A URL without what may be secret in it.
fn address(url: &Url) -> String {
    format!(
        "{}{}",
        url.origin().ascii_serialization(),
        url.path().trim_end_matches('/')
    )
}

fn other(why: &'static str) -> BlobError {
    BlobError::Other(why.into())
}

fn check_content_type(text: &str) -> Result<(), BlobError> {
    let visible = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if visible && text.len() <= 127 && text.trim() == text && text.split_once('/').is_some() {
        return Ok(());
    }
    Err(other("not a media type"))
}

fn size(length: Option<i64>) -> Result<u64, BlobError> {
    length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| other("the store does not tell the object's size"))
}

#[cfg(test)]
#[path = "s3_tests.rs"]
mod tests;

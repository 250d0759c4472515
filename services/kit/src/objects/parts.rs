//! Large objects, sent in parts (S3's multipart upload): nothing is there under the key until all of it is.

use aws_lc_rs::digest;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::answer::translate;
use super::client::with_bytes;
use super::{BlobError, ObjectKey};

/// How large a part is; S3 takes none below 5 MiB but the last.
const PART_BYTES: usize = 8 << 20;

/// Sends an object in parts, each with its SHA-256. A failure takes back what was sent; what a crash leaves is nobody's to
/// read, and a bucket's rule for incomplete uploads clears it.
pub(super) async fn put(
    client: &Client,
    bucket: &str,
    key: &ObjectKey,
    bytes: Bytes,
    content_type: &str,
) -> Result<(), BlobError> {
    let begun = client
        .create_multipart_upload()
        .bucket(bucket)
        .key(key.as_str())
        .content_type(content_type)
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .map_err(translate)?;
    let upload = Upload {
        client,
        bucket,
        key,
        id: begun.upload_id().unwrap_or_default(),
    };
    let sent = upload.send(bytes).await;
    if sent.is_err() {
        upload.abort().await;
    }
    sent
}

struct Upload<'a> {
    client: &'a Client,
    bucket: &'a str,
    key: &'a ObjectKey,
    id: &'a str,
}

impl Upload<'_> {
    async fn send(&self, mut bytes: Bytes) -> Result<(), BlobError> {
        let mut parts = Vec::new();
        let mut number = 0;
        while !bytes.is_empty() {
            number += 1;
            let part = bytes.split_to(bytes.len().min(PART_BYTES));
            parts.push(self.part(number, part).await?);
        }
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        self.client
            .complete_multipart_upload()
            .bucket(self.bucket)
            .key(self.key.as_str())
            .upload_id(self.id)
            .multipart_upload(parts)
            .customize()
            .config_override(with_bytes())
            .send()
            .await
            .map(drop)
            .map_err(translate)
    }

    async fn part(&self, number: i32, bytes: Bytes) -> Result<CompletedPart, BlobError> {
        let digest = digest::digest(&digest::SHA256, &bytes);
        let checksum = STANDARD.encode(digest.as_ref());
        let sent = self
            .client
            .upload_part()
            .bucket(self.bucket)
            .key(self.key.as_str())
            .upload_id(self.id)
            .part_number(number)
            .checksum_sha256(&checksum)
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(with_bytes())
            .send()
            .await
            .map_err(translate)?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag().map(str::to_owned))
            .checksum_sha256(checksum)
            .build())
    }

    async fn abort(&self) {
        let told = self
            .client
            .abort_multipart_upload()
            .bucket(self.bucket)
            .key(self.key.as_str())
            .upload_id(self.id)
            .send()
            .await;
        if let Err(error) = told {
            let error = translate(error);
            tracing::debug!(%error, "the parts of an object stay where they are");
        }
    }
}

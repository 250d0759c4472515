//! Fetching a stored result by its signed URL, and making sure that it is what was made.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use atelier_proto::generation::v1::Artifact;
use aws_lc_rs::digest::{Context as Digest, SHA256};
use futures_util::StreamExt as _;
use tempfile::NamedTempFile;

use super::connection::Connection;
use super::output::Output;
use super::session::Session;
use super::terminal::pour;

/// How often it is tried.
const ATTEMPTS: u32 = 5;

/// Fetches the result of a generation and takes it where it belongs; tells the file it is in. `fresh` asks for another
/// URL, since one may have expired, or lead to where nobody is any more.
pub async fn deliver(
    session: &Session<'_>,
    artifact: &Artifact,
    output: &Output,
    fresh: impl AsyncFn() -> anyhow::Result<String>,
) -> anyhow::Result<PathBuf> {
    let mut draft = output.draft()?;
    fetch(session, artifact, &mut draft, fresh).await?;
    if matches!(output, Output::Stdout) {
        let mut bytes = Vec::new();
        draft.as_file_mut().seek(SeekFrom::Start(0))?;
        draft.as_file_mut().read_to_end(&mut bytes)?;
        pour(&bytes).await?;
    }
    output.keep(draft, &artifact.content_type)
}

/// Fetches a result into a file, from the file's beginning.
pub async fn fetch(
    session: &Session<'_>,
    artifact: &Artifact,
    file: &mut NamedTempFile,
    fresh: impl AsyncFn() -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    let mut artifact = artifact.clone();
    let mut attempt = 1;
    loop {
        match fetch_once(&session.connection(), &artifact, file).await {
            Err(_) if attempt < ATTEMPTS => {
                tokio::time::sleep(Duration::from_millis(200) * attempt).await;
                session.mend().await?;
                if let Ok(url) = fresh().await {
                    artifact.url = url;
                }
                attempt += 1;
            }
            done => return done.context("the result was made and cannot be fetched"),
        }
    }
}

/// Fetches it once, and makes sure that it is whole and what was stored.
pub async fn fetch_once(
    connection: &Connection,
    artifact: &Artifact,
    file: &mut NamedTempFile,
) -> anyhow::Result<()> {
    file.as_file().set_len(0)?;
    file.as_file_mut().seek(SeekFrom::Start(0))?;
    let answer = connection
        .objects
        .get(&artifact.url)
        .send()
        .await
        // The URL is signed: whoever reads it may fetch the object.
        .map_err(reqwest::Error::without_url)?
        .error_for_status()
        .map_err(reqwest::Error::without_url)?;
    let (mut size, mut digest) = (0_i64, Digest::new(&SHA256));
    let mut body = answer.bytes_stream();
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(reqwest::Error::without_url)?;
        size = size.saturating_add(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        if size > artifact.size_bytes {
            bail!("more than its {} bytes arrived", artifact.size_bytes);
        }
        digest.update(&bytes);
        file.write_all(&bytes)?;
    }
    if size != artifact.size_bytes {
        bail!("{size} bytes arrived of {}", artifact.size_bytes);
    }
    let found = hex(digest.finish().as_ref());
    if found != artifact.sha256 {
        bail!("its checksum is not the one it was stored with");
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

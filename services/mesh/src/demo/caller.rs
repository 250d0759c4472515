//! A client of a running mesh: a channel to its edge, and the token of an account.

use std::time::Duration;

use anyhow::Context as _;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use url::Url;

/// A signed-in client.
pub struct Caller {
    /// The channel to the edge.
    pub channel: Channel,
    token: MetadataValue<Ascii>,
}

/// Connects to an edge.
pub async fn connect(url: &Url) -> anyhow::Result<Channel> {
    Endpoint::from_shared(url.to_string())?
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("atelier/", env!("CARGO_PKG_VERSION")))?
        .connect()
        .await
        .with_context(|| format!("no Atelier answers at {url}"))
}

impl Caller {
    /// A client with this access token.
    pub fn new(channel: Channel, access_token: &str) -> anyhow::Result<Self> {
        let mut token: MetadataValue<Ascii> = format!("Bearer {access_token}").parse()?;
        token.set_sensitive(true);
        Ok(Self { channel, token })
    }

    /// A message as this account's request.
    pub fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", self.token.clone());
        request
    }
}

/// Fetches an object by its signed URL.
pub async fn download(url: &str) -> anyhow::Result<Vec<u8>> {
    let response = reqwest::Client::builder()
        .timeout(Duration::from_secs(60))
        .build()?
        .get(url)
        .send()
        .await?
        .error_for_status()?;
    Ok(response.bytes().await?.to_vec())
}

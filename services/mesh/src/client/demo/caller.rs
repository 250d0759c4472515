//! A client of a running mesh with the token of an account of its own; it keeps nothing.

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use crate::client::connection::Connection;

/// A signed-in client.
pub struct Caller {
    /// The connection to the edge.
    pub connection: Connection,
    /// Its channel.
    pub channel: Channel,
    token: MetadataValue<Ascii>,
}

impl Caller {
    /// A client with this access token.
    pub fn new(connection: &Connection, access_token: &str) -> anyhow::Result<Self> {
        let mut token: MetadataValue<Ascii> = format!("Bearer {access_token}").parse()?;
        token.set_sensitive(true);
        Ok(Self {
            connection: connection.clone(),
            channel: connection.channel.clone(),
            token,
        })
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

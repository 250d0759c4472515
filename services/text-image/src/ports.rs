//! The ports of this service, in domain words; objects are behind the kit's own port.

use async_trait::async_trait;
use atelier_generation::ProviderError;
use atelier_kit::moment::Micros;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::error::Error;
use crate::image::{Commission, Image};

/// Where pictures are kept. They are added and ended by the projection of their generation.
#[async_trait]
pub trait ImageStore: Send + Sync + 'static {
    /// Reads one of this owner.
    async fn find(&self, user_id: &str, id: &str) -> Result<Image, Error>;
    /// Lists those of an owner, or everybody's, made before a point, the newest first.
    async fn list(
        &self,
        user_id: Option<&str>,
        before: Option<(Micros, String)>,
        limit: i64,
    ) -> Result<Vec<Image>, Error>;
    /// Deletes one of this owner with all that its generation keeps, and leaves its objects to the keeper. `false`
    /// when it is still being made, and then nothing was deleted.
    async fn delete(&self, user_id: &str, id: &str) -> Result<bool, Error>;

    /// Days of histories whose file is behind the table.
    async fn stale_histories(&self, limit: i64) -> Result<Vec<StaleHistory>, Error>;
    /// The finished pictures of a user's day, the oldest first.
    async fn history(&self, user_id: &str, day: i64) -> Result<Vec<Image>, Error>;
    /// The file of a history was written as it was at this version.
    async fn history_written(&self, stale: &StaleHistory) -> Result<(), Error>;
    /// Beginnings of keys whose objects belong to no picture any more.
    async fn leftovers(&self, due: Micros, limit: i64) -> Result<Vec<String>, Error>;
    /// The objects are gone.
    async fn cleared(&self, prefix: &str) -> Result<(), Error>;

    /// Whether an account has left, so that nothing of it is to be made any more.
    async fn has_departed(&self, user_id: &str) -> Result<bool, Error>;
    /// Until when objects of an owner may still arrive that nobody waits for; `None` when all have.
    async fn unsettled(&self, user_id: &str, now: Micros) -> Result<Option<Micros>, Error>;
    /// Beginnings of keys whose objects belong to no picture of an owner any more, due or not.
    async fn leftovers_of(&self, user_id: &str, limit: i64) -> Result<Vec<String>, Error>;
    /// Erases pictures, which have ended and whose objects are gone, with all that their generations keep.
    async fn erase(&self, ids: &[String]) -> Result<(), Error>;
    /// Forgets that histories of an owner are behind.
    async fn forget_histories(&self, user_id: &str) -> Result<(), Error>;
    /// Takes what was erased out of the files as well.
    async fn write_back(&self) -> Result<(), Error>;
}

/// A day of a user's history whose file is behind the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleHistory {
    /// The user.
    pub user_id: String,
    /// Days since the epoch.
    pub day: i64,
    /// Which change it is about.
    pub version: i64,
}

/// What a painter tells while it works.
#[derive(Clone, Debug, PartialEq)]
pub enum Stroke {
    /// How far it is, 0 to 1.
    Progress(f64),
    /// A small early look.
    Preview(Painted),
    /// The picture; the last stroke.
    Done(Painted),
}

/// A picture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Painted {
    /// The file.
    pub bytes: Bytes,
    /// Its media type.
    pub content_type: &'static str,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// The tokens that its provider says it read; 0 where it says nothing.
    pub input_tokens: i64,
    /// The tokens that its provider says it made; 0 where it says nothing.
    pub output_tokens: i64,
}

/// Somebody who paints.
pub trait Painter: Send + Sync + 'static {
    /// Begins a picture. Dropping the stream ends the work, at the provider too.
    fn paint(
        &self,
        model: &str,
        commission: Commission,
    ) -> BoxStream<'static, Result<Stroke, ProviderError>>;
}

//! The ports of this service, in domain words; objects are behind the kit's own port.

use async_trait::async_trait;
use atelier_generation::ProviderError;
use atelier_kit::moment::Micros;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::conversion::{Conversion, Order};
use crate::error::Error;

/// Where conversions are kept. They are added and ended by the projection of their generation.
#[async_trait]
pub trait ConversionStore: Send + Sync + 'static {
    /// Reads one of this owner.
    async fn find(&self, user_id: &str, id: &str) -> Result<Conversion, Error>;
    /// Lists those of an owner that were asked for before a point, the newest first.
    async fn list(
        &self,
        user_id: &str,
        before: Option<(Micros, String)>,
        limit: i64,
    ) -> Result<Vec<Conversion>, Error>;
    /// Deletes one of this owner with all that its generation keeps, and leaves its objects to the keeper. `false`
    /// when it is still being made, and then nothing was deleted.
    async fn delete(&self, user_id: &str, id: &str) -> Result<bool, Error>;

    /// Beginnings of keys whose objects belong to no conversion any more.
    async fn leftovers(&self, due: Micros, limit: i64) -> Result<Vec<String>, Error>;
    /// The objects are gone.
    async fn cleared(&self, prefix: &str) -> Result<(), Error>;

    /// Until when objects of an owner may still arrive that nobody waits for; `None` when all have.
    async fn unsettled(&self, user_id: &str, now: Micros) -> Result<Option<Micros>, Error>;
    /// Beginnings of keys whose objects belong to no conversion of an owner any more, due or not.
    async fn leftovers_of(&self, user_id: &str, limit: i64) -> Result<Vec<String>, Error>;
    /// Erases conversions, which have ended and whose objects are gone, with all that their generations keep.
    async fn erase(&self, ids: &[String]) -> Result<(), Error>;
    /// Takes what was erased out of the files as well.
    async fn write_back(&self) -> Result<(), Error>;
}

/// What a voice gives while it speaks.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// The next bytes of the file as it is streamed: all of them in order can be played before the end is known.
    Audio {
        /// The bytes; never empty.
        bytes: Bytes,
        /// How much of the text was spoken, 0 to 1, where that can be told.
        spoken: Option<f64>,
    },
    /// The whole file; the last piece.
    Done(Spoken),
}

/// A finished audio file.
#[derive(Clone, Debug, PartialEq)]
pub struct Spoken {
    /// The file to keep: what was streamed, under a header that knows the length.
    pub file: Bytes,
    /// How long it plays.
    pub duration_micros: Micros,
    /// Characters of the text that the voice cannot read and left out.
    pub skipped: u32,
    /// What the provider answered, where it speaks HTTP.
    pub status_code: Option<u16>,
    /// What the provider charged, where that is known.
    pub cost_usd: Option<f64>,
}

/// Somebody who speaks.
pub trait Voice: Send + Sync + 'static {
    /// Begins to speak in the format of the order. Dropping the stream ends the work, at the provider too.
    fn speak(&self, order: &Order) -> BoxStream<'static, Result<Piece, ProviderError>>;
}

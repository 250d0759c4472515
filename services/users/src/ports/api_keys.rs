//! What the rules of API keys need kept.

use async_trait::async_trait;
use atelier_kit::moment::Micros;

use super::Cursor;
use crate::api_keys::{ApiKey, KeyHash};
use crate::error::Error;
use crate::users::User;

/// The API keys.
#[async_trait]
pub(crate) trait ApiKeyStore: Send + Sync + 'static {
    /// Adds a key of an account. [`Error::TooManyApiKeys`] when it has `most` that work.
    async fn insert(
        &self,
        user_id: &str,
        key: &ApiKey,
        hash: &KeyHash,
        most: i64,
    ) -> Result<(), Error>;

    /// At most `rows` keys of an account after a place, the newest first.
    async fn list(
        &self,
        user_id: &str,
        after: Option<Cursor>,
        rows: i64,
    ) -> Result<Vec<ApiKey>, Error>;

    /// Deletes a key of an account and has its tokens refused; `false` when there is none of that id.
    async fn delete(&self, user_id: &str, key_id: &str, now: Micros) -> Result<bool, Error>;

    /// A key that works, and its account.
    async fn find(&self, hash: &KeyHash, now: Micros) -> Result<Option<(ApiKey, User)>, Error>;

    /// The account of a key that works.
    async fn holder(&self, key_id: &str, user_id: &str, now: Micros)
    -> Result<Option<User>, Error>;

    /// Keeps that a key was used, unless a later use is kept.
    async fn touch(&self, key_id: &str, time: Micros) -> Result<(), Error>;
}

//! Opaque tokens, refresh tokens among them, and pairs: making, hashing and sealing them; which of them is good is not
//! decided here.

use std::ops::Deref;

use atelier_kit::moment::Micros;
use atelier_kit::secret;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// How long an access token is good, in seconds.
pub(crate) const ACCESS_SECONDS: u64 = 15 * 60;
/// How long a refresh token is good, and a session that is not refreshed, in microseconds.
pub(crate) const REFRESH_MICROS: Micros = 30 * 24 * 3600 * 1_000_000;

/// What is kept of an opaque token: its SHA-256. Nobody can guess 256 bits, so no slow hash is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenHash(pub(crate) [u8; 32]);

/// A text of 256 bits in base64url that nobody can guess; never printed.
pub(crate) struct Opaque(SecretString);

/// A refresh token.
pub(crate) struct RefreshToken(Opaque);

/// A pair of tokens, as one answer carries it. It is never printed, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) access_expire_time: Micros,
    pub(crate) refresh: String,
    pub(crate) refresh_expire_time: Micros,
}

impl Opaque {
    /// A new one, by chance.
    pub(crate) fn new() -> Result<Self, Error> {
        secret::random::<32>()
            .map(|bytes| Self::of(&bytes))
            .map_err(Error::crypto)
    }

    /// The one of bytes that nobody else can know.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// One that a caller presents.
    pub(crate) fn presented(text: String) -> Self {
        Self(text.into())
    }

    /// The text, to be told to its owner.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose().as_bytes()).into())
    }

    /// The text, for whoever keeps it secret too.
    pub(crate) fn into_secret(self) -> SecretString {
        self.0
    }
}

impl Deref for RefreshToken {
    type Target = Opaque;

    fn deref(&self) -> &Opaque {
        &self.0
    }
}

impl RefreshToken {
    /// A new one.
    pub(crate) fn new() -> Result<Self, Error> {
        Opaque::new().map(Self)
    }

    /// One that a caller presents.
    pub(crate) fn presented(text: String) -> Self {
        Self(Opaque::presented(text))
    }

    /// Seals the pair that this token was exchanged for, so that only whoever has the token can read it.
    pub(crate) fn seal(&self, pair: &Pair) -> Result<Vec<u8>, Error> {
        let plain = serde_json::to_vec(pair).map_err(Error::crypto)?;
        secret::seal(&self.sealing_key(), &self.hash().0, &plain).map_err(Error::crypto)
    }

    /// Opens what [`RefreshToken::seal`] made with the same token.
    pub(crate) fn open(&self, sealed: &[u8]) -> Result<Pair, Error> {
        let plain =
            secret::open(&self.sealing_key(), &self.hash().0, sealed).map_err(Error::crypto)?;
        serde_json::from_slice(&plain).map_err(Error::crypto)
    }

    /// Nobody who reads the database can derive it: the kept hash says nothing about this one.
    fn sealing_key(&self) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.expose().as_bytes());
        let tag = hmac::sign(&key, b"atelier/users/successor/v1");
        let mut out = [0; 32];
        out.copy_from_slice(tag.as_ref());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> Pair {
        Pair {
            access: "a.b.c".into(),
            access_expire_time: 1,
            refresh: "next".into(),
            refresh_expire_time: 2,
        }
    }

    #[test]
    fn a_sealed_pair_opens_with_its_token_alone() {
        let token = RefreshToken::new().unwrap();
        let sealed = token.seal(&pair()).unwrap();
        assert!(token.open(&sealed).unwrap() == pair());
        assert!(RefreshToken::new().unwrap().open(&sealed).is_err());
        assert!(!sealed.windows(5).any(|window| window == b"a.b.c"));
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (one, two) = (Opaque::new().unwrap(), Opaque::new().unwrap());
        assert_eq!(one.expose().len(), 43);
        assert_ne!(one.expose(), two.expose());
        let again = Opaque::presented(one.expose().to_owned());
        assert_eq!(one.hash(), again.hash());
    }
}

//! Access tokens, verified with public keys that are fetched when they are needed and kept; no call waits for a start-up order.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use tokio::sync::Mutex;

use super::{AUDIENCE, AccessClaims, Account, ISSUER, expired, invalid};
use crate::fault::{Fault, Kind};

/// An unknown `kid` asks for the keys again at most this often.
const REFETCH: Duration = Duration::from_secs(60);
/// Keys that could not be fetched are asked for again after this long.
const RETRY: Duration = Duration::from_secs(1);

/// Where the public keys come from.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// The JSON Web Key Set (RFC 7517) that holds now.
    async fn fetch(&self) -> Result<String, Fault>;
}

/// Verifies access tokens. Clones share the keys.
#[derive(Clone)]
pub struct AccessVerifier {
    source: Arc<dyn KeySource>,
    keys: Arc<RwLock<HashMap<String, Arc<DecodingKey>>>>,
    last_fetch: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl AccessVerifier {
    /// Fetches from `source` when the first token arrives, and when a token names a key that is not known.
    pub fn new(source: Arc<dyn KeySource>) -> Self {
        Self {
            source,
            keys: Arc::default(),
            last_fetch: Arc::default(),
        }
    }

    /// The account of a token, or why the token does not hold.
    pub(super) async fn verify(
        &self,
        token: &str,
        header: &jsonwebtoken::Header,
    ) -> Result<Account, Fault> {
        if header.alg != Algorithm::RS256 {
            return Err(invalid("the token is not signed with RS256"));
        }
        let kid = header
            .kid
            .as_deref()
            .ok_or_else(|| invalid("the token names no key"))?;
        let key = self.key(kid).await?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        // Replicas of one mesh keep their clocks; a generous leeway would only lengthen a stolen token's life.
        validation.leeway = 5;
        let claims = jsonwebtoken::decode::<AccessClaims>(token, &key, &validation)
            .map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::ExpiredSignature => expired(),
                jsonwebtoken::errors::ErrorKind::InvalidSignature => {
                    invalid("the signature is wrong")
                }
                jsonwebtoken::errors::ErrorKind::InvalidAudience => {
                    invalid("the audience is wrong")
                }
                jsonwebtoken::errors::ErrorKind::InvalidIssuer => invalid("the issuer is wrong"),
                jsonwebtoken::errors::ErrorKind::ImmatureSignature => {
                    invalid("the token is not valid yet")
                }
                _ => invalid("the token is malformed"),
            })?
            .claims;
        Ok(Account {
            id: claims.sub.into(),
            session: claims.sid.into(),
            role: claims.role,
        })
    }

    async fn key(&self, kid: &str) -> Result<Arc<DecodingKey>, Fault> {
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        // One fetch at a time; whoever waited looks again before fetching.
        let mut last = self.last_fetch.lock().await;
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        match *last {
            Some((at, true)) if at.elapsed() < REFETCH => {
                return Err(invalid("the key is not known"));
            }
            Some((at, false)) if at.elapsed() < RETRY => return Err(unreachable_keys()),
            _ => {}
        }
        let fetched = self.source.fetch().await.and_then(|text| parse(&text));
        *last = Some((Instant::now(), fetched.is_ok()));
        match fetched {
            Ok(keys) => {
                *self
                    .keys
                    .write()
                    .unwrap_or_else(std::sync::PoisonError::into_inner) = keys;
            }
            Err(fault) => {
                tracing::warn!(error = %fault, "the key set cannot be fetched");
                return Err(unreachable_keys());
            }
        }
        self.known(kid)
            .ok_or_else(|| invalid("the key is not known"))
    }

    fn known(&self, kid: &str) -> Option<Arc<DecodingKey>> {
        self.keys
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(kid)
            .cloned()
    }
}

fn unreachable_keys() -> Fault {
    Fault::new(
        Kind::Unavailable,
        "KEYS_UNAVAILABLE",
        "tokens cannot be verified at the moment",
    )
    .retry_after(RETRY)
}

fn parse(text: &str) -> Result<HashMap<String, Arc<DecodingKey>>, Fault> {
    let set: jsonwebtoken::jwk::JwkSet =
        serde_json::from_str(text).map_err(|error| Fault::internal(&error))?;
    let mut keys = HashMap::new();
    for jwk in &set.keys {
        if let Some(kid) = &jwk.common.key_id {
            let key = DecodingKey::from_jwk(jwk).map_err(|error| Fault::internal(&error))?;
            keys.insert(kid.clone(), Arc::new(key));
        }
    }
    Ok(keys)
}

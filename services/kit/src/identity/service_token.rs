//! Tokens by which services know each other: HS256 under a key of the mesh secret, good for a minute and for one audience.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::{expired, invalid};
use crate::fault::Fault;
use crate::secret::MeshSecret;

/// The `typ` of service tokens.
pub(super) const TYPE: &str = "service+jwt";
const ISSUER: &str = "atelier-mesh";
const LIFETIME_SECONDS: u64 = 60;
/// A token is used again until this many seconds before its end.
const MARGIN_SECONDS: u64 = 30;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: u64,
    exp: u64,
}

/// Tokens by their audience, each with the second until which it is used again.
type Made = HashMap<String, (u64, Arc<str>)>;

/// Makes and verifies service tokens.
#[derive(Clone)]
pub struct ServiceTokens {
    role: Arc<str>,
    encoding: Arc<EncodingKey>,
    decoding: Arc<DecodingKey>,
    made: Arc<Mutex<Made>>,
}

impl ServiceTokens {
    /// Tokens that say they are `role`.
    pub fn new(secret: &MeshSecret, role: &str) -> Self {
        let key = secret.derive("service-tokens");
        Self {
            role: role.into(),
            encoding: Arc::new(EncodingKey::from_secret(&key)),
            decoding: Arc::new(DecodingKey::from_secret(&key)),
            made: Arc::default(),
        }
    }

    /// A token for calling the role `audience`.
    pub fn token(&self, audience: &str) -> Result<Arc<str>, Fault> {
        let now = jsonwebtoken::get_current_timestamp();
        let mut made = self
            .made
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((until, token)) = made.get(audience)
            && now < *until
        {
            return Ok(token.clone());
        }
        let header = Header {
            typ: Some(TYPE.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: audience.to_owned(),
            sub: self.role.to_string(),
            iat: now,
            exp: now + LIFETIME_SECONDS,
        };
        let token: Arc<str> = jsonwebtoken::encode(&header, &claims, &self.encoding)
            .map_err(|error| Fault::internal(&error))?
            .into();
        made.insert(
            audience.to_owned(),
            (now + LIFETIME_SECONDS - MARGIN_SECONDS, token.clone()),
        );
        Ok(token)
    }

    /// The role that a token speaks for, when it was made for `audience`.
    pub(super) fn verify(&self, token: &str, audience: &str) -> Result<Arc<str>, Fault> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[audience]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = 5;
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation)
            .map(|data| data.claims.sub.into())
            .map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::ExpiredSignature => expired(),
                jsonwebtoken::errors::ErrorKind::InvalidAudience => {
                    invalid("the service token is for another service")
                }
                _ => invalid("the service token does not hold"),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_token_is_for_one_audience_and_one_mesh() {
        let mesh = MeshSecret::new(&[1; 32]).unwrap();
        let other = MeshSecret::new(&[2; 32]).unwrap();
        let token = ServiceTokens::new(&mesh, "tts").token("analytics").unwrap();
        let verifier = ServiceTokens::new(&mesh, "analytics");
        assert_eq!(&*verifier.verify(&token, "analytics").unwrap(), "tts");
        assert!(verifier.verify(&token, "users").is_err());
        assert!(
            ServiceTokens::new(&other, "analytics")
                .verify(&token, "analytics")
                .is_err()
        );
    }
}

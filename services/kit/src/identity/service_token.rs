//! Tokens by which services know each other: HS256 under a key of the mesh secret, good for a minute and for one audience.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::{expired, invalid};
use crate::fault::Fault;
use crate::network::NetworkKey;
use crate::secret::MeshSecret;

/// The `typ` of service tokens.
pub(super) const TYPE: &str = "service+jwt";
const ISSUER: &str = "atelier-mesh";
const LIFETIME_SECONDS: u64 = 60;
/// By how much clocks may differ: two minutes, and what a call takes. A mesh whose replicas do not keep the same time goes on,
/// at the price of tokens that hold for as much longer; they never leave the mesh.
const LEEWAY_SECONDS: u64 = 125;
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
    networks: NetworkKey,
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
            networks: NetworkKey::new(&secret.derive("client-networks")),
        }
    }

    /// How the roles of the mesh tell each other where a client calls from.
    pub(crate) fn networks(&self) -> &NetworkKey {
        &self.networks
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
        validation.leeway = LEEWAY_SECONDS;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation)
            .map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::ExpiredSignature => expired(),
                jsonwebtoken::errors::ErrorKind::InvalidAudience => {
                    invalid("the service token is for another service")
                }
                _ => invalid("the service token does not hold"),
            })?
            .claims;
        // None can be revoked, so whoever makes one may not make it last.
        let latest = jsonwebtoken::get_current_timestamp() + LIFETIME_SECONDS + LEEWAY_SECONDS;
        if claims.exp > latest {
            return Err(invalid("the service token lives too long"));
        }
        Ok(claims.sub.into())
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

    #[test]
    fn a_service_token_that_would_outlive_its_minute_is_refused() {
        let tokens = ServiceTokens::new(&MeshSecret::new(&[1; 32]).unwrap(), "tts");
        let until = |exp| {
            let claims = Claims {
                iss: ISSUER.to_owned(),
                aud: "analytics".to_owned(),
                sub: "tts".to_owned(),
                iat: exp - LIFETIME_SECONDS,
                exp,
            };
            let header = Header {
                typ: Some(TYPE.to_owned()),
                ..Header::new(Algorithm::HS256)
            };
            let token = jsonwebtoken::encode(&header, &claims, &tokens.encoding).unwrap();
            tokens.verify(&token, "analytics")
        };
        let now = jsonwebtoken::get_current_timestamp();
        assert!(until(now + LIFETIME_SECONDS).is_ok());
        assert!(until(now + LIFETIME_SECONDS + LEEWAY_SECONDS + 2).is_err());
    }

    /// The test vector of `docs/service-tokens.md`, by which services in other languages are written.
    const DOCUMENT: &str = include_str!("../../../../docs/service-tokens.md");

    fn vector(name: &str) -> &'static str {
        let line = DOCUMENT
            .lines()
            .skip_while(|line| *line != "## Test vector")
            .find(|line| line.split_whitespace().next() == Some(name));
        line.and_then(|line| line.strip_prefix(name))
            .unwrap()
            .trim()
    }

    #[test]
    fn the_vector_of_the_document_is_what_the_mesh_makes() {
        let secret = MeshSecret::new(vector("secret").as_bytes()).unwrap();
        let key = secret.derive("service-tokens");
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "7c13a62f74343c42774f9284cf2932c0f6649fc9aab2249bd70421a9d7254a99"
        );
        assert_eq!(hex, vector("key"));
        let header = Header {
            typ: Some(TYPE.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: "analytics".to_owned(),
            sub: "bedtime".to_owned(),
            iat: 1_767_225_600,
            exp: 1_767_225_600 + LIFETIME_SECONDS,
        };
        assert_eq!(serde_json::to_string(&header).unwrap(), vector("header"));
        assert_eq!(serde_json::to_string(&claims).unwrap(), vector("claims"));
        let token =
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&key)).unwrap();
        assert_eq!(token, vector("token"));
    }

    #[test]
    fn the_vector_of_the_document_held_in_its_minute_and_no_other_token_like_it_does() {
        let secret = MeshSecret::new(vector("secret").as_bytes()).unwrap();
        let verifier = ServiceTokens::new(&secret, "analytics");
        let reason = |token: &str| verifier.verify(token, "analytics").unwrap_err().reason();
        // Its time is looked at only after its signature was found to hold.
        assert_eq!(reason(vector("token")), "TOKEN_EXPIRED");
        let changed = vector("token").replace(".hvAK", ".hvAL");
        assert_ne!(changed, vector("token"));
        assert_eq!(reason(&changed), "TOKEN_INVALID");
    }
}

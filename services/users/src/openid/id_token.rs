//! ID tokens: whether one holds, by the keys that its provider publishes; nobody is asked here.

use atelier_kit::moment::Micros;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;

/// By how much the provider's clock may be off, in seconds.
const LEEWAY: f64 = 60.0;
/// Most bytes of a subject (OpenID Connect Core 1.0, 2).
const SUBJECT_BYTES: usize = 255;

/// Why an ID token does not hold.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it is no signed token of a kind that is taken")]
    Malformed(#[source] jsonwebtoken::errors::Error),
    #[error("it has an extension that must be understood")]
    Critical,
    #[error("no key of the provider's fits it")]
    NoKey,
    #[error("its signature or a claim does not hold")]
    Invalid(#[source] jsonwebtoken::errors::Error),
    #[error("{0}")]
    Claim(&'static str),
}

/// The keys of a provider that may sign ID tokens.
pub(super) struct KeySet(Vec<Key>);

struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// A JSON Web Key Set. What cannot be read as a key is left out (RFC 7517, 5).
#[derive(Deserialize)]
pub(super) struct KeyDocument {
    keys: Vec<serde_json::Value>,
}

impl From<KeyDocument> for KeySet {
    fn from(document: KeyDocument) -> Self {
        let keys = document.keys.into_iter();
        Self(keys.filter_map(Key::read).collect())
    }
}

impl Key {
    /// `None` for a key that verifies nothing here: of another use, or not of a pair.
    fn read(value: serde_json::Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        if !matches!(
            jwk.common.public_key_use,
            None | Some(PublicKeyUse::Signature)
        ) {
            return None;
        }
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => vec![ES256],
                EllipticCurve::P384 => vec![ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                vec![EdDSA]
            }
            // A shared secret that is published is none.
            _ => return None,
        };
        if let Some(only) = jwk.common.key_algorithm {
            algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == only);
        }
        Some(Self {
            key: DecodingKey::from_jwk(&jwk).ok()?,
            kid: jwk.common.key_id,
            algorithms,
        })
    }
}

impl KeySet {
    /// The one key that could have signed a token with this header. A token that names none is taken as long as there is
    /// only one that fits.
    fn find(&self, header: &Header) -> Option<&Key> {
        let mut fitting = self.0.iter().filter(|key| {
            key.algorithms.contains(&header.alg) && (header.kid.is_none() || key.kid == header.kid)
        });
        let first = fitting.next()?;
        (header.kid.is_some() || fitting.next().is_none()).then_some(first)
    }

    /// Whether no key fits a token: it may have been published since.
    pub(super) fn lacks(&self, header: &Header) -> bool {
        self.find(header).is_none()
    }
}

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Micros,
}

/// What is used of a token.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nonce: Option<String>,
    #[serde(flatten)]
    pub(super) profile: Profile,
}

/// What a provider tells of a person, in the ID token or when asked.
#[derive(Deserialize)]
pub(super) struct Profile {
    pub(super) email: Option<String>,
    #[serde(default)]
    pub(super) email_verified: Truth,
    pub(super) name: Option<String>,
}

/// One audience or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(#[expect(dead_code, reason = "compared by the library")] String),
    Several(Vec<String>),
}

/// A truth value, which some providers write as a text.
#[derive(Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Truth {
    Bool(bool),
    Text(String),
    Other(serde::de::IgnoredAny),
    #[default]
    #[serde(skip)]
    Missing,
}

impl Truth {
    pub(super) fn holds(&self) -> bool {
        match self {
            Self::Bool(value) => *value,
            Self::Text(text) => text == "true",
            Self::Other(_) | Self::Missing => false,
        }
    }
}

/// The header of a token; nothing in it is to be believed yet.
pub(super) fn header(token: &str) -> Result<Header, Refusal> {
    let header = jsonwebtoken::decode_header(token).map_err(Refusal::Malformed)?;
    if header.crit.is_some() {
        return Err(Refusal::Critical);
    }
    Ok(header)
}

/// What a token says, when it holds.
pub(super) fn verify(
    token: &str,
    header: &Header,
    keys: &KeySet,
    expected: &Expected<'_>,
) -> Result<Claims, Refusal> {
    let key = keys.find(header).ok_or(Refusal::NoKey)?;
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    // The clock of this house tells the time, not the library's.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &key.key, &validation)
        .map_err(Refusal::Invalid)?
        .claims;
    claims.check(expected).map_err(Refusal::Claim)?;
    Ok(claims)
}

impl Claims {
    /// The rules that the library does not know (OpenID Connect Core 1.0, 3.1.3.7).
    fn check(&self, expected: &Expected<'_>) -> Result<(), &'static str> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds are far from where it loses any"
        )]
        let now = (expected.now / 1_000_000) as f64;
        // The library takes one of several too.
        if self.iss != expected.issuer {
            return Err("it is of another issuer");
        }
        if self.exp + LEEWAY <= now {
            return Err("it has expired");
        }
        if self.iat > now + LEEWAY {
            return Err("it is from the future");
        }
        match (&self.aud, &self.azp) {
            (_, Some(azp)) if azp != expected.client_id => {
                return Err("it was made for another client");
            }
            (Audience::Several(all), None) if all.len() > 1 => {
                return Err("it is for several and does not tell who asked");
            }
            _ => {}
        }
        if self.nonce.as_deref() != Some(expected.nonce) {
            return Err("it belongs to another sign-in");
        }
        if self.sub.is_empty() || self.sub.len() > SUBJECT_BYTES {
            return Err("its subject must have 1 to 255 bytes");
        }
        Ok(())
    }
}

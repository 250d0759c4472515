//! The key ring: signs access tokens and tells the public keys; verifying is left to everybody's verifier.

use atelier_kit::identity::{ACCESS_TYPE, AUDIENCE, AccessClaims, ISSUER};
use atelier_kit::moment::{Micros, new_id};
use atelier_kit::secret;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header};
use secrecy::{ExposeSecret as _, SecretSlice};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::ports::{KeyStore, SealedKey};
use crate::tokens::{ACCESS_SECONDS, Pair, REFRESH_MICROS, RefreshToken};
use crate::users::User;

/// The live keys: the newest signs, all are told.
pub(crate) struct KeyRing {
    kid: String,
    signer: RsaKeyPair,
    /// The first part of every token, which is the same for all that one key signs.
    header: String,
    key_set: String,
}

impl KeyRing {
    /// Opens the ring, and makes its first key when it has none.
    pub(crate) async fn open(
        store: &dyn KeyStore,
        sealing: &[u8; 32],
        now: Micros,
    ) -> Result<Self, Error> {
        let mut sealed = store.live().await?;
        if sealed.is_empty() {
            let pair = tokio::task::spawn_blocking(|| RsaKeyPair::generate(KeySize::Rsa2048))
                .await
                .map_err(Error::crypto)?
                .map_err(Error::crypto)?;
            sealed = store.insert_first(&seal(&pair, sealing, now)?).await?;
        }
        let mut keys = Vec::new();
        for key in &sealed {
            // Wiped when it is dropped; the pair keeps its own copy out of our sight.
            let private: SecretSlice<u8> = secret::open(sealing, key.kid.as_bytes(), &key.sealed)
                .map_err(Error::crypto)?
                .into();
            keys.push(RsaKeyPair::from_pkcs8(private.expose_secret()).map_err(Error::crypto)?);
        }
        Self::of(keys)
    }

    fn of(keys: Vec<RsaKeyPair>) -> Result<Self, Error> {
        let told = JwkSet {
            keys: keys.iter().map(Jwk::of).collect(),
        };
        let key_set = serde_json::to_string(&told).map_err(Error::crypto)?;
        let signer = keys
            .into_iter()
            .next()
            .ok_or_else(|| Error::crypto("the key ring is empty"))?;
        let kid = Jwk::of(&signer).kid;
        let header = Header {
            typ: Some(ACCESS_TYPE.to_owned()),
            kid: Some(kid.clone()),
            ..Header::new(Algorithm::RS256)
        };
        Ok(Self {
            header: part(&header)?,
            kid,
            signer,
            key_set,
        })
    }

    /// The key that signs.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The JSON Web Key Set (RFC 7517) of all live keys.
    pub(crate) fn key_set(&self) -> &str {
        &self.key_set
    }

    /// The pair of a session: a new access token, and the refresh token that goes with it.
    pub(crate) fn mint(
        &self,
        user: &User,
        session_id: &str,
        refresh: &RefreshToken,
        now: Micros,
    ) -> Result<Pair, Error> {
        let issued = u64::try_from(now / 1_000_000).unwrap_or(0);
        let ends = issued + ACCESS_SECONDS;
        let claims = AccessClaims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id.clone(),
            sid: session_id.to_owned(),
            role: user.role,
            iat: issued,
            exp: ends,
            jti: new_id(),
        };
        Ok(Pair {
            access: self.sign(&claims)?,
            access_expire_time: i64::try_from(ends).unwrap_or(i64::MAX / 1_000_000) * 1_000_000,
            refresh: refresh.expose().to_owned(),
            refresh_expire_time: now + REFRESH_MICROS,
        })
    }

    /// A compact JWS. It is written here because the JWT library parses the private key again for each signature.
    fn sign(&self, claims: &AccessClaims) -> Result<String, Error> {
        let mut token = format!("{}.{}", self.header, part(claims)?);
        let mut signature = vec![0; self.signer.public_modulus_len()];
        self.signer
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                token.as_bytes(),
                &mut signature,
            )
            .map_err(Error::crypto)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

fn part(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_vec(value)
        .map(|json| URL_SAFE_NO_PAD.encode(json))
        .map_err(Error::crypto)
}

/// A key as it is kept. Its id is the context of the seal, so that rows cannot be exchanged for each other.
fn seal(pair: &RsaKeyPair, sealing: &[u8; 32], now: Micros) -> Result<SealedKey, Error> {
    let kid = Jwk::of(pair).kid;
    let private = pair.as_der().map_err(Error::crypto)?;
    let sealed = secret::seal(sealing, kid.as_bytes(), private.as_ref()).map_err(Error::crypto)?;
    Ok(SealedKey {
        kid,
        sealed,
        create_time: now,
    })
}

#[derive(Serialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

/// A public key as RFC 7517 writes it.
#[derive(Serialize)]
struct Jwk {
    kty: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    kid: String,
    n: String,
    e: String,
}

impl Jwk {
    fn of(pair: &RsaKeyPair) -> Self {
        let public = pair.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        // RFC 7638: the required members in the order of their names, without white space.
        let members = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(members.as_bytes()));
        Self {
            kty: "RSA",
            usage: "sig",
            alg: "RS256",
            kid,
            n,
            e,
        }
    }
}

#[cfg(test)]
mod tests {
    use atelier_kit::identity::Role;
    use jsonwebtoken::jwk::{JwkSet, ThumbprintHash};
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;

    fn ring() -> KeyRing {
        KeyRing::of(vec![RsaKeyPair::generate(KeySize::Rsa2048).unwrap()]).unwrap()
    }

    #[test]
    fn the_key_id_is_the_thumbprint_that_others_compute() {
        let ring = ring();
        let set: JwkSet = serde_json::from_str(ring.key_set()).unwrap();
        assert_eq!(set.keys.len(), 1);
        assert_eq!(
            set.keys[0].thumbprint(ThumbprintHash::SHA256).unwrap(),
            ring.kid()
        );
        assert_eq!(set.keys[0].common.key_id.as_deref(), Some(ring.kid()));
    }

    #[test]
    fn an_access_token_is_one_to_others_with_the_claims_of_its_account() {
        let ring = ring();
        let now = atelier_kit::moment::now();
        let user = User {
            id: "u".into(),
            email: None,
            display_name: String::new(),
            role: Role::Anonymous,
            create_time: now,
            update_time: now,
        };
        let pair = ring
            .mint(&user, "s", &RefreshToken::new().unwrap(), now)
            .unwrap();
        let set: JwkSet = serde_json::from_str(ring.key_set()).unwrap();
        let key = DecodingKey::from_jwk(&set.keys[0]).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[AUDIENCE]);
        let token = jsonwebtoken::decode::<AccessClaims>(&pair.access, &key, &validation).unwrap();
        assert_eq!(token.header.typ.as_deref(), Some(ACCESS_TYPE));
        assert_eq!(token.header.kid.as_deref(), Some(ring.kid()));
        assert_eq!(
            (token.claims.sub.as_str(), token.claims.sid.as_str()),
            ("u", "s")
        );
        assert_eq!(token.claims.exp - token.claims.iat, 900);
        assert_eq!(
            pair.access_expire_time,
            i64::try_from(token.claims.exp).unwrap() * 1_000_000
        );
    }

    #[test]
    fn a_key_opens_under_its_own_secret_and_id_alone() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let sealed = seal(&pair, &[1; 32], 0).unwrap();
        assert!(secret::open(&[1; 32], sealed.kid.as_bytes(), &sealed.sealed).is_ok());
        assert!(secret::open(&[2; 32], sealed.kid.as_bytes(), &sealed.sealed).is_err());
        assert!(secret::open(&[1; 32], b"another", &sealed.sealed).is_err());
    }
}

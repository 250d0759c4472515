//! One signing key: made or imported, sealed and opened, and what it signs; when it signs is decided by the ring.

use atelier_kit::identity::ACCESS_TYPE;
use atelier_kit::secret;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// The sizes that are taken, in bits of the modulus.
const BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// The least public exponent that is taken; smaller ones are of another time.
const LEAST_EXPONENT: u64 = 65_537;

/// A private key, ready to sign. It is never printed, so it has no `Debug`.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    kid: String,
    /// The first part of every token, which is the same for all that one key signs.
    header: String,
    jwk: Jwk,
}

impl SigningKey {
    /// Makes a key of 2048 bits, off the threads that serve calls.
    pub(crate) async fn generate() -> Result<Self, Error> {
        let made = tokio::task::spawn_blocking(|| RsaKeyPair::generate(KeySize::Rsa2048));
        Self::of(made.await.map_err(Error::crypto)?.map_err(Error::crypto)?)
    }

    /// Takes a key that was made elsewhere, from a PEM text with a PKCS#1 or PKCS#8 private key. [`Error::KeyUnusable`]
    /// says which rule it breaks, and nothing of the key.
    pub(crate) async fn import(pem: SecretString) -> Result<Self, Error> {
        // Checking a private key's numbers takes milliseconds.
        tokio::task::spawn_blocking(move || {
            let key = Self::of(parse(pem.expose_secret())?)?;
            key.is_sound()?;
            Ok(key)
        })
        .await
        .map_err(Error::crypto)?
    }

    /// A key of this pair.
    pub(crate) fn of(pair: RsaKeyPair) -> Result<Self, Error> {
        let jwk = Jwk::of(&pair);
        let header = Header {
            typ: Some(ACCESS_TYPE.to_owned()),
            kid: Some(jwk.kid.clone()),
            ..Header::new(Algorithm::RS256)
        };
        Ok(Self {
            header: part(&header)?,
            kid: jwk.kid.clone(),
            pair,
            jwk,
        })
    }

    /// The RFC 7638 thumbprint of its public half.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public half, as it is published.
    pub(crate) fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// How many bits its modulus has.
    pub(crate) fn bits(&self) -> usize {
        let public = self.pair.public_key();
        let modulus = public.modulus().big_endian_without_leading_zero();
        let blank = modulus.first().map_or(0, |byte| byte.leading_zeros());
        modulus.len() * 8 - blank as usize
    }

    /// The private key as it is kept. Its id is the context of the seal, so that rows cannot be exchanged for each other.
    pub(crate) fn seal(&self, sealing: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let private = self.pair.as_der().map_err(Error::crypto)?;
        secret::seal(sealing, self.kid.as_bytes(), private.as_ref()).map_err(Error::crypto)
    }

    /// Opens what [`SigningKey::seal`] made of the key of this id.
    pub(crate) fn open(sealing: &[u8; 32], kid: &str, sealed: &[u8]) -> Result<Self, Error> {
        // Wiped when it is dropped; the pair keeps its own copy out of our sight.
        let private: SecretSlice<u8> = secret::open(sealing, kid.as_bytes(), sealed)
            .map_err(Error::crypto)?
            .into();
        Self::of(RsaKeyPair::from_pkcs8(private.expose_secret()).map_err(Error::crypto)?)
    }

    /// A compact JWS of these claims. It is written here because the JWT library parses the private key again for each
    /// signature.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, Error> {
        let mut token = format!("{}.{}", self.header, part(claims)?);
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
        let mut made = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut made)
            .map_err(Error::crypto)?;
        Ok(made)
    }

    /// Whether it is of a size that is taken, and what it signs verifies with what is published of it.
    fn is_sound(&self) -> Result<(), Error> {
        if !BITS.contains(&self.bits()) {
            return Err(Error::KeyUnusable("must have 2048 to 4096 bits"));
        }
        let public = self.pair.public_key();
        let exponent = public.exponent().big_endian_without_leading_zero();
        let large = exponent.len() <= 8
            && exponent
                .iter()
                .fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte))
                >= LEAST_EXPONENT;
        if !large {
            return Err(Error::KeyUnusable(
                "must have a public exponent of 65537 or a little more",
            ));
        }
        let text = b"what a key signs verifies";
        let published = PublicKeyComponents {
            n: public.modulus().big_endian_without_leading_zero(),
            e: exponent,
        };
        self.signature(text)
            .ok()
            .and_then(|made| {
                published
                    .verify(&RSA_PKCS1_2048_8192_SHA256, text, &made)
                    .ok()
            })
            .ok_or(Error::KeyUnusable(
                "must be one key: what it signs does not verify",
            ))
    }
}

/// The key pair in a PEM text.
fn parse(pem: &str) -> Result<RsaKeyPair, Error> {
    if pem.contains("ENCRYPTED") {
        return Err(Error::KeyUnusable("must not be encrypted here"));
    }
    let unreadable = Error::KeyUnusable("must be a private key in PEM, as PKCS#1 or PKCS#8");
    let Ok(mut der) = PrivateKeyDer::from_pem_slice(pem.as_bytes()) else {
        return Err(unreadable);
    };
    let (private, parse): (_, fn(&[u8]) -> _) = match &der {
        PrivateKeyDer::Pkcs1(key) => (key.secret_pkcs1_der(), RsaKeyPair::from_der),
        PrivateKeyDer::Pkcs8(key) => (key.secret_pkcs8_der(), RsaKeyPair::from_pkcs8),
        _ => return Err(Error::KeyUnusable("must be an RSA key")),
    };
    let pair = parse(private);
    der.zeroize();
    pair.map_err(|_| Error::KeyUnusable("must be a sound RSA key of 2048 to 4096 bits"))
}

fn part(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_vec(value)
        .map(|json| URL_SAFE_NO_PAD.encode(json))
        .map_err(Error::crypto)
}

/// A public key as RFC 7517 writes it.
#[derive(Serialize)]
pub(crate) struct Jwk {
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

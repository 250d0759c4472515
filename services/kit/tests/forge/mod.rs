//! Tokens of every make: signed with a key that is believed, or with whatever a forger would try.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use aws_lc_rs::{hmac, signature};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key with which tests sign whatever they like.
pub struct Forge {
    pair: KeyPair,
}

pub fn forge() -> &'static Forge {
    static FORGE: OnceLock<Forge> = OnceLock::new();
    FORGE.get_or_init(|| Forge {
        pair: KeyPair::generate(KeySize::Rsa2048).unwrap(),
    })
}

pub fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Forge {
    pub fn jwks(&self) -> Value {
        let public = self.pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one",
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        }]})
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", part(header), part(claims));
        let mut made = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut made,
            )
            .unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(made))
    }

    /// The public key as PEM: the text that a confused verifier would take as an HMAC secret.
    pub fn public_pem(&self) -> String {
        let der = signature::RsaKeyPair::public_key(&self.pair).as_ref();
        format!(
            "-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n",
            STANDARD.encode(der)
        )
    }
}

pub fn hs256(secret: &[u8], header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", part(header), part(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

pub fn header() -> Value {
    json!({"alg": "RS256", "typ": "at+jwt", "kid": "one"})
}

pub fn claims() -> Value {
    let now = jsonwebtoken::get_current_timestamp();
    json!({
        "iss": "atelier", "aud": "atelier", "sub": "ana", "sid": "s1", "role": "user", "jti": "j1",
        "iat": now, "exp": now + 900,
    })
}

/// A value with one field changed, or taken out by `null`.
pub fn with(mut value: Value, field: &str, to: Value) -> Value {
    if to.is_null() {
        value.as_object_mut().unwrap().remove(field);
    } else {
        value[field] = to;
    }
    value
}

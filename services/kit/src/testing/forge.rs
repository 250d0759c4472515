//! Tokens of every make: signed with a key that is believed, or with whatever a forger would try; which of them are
//! sound is not said here.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding, RsaKeyPair};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key with which tests sign whatever they like. Its id is the RFC 7638 thumbprint, as the users service has it, so
/// that a mesh that imports [`Forge::private_pem`] believes what is sound among its tokens.
pub struct Forge {
    pair: KeyPair,
    kid: String,
}

impl Default for Forge {
    fn default() -> Self {
        Self::new()
    }
}

impl Forge {
    /// Makes a key.
    pub fn new() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let (n, e) = numbers(&pair);
        let members = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
        let thumbprint = digest::digest(&digest::SHA256, members.as_bytes());
        Self {
            kid: URL_SAFE_NO_PAD.encode(thumbprint),
            pair,
        }
    }

    /// The key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The JSON Web Key Set of this key alone.
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.jwk()]})
    }

    /// The public key as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let (n, e) = numbers(&self.pair);
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": n, "e": e})
    }

    /// The private key as PKCS#8 in PEM.
    pub fn private_pem(&self) -> String {
        super::pem(self.pair.as_der().unwrap().as_ref())
    }

    /// The header of a sound token.
    pub fn header(&self) -> Value {
        json!({"alg": "RS256", "typ": "at+jwt", "kid": self.kid})
    }

    /// A token of this header and these claims, signed as RS256 whatever the header says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// The same, of texts that need not be JSON.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        self.seal(
            format!("{}.{}", encoded(header), encoded(claims)),
            &RSA_PKCS1_SHA256,
        )
    }

    /// Signs a text of two parts with this padding and hash.
    pub(super) fn seal(&self, text: String, encoding: &'static dyn RsaEncoding) -> String {
        let mut made = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(encoding, &SystemRandom::new(), text.as_bytes(), &mut made)
            .unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(made))
    }

    /// A sound token.
    pub fn good(&self) -> String {
        self.sign(&self.header(), &claims())
    }

    /// The public key as PKCS#1.
    pub(super) fn public_der(&self) -> Vec<u8> {
        RsaKeyPair::public_key(&self.pair).as_ref().to_vec()
    }

    /// The public key in the forms in which a confused verifier would take it as an HMAC secret.
    pub(super) fn public_forms(&self) -> [(&'static str, Vec<u8>); 6] {
        let pkcs1 = RsaKeyPair::public_key(&self.pair);
        let spki = pkcs1.as_der().unwrap();
        let pem = |label: &str, der: &[u8]| {
            let text = STANDARD.encode(der);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n").into_bytes()
        };
        [
            ("PKCS#1 PEM", pem("RSA PUBLIC KEY", pkcs1.as_ref())),
            ("PKCS#1 DER", pkcs1.as_ref().to_vec()),
            ("SPKI PEM", pem("PUBLIC KEY", spki.as_ref())),
            ("SPKI DER", spki.as_ref().to_vec()),
            ("JWKS text", self.jwks().to_string().into_bytes()),
            ("nothing", Vec::new()),
        ]
    }
}

fn numbers(pair: &KeyPair) -> (String, String) {
    let public = pair.public_key();
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    (
        number(public.modulus().big_endian_without_leading_zero()),
        number(public.exponent().big_endian_without_leading_zero()),
    )
}

/// A text as a part of a token.
pub fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A JSON value as a part of a token.
pub fn part(value: &Value) -> String {
    encoded(&value.to_string())
}

/// A token signed with a shared secret.
pub fn hs256(secret: &[u8], header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", part(header), part(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// The claims of a sound token, of the user `ana` in the session `s1`.
pub fn claims() -> Value {
    let now = jsonwebtoken::get_current_timestamp();
    json!({
        "iss": "atelier", "aud": "atelier", "sub": "ana", "sid": "s1", "role": "user", "plan": "free", "jti": "j1",
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

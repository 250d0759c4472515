//! Signatures of the edge's object URLs: who may read which object until when; it serves nothing.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::{ObjectKey, SignedUrl, signing_time};

/// The key that signs object URLs. All replicas of the edge and of the services share it.
#[derive(Clone)]
pub struct DoorKey(hmac::Key);

impl DoorKey {
    /// Takes 32 secret bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
    }

    /// The signature of a URL that lets the object of a role be read until `expires`, in seconds since 1970.
    pub(super) fn sign(&self, role: &str, key: &ObjectKey, expires: u64) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, &claim(role, key, expires)))
    }

    /// Whether a signature is that of [`DoorKey::sign`], found in a time that does not tell how much of it is right.
    pub(super) fn verify(
        &self,
        role: &str,
        key: &ObjectKey,
        expires: u64,
        signature: &str,
    ) -> bool {
        URL_SAFE_NO_PAD
            .decode(signature)
            .is_ok_and(|tag| hmac::verify(&self.0, &claim(role, key, expires), &tag).is_ok())
    }
}

impl From<[u8; 32]> for DoorKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for DoorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoorKey(…)")
    }
}

/// What is signed. Neither a role nor a key can hold a line break, so no two claims read the same.
fn claim(role: &str, key: &ObjectKey, expires: u64) -> Vec<u8> {
    format!("atelier object url v1\n{role}\n{key}\n{expires}").into_bytes()
}

/// The edge's door as a service sees it: where its URLs lead, and how they are signed.
#[derive(Clone, Debug)]
pub struct EdgeDoor {
    /// The address of the edge as callers see it; it may have a path.
    pub public_url: Url,
    /// The role whose objects these are: the folder behind `/objects/`. Small letters, digits and `-`.
    pub role: String,
    /// What signs.
    pub key: DoorKey,
}

impl EdgeDoor {
    /// A URL of the door for one object.
    pub(super) fn url(&self, key: &ObjectKey, lifetime: Duration) -> SignedUrl {
        let (now, lifetime) = signing_time(lifetime);
        let expires = now.saturating_add(lifetime);
        let mut base = self.public_url.clone();
        base.set_query(None);
        base.set_fragment(None);
        let url = format!(
            "{}/objects/{}/{key}?expires={expires}&signature={}",
            base.as_str().trim_end_matches('/'),
            self.role,
            self.key.sign(&self.role, key, expires),
        );
        SignedUrl {
            url,
            expires: SystemTime::UNIX_EPOCH + Duration::from_secs(expires),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_claim_alone() {
        let door = DoorKey::new([7; 32]);
        let key = ObjectKey::new("a/b.png").unwrap();
        let other = ObjectKey::new("a/c.png").unwrap();
        let signature = door.sign("tts", &key, 99);
        assert!(door.verify("tts", &key, 99, &signature));
        assert!(!door.verify("tts", &other, 99, &signature));
        assert!(!door.verify("tts", &key, 100, &signature));
        assert!(!door.verify("text-image", &key, 99, &signature));
        assert!(!DoorKey::new([8; 32]).verify("tts", &key, 99, &signature));
        for wrong in ["", "AAAA", "not base64!", &signature[1..]] {
            assert!(!door.verify("tts", &key, 99, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn urls_keep_the_edges_path_and_hold_the_lifetime_within_bounds() {
        let key = ObjectKey::new("a/b.png").unwrap();
        let door = |url: &str| EdgeDoor {
            public_url: url.parse().unwrap(),
            role: "tts".to_owned(),
            key: DoorKey::new([7; 32]),
        };
        for base in ["https://a.example/studio", "https://a.example/studio/"] {
            let signed = door(base).url(&key, Duration::from_secs(60));
            assert!(
                signed
                    .url
                    .starts_with("https://a.example/studio/objects/tts/a/b.png?expires="),
                "{}",
                signed.url
            );
        }
        assert!(
            door("http://localhost:8080")
                .url(&key, Duration::ZERO)
                .url
                .starts_with("http://localhost:8080/objects/")
        );
        let longest = door("http://localhost").url(&key, Duration::MAX).expires;
        assert!(longest <= SystemTime::now() + super::super::MAX_URL_LIFETIME);
    }
}

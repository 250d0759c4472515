//! The mesh secret and the keys derived from it; the secret itself never leaves this room and is never printed.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::{aead, hkdf, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The shortest secret that is taken, in bytes.
pub const MIN_SECRET_BYTES: usize = 32;

/// The one secret that all replicas of a mesh share. Keys for each purpose are derived from it by HKDF-SHA256
/// (RFC 5869), so that no two purposes share a key.
#[derive(Clone)]
pub struct MeshSecret(Arc<[u8]>);

impl std::fmt::Debug for MeshSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MeshSecret(…)")
    }
}

/// Why a secret was refused.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Fewer than [`MIN_SECRET_BYTES`] bytes.
    #[error("the mesh secret must have at least {MIN_SECRET_BYTES} bytes")]
    TooShort,
    /// The secret's file could not be read or made.
    #[error("the secret file {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A sealed value was not sealed by this key, or was changed.
    #[error("the sealed value cannot be opened")]
    Sealed,
    /// The system's source of randomness failed.
    #[error("no randomness")]
    Randomness,
}

impl MeshSecret {
    /// Takes a secret of at least [`MIN_SECRET_BYTES`] bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, SecretError> {
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(SecretError::TooShort);
        }
        Ok(Self(bytes.into()))
    }

    /// Reads the secret from a file, or makes the file on the first start, readable by its owner alone.
    ///
    /// Two processes that start at once agree: the file appears whole or not at all, and the second reads the first's.
    pub fn load_or_create(path: &Path) -> Result<Self, SecretError> {
        let failed = |source| SecretError::File {
            path: path.display().to_string(),
            source,
        };
        match fs::read_to_string(path) {
            Ok(text) => return Self::new(text.trim().as_bytes()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let text = URL_SAFE_NO_PAD.encode(random::<32>()?);
        let draft = path.with_extension(format!("new-{}", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&draft).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        // A hard link fails when the name is taken, so the first of two starters wins and nobody overwrites.
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft).map_err(failed)?;
        match linked {
            Ok(()) => Self::new(text.as_bytes()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let text = fs::read_to_string(path).map_err(failed)?;
                Self::new(text.trim().as_bytes())
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The key for one purpose, named by a constant such as `page-tokens`.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0; 32];
        let info = [purpose.as_bytes()];
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"atelier/v1")
            .extract(&self.0)
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key))
            .unwrap_or_else(|_| unreachable!("32 bytes are one block of HKDF-SHA256"));
        key
    }
}

/// Random bytes from the system.
pub fn random<const N: usize>() -> Result<[u8; N], SecretError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| SecretError::Randomness)?;
    Ok(bytes)
}

/// SHA-256 over parts, each preceded by its length, so that no two lists of parts have the same digest.
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Seals bytes with AES-256-GCM under a derived key; `context` must be given again to open them.
pub fn seal(key: &[u8; 32], context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SecretError> {
    let key = sealing_key(key)?;
    let mut sealed = plain.to_vec();
    let nonce = key
        .seal_in_place_append_tag(aead::Aad::from(context), &mut sealed)
        .map_err(|_| SecretError::Sealed)?;
    let mut out = nonce.as_ref().to_vec();
    out.append(&mut sealed);
    Ok(out)
}

/// Opens what [`seal`] made under the same key and context.
pub fn open(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SecretError> {
    let key = sealing_key(key)?;
    let (nonce, body) = sealed
        .split_at_checked(aead::NONCE_LEN)
        .ok_or(SecretError::Sealed)?;
    let nonce = aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| SecretError::Sealed)?;
    let mut body = body.to_vec();
    let plain = key
        .open_in_place(nonce, aead::Aad::from(context), &mut body)
        .map_err(|_| SecretError::Sealed)?;
    Ok(plain.to_vec())
}

fn sealing_key(key: &[u8; 32]) -> Result<aead::RandomizedNonceKey, SecretError> {
    aead::RandomizedNonceKey::new(&aead::AES_256_GCM, key).map_err(|_| SecretError::Sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_have_their_own_keys() {
        let secret = MeshSecret::new(&[7; 32]).unwrap();
        assert_ne!(secret.derive("a"), secret.derive("b"));
        assert_eq!(
            secret.derive("a"),
            MeshSecret::new(&[7; 32]).unwrap().derive("a")
        );
        assert!(MeshSecret::new(&[7; 31]).is_err());
    }

    #[test]
    fn a_sealed_value_opens_only_under_its_key_and_context() {
        let sealed = seal(&[1; 32], b"row 1", b"plain").unwrap();
        assert_eq!(open(&[1; 32], b"row 1", &sealed).unwrap(), b"plain");
        assert!(open(&[2; 32], b"row 1", &sealed).is_err());
        assert!(open(&[1; 32], b"row 2", &sealed).is_err());
        assert!(open(&[1; 32], b"row 1", &sealed[..5]).is_err());
        let mut changed = sealed.clone();
        changed[14] ^= 1;
        assert!(open(&[1; 32], b"row 1", &changed).is_err());
    }

    #[test]
    fn the_secret_file_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let first = MeshSecret::load_or_create(&path).unwrap();
        let second = MeshSecret::load_or_create(&path).unwrap();
        assert_eq!(first.derive("x"), second.derive("x"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

//! Reading a private key from a file: an encrypted one is opened here, with a passphrase that goes no further.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use pkcs8::der::pem::LineEnding;
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use secrecy::{ExposeSecret as _, SecretString};

use crate::client::trouble::Trouble;

/// More than any key needs.
const MAX_BYTES: u64 = 64 * 1024;
/// The label of an encrypted PKCS#8 key.
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// The key in a PEM file, or on standard input for `-`: as it is there, or decrypted. The passphrase is the first line
/// of a file, or is asked for without showing it.
pub fn read(file: &Path, passphrase: Option<&Path>) -> Result<SecretString, Trouble> {
    let pem = text_of(file)?;
    let wrong = |why: &str| Trouble::usage(format!("{}: {why}", file.display()));
    let text = pem.expose_secret();
    if !text.contains("-----BEGIN ") {
        return Err(wrong("this is no PEM file"));
    }
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(wrong(
            "it is encrypted in a way of long ago; `openssl pkcs8 -topk8 -in FILE` writes it anew",
        ));
    }
    if !text.contains(ENCRYPTED) {
        return Ok(pem);
    }
    let passphrase = match passphrase {
        Some(path) => first_line(&text_of(path)?),
        None => asked(file)?,
    };
    decrypt(text, &passphrase).map_err(wrong)
}

fn text_of(path: &Path) -> Result<SecretString, Trouble> {
    let wrong = |why: String| Trouble::usage(format!("{}: {why}", path.display()));
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(MAX_BYTES + 1)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
    };
    let text = SecretString::from(text);
    let length = read.map_err(|error| wrong(error.to_string()))?;
    if length as u64 > MAX_BYTES {
        return Err(wrong("it is too large".to_owned()));
    }
    Ok(text)
}

fn first_line(text: &SecretString) -> SecretString {
    text.expose_secret()
        .lines()
        .next()
        .unwrap_or_default()
        .into()
}

fn asked(file: &Path) -> Result<SecretString, Trouble> {
    if !std::io::stdin().is_terminal() {
        let line = "there is no terminal to ask for the passphrase on: --passphrase-file names a file of it";
        return Err(Trouble::usage(line));
    }
    rpassword::prompt_password(format!("Passphrase of {}: ", file.display()))
        .map(SecretString::from)
        .map_err(|_| Trouble::interrupted("no passphrase was given"))
}

/// An encrypted PKCS#8 key, decrypted; why not, in words that tell nothing of either secret.
fn decrypt(pem: &str, passphrase: &SecretString) -> Result<SecretString, &'static str> {
    let begin = pem.find("-----BEGIN ").unwrap_or(0);
    let (label, document) =
        SecretDocument::from_pem(&pem[begin..]).map_err(|_| "its PEM cannot be read")?;
    if label != ENCRYPTED {
        return Err("it has more than one key");
    }
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
        .map_err(|_| "its encryption cannot be read")?;
    let plain = encrypted
        .decrypt(passphrase.expose_secret())
        .map_err(|_| "the passphrase is wrong, or the encryption is one that is not known here")?;
    let text = plain
        .to_pem("PRIVATE KEY", LineEnding::LF)
        .map_err(|_| "what was encrypted is no key")?;
    Ok(text.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = include_str!("../../tests/system/process/pem/plain.pem");

    fn body(pem: &str) -> String {
        pem.lines()
            .filter(|line| !line.starts_with("-----"))
            .collect()
    }

    #[test]
    fn what_openssl_encrypts_is_opened_with_its_passphrase_alone() {
        for encrypted in [
            include_str!("../../tests/system/process/pem/aes-256.pem"),
            include_str!("../../tests/system/process/pem/aes-128-sha1.pem"),
            include_str!("../../tests/system/process/pem/triple-des.pem"),
            include_str!("../../tests/system/process/pem/scrypt.pem"),
        ] {
            let opened = decrypt(encrypted, &"correct horse".into()).unwrap();
            assert_eq!(body(opened.expose_secret()), body(PLAIN));
            for wrong in ["", "correct", "correct horse "] {
                assert!(decrypt(encrypted, &wrong.into()).is_err());
            }
        }
    }

    #[test]
    fn a_plain_key_is_read_as_it_is_and_a_passphrase_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let plain = file("plain.pem", PLAIN);
        assert_eq!(read(&plain, None).unwrap().expose_secret(), PLAIN);
        let encrypted = file(
            "key.pem",
            include_str!("../../tests/system/process/pem/aes-256.pem"),
        );
        let passphrase = file("passphrase", "correct horse\r\nanother line\n");
        let opened = read(&encrypted, Some(&passphrase)).unwrap();
        assert_eq!(body(opened.expose_secret()), body(PLAIN));
        let other = file("other", "battery staple\n");
        let refused = read(&encrypted, Some(&other)).unwrap_err();
        assert!(refused.to_string().contains("passphrase"), "{refused}");
        assert_eq!(refused.exit, 64);
        for (name, text) in [
            ("nothing", String::new()),
            ("words", "no key".to_owned()),
            ("large", "x".repeat(65 * 1024)),
            (
                "old",
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n".to_owned(),
            ),
            (
                "cut",
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n".to_owned(),
            ),
        ] {
            let refused = read(&file(name, &text), Some(&passphrase)).unwrap_err();
            assert_eq!(refused.exit, 64, "{name}");
        }
        assert_eq!(
            read(&folder.path().join("none"), None).unwrap_err().exit,
            64
        );
    }
}

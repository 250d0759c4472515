//! Recovery codes, and what people type where a code is asked for; which code is good is not decided here.

use atelier_kit::secret;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use totp_rs::Secret;

use crate::error::Error;
use crate::totp::DIGITS;

/// How many an account has.
pub(crate) const RECOVERY_CODES: usize = 10;
/// Bytes of chance in each.
const CODE_BYTES: usize = 10;
/// Characters of each in base32, without what divides its groups.
const CODE_CHARS: usize = 16;
/// Characters of a group.
const GROUP: usize = 4;

/// What is kept of a recovery code: its SHA-256. A code has 80 random bits, so no slow hash is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecoveryHash(pub(crate) [u8; 32]);

/// A recovery code; never printed.
pub(crate) struct RecoveryCode(SecretString);

impl RecoveryCode {
    /// A new one, as in `ABCD-EFGH-IJKL-MNOP`.
    pub(crate) fn new() -> Result<Self, Error> {
        let bytes = secret::random::<CODE_BYTES>().map_err(Error::crypto)?;
        let text = Secret::new(Box::new(bytes)).to_base32();
        let mut grouped = String::with_capacity(CODE_CHARS + CODE_CHARS / GROUP);
        for (at, c) in text.chars().enumerate() {
            if at > 0 && at % GROUP == 0 {
                grouped.push('-');
            }
            grouped.push(c);
        }
        Ok(Self(grouped.into()))
    }

    /// As many as an account has.
    pub(crate) fn set() -> Result<Vec<Self>, Error> {
        (0..RECOVERY_CODES).map(|_| Self::new()).collect()
    }

    /// The code, to be told to its owner.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    pub(crate) fn hash(&self) -> RecoveryHash {
        hash(&plain(self.expose()))
    }
}

fn hash(plain: &str) -> RecoveryHash {
    RecoveryHash(Sha256::digest(plain.as_bytes()).into())
}

/// Without what people put between groups, and in upper case.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, ' ' | '-'))
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

/// What somebody typed as a second factor.
pub(crate) enum Code {
    /// Six digits.
    Totp(SecretString),
    /// What could be a recovery code.
    Recovery(RecoveryHash),
    /// What can be neither.
    Neither,
}

impl Code {
    /// Reads what was typed; spaces, dashes and letter case do not matter.
    pub(crate) fn read(typed: &str) -> Self {
        let plain = plain(typed);
        let is_base32 = |byte: u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
        if plain.len() == usize::from(DIGITS) && plain.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Totp(plain.into())
        } else if plain.len() == CODE_CHARS && plain.bytes().all(is_base32) {
            Self::Recovery(hash(&plain))
        } else {
            Self::Neither
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_code_is_known_however_it_is_typed() {
        let code = RecoveryCode::new().unwrap();
        let told = code.expose();
        assert_eq!(told.len(), 19);
        let groups: Vec<&str> = told.split('-').collect();
        assert_eq!(
            groups.iter().map(|group| group.len()).collect::<Vec<_>>(),
            [4; 4]
        );
        for typed in [
            told.to_owned(),
            told.to_lowercase(),
            told.replace('-', ""),
            told.replace('-', " "),
        ] {
            assert!(
                matches!(Code::read(&typed), Code::Recovery(hash) if hash == code.hash()),
                "{typed}"
            );
        }
        assert!(RecoveryCode::new().unwrap().hash() != code.hash());
    }

    #[test]
    fn six_digits_are_a_code_and_what_is_like_it_is_none() {
        for typed in ["123456", "123 456", " 12-34-56 "] {
            assert!(
                matches!(Code::read(typed), Code::Totp(code) if code.expose_secret() == "123456")
            );
        }
        for typed in [
            "",
            "12345",
            "1234567",
            "+12345",
            "12345a",
            "١٢٣٤٥٦",
            "ABCD-EFGH-IJKL-MNO1",
        ] {
            assert!(matches!(Code::read(typed), Code::Neither), "{typed}");
        }
    }
}

//! Authenticators by RFC 6238: their secrets, the URI that enrols one, and which time step a code belongs to; it keeps nothing.

use atelier_kit::moment::Micros;
use atelier_kit::secret;
use secrecy::SecretString;
use totp_rs::{Algorithm, Builder, Secret, Totp};

use crate::error::Error;

/// Who issues the codes, as authenticators show it.
const ISSUER: &str = "Atelier";
/// Bytes of a secret: the 160 bits that RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// Digits of a code.
pub(crate) const DIGITS: u8 = 6;
/// Seconds of a time step.
pub(crate) const STEP_SECONDS: u64 = 30;
/// How many steps before and after the present one are taken too, since clocks differ and people type slowly.
const WINDOW: u16 = 1;

/// An authenticator and its secret.
pub(crate) struct Authenticator(Totp);

/// What a new authenticator is told.
pub(crate) struct Enrolment {
    /// The secret in base32.
    pub(crate) secret: SecretString,
    /// The same as an `otpauth` URI.
    pub(crate) uri: SecretString,
}

impl Authenticator {
    /// One with a new secret, for the account of an e-mail.
    pub(crate) fn new(email: &str) -> Result<Self, Error> {
        let bytes = secret::random::<SECRET_BYTES>().map_err(Error::crypto)?;
        // A label is divided by a colon, which an e-mail may have and a label must not.
        Self::of(Secret::new(Box::new(bytes)), &email.replace(':', "_"))
    }

    /// One whose secret was sealed by [`Authenticator::seal`] for the same account.
    pub(crate) fn open(key: &[u8; 32], user_id: &str, sealed: &[u8]) -> Result<Self, Error> {
        let bytes = secret::open(key, user_id.as_bytes(), sealed).map_err(Error::crypto)?;
        Self::of(Secret::new(bytes.into()), "")
    }

    fn of(secret: Secret, label: &str) -> Result<Self, Error> {
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS)
            .with_step_duration(STEP_SECONDS)
            .with_skew(WINDOW)
            .with_secret(secret)
            .with_issuer(Some(ISSUER))
            .with_account_name(label)
            .build()
            .map(Self)
            .map_err(Error::crypto)
    }

    /// What to tell the person who enrols it.
    pub(crate) fn enrolment(&self) -> Result<Enrolment, Error> {
        Ok(Enrolment {
            secret: self.0.secret().to_base32().into(),
            uri: self.0.to_url().map_err(Error::crypto)?.into(),
        })
    }

    /// Its secret, sealed. The account is the context, so that rows cannot be exchanged for each other.
    pub(crate) fn seal(&self, key: &[u8; 32], user_id: &str) -> Result<Vec<u8>, Error> {
        secret::seal(key, user_id.as_bytes(), self.0.secret().as_bytes()).map_err(Error::crypto)
    }

    /// The time step that a code of six digits belongs to, when it is one of now.
    pub(crate) fn step_of(&self, code: &str, now: Micros) -> Option<i64> {
        let seconds = u64::try_from(now / 1_000_000).ok()?;
        let step = self.0.check(code, seconds)?;
        i64::try_from(step).ok()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    /// The secret of RFC 6238, appendix B.
    fn of_the_rfc() -> Authenticator {
        Authenticator::of(Secret::new(Box::new(*b"12345678901234567890")), "").unwrap()
    }

    /// Times and codes of RFC 6238, appendix B, for SHA-1; its eight digits end with our six.
    const VECTORS: [(i64, &str); 6] = [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ];

    #[test]
    fn the_vectors_of_rfc_6238_hold() {
        for (seconds, code) in VECTORS {
            let step = of_the_rfc().step_of(&code[2..], seconds * 1_000_000);
            assert_eq!(step, Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_code_holds_one_step_before_and_after_its_own_and_no_longer() {
        let (seconds, code) = (1_111_111_109, "081804");
        let own = seconds / 30;
        let at = |step: i64| of_the_rfc().step_of(code, step * 30 * 1_000_000);
        assert_eq!(at(own - 1), Some(own));
        assert_eq!(at(own), Some(own));
        assert_eq!(at(own + 1), Some(own));
        assert_eq!(at(own - 2), None);
        assert_eq!(at(own + 2), None);
    }

    #[test]
    fn a_secret_opens_for_its_own_account_alone() {
        let made = Authenticator::new("ana@x.org").unwrap();
        let sealed = made.seal(&[1; 32], "ana").unwrap();
        let opened = Authenticator::open(&[1; 32], "ana", &sealed).unwrap();
        assert!(opened.0.secret() == made.0.secret());
        assert!(Authenticator::open(&[1; 32], "bob", &sealed).is_err());
        assert!(Authenticator::open(&[2; 32], "ana", &sealed).is_err());
    }

    #[test]
    fn an_enrolment_has_160_bits_and_a_label_that_can_be_read() {
        let told = Authenticator::new("a:na+x@x.org")
            .unwrap()
            .enrolment()
            .unwrap();
        let secret = told.secret.expose_secret();
        assert_eq!(secret.len(), 32);
        assert_eq!(
            told.uri.expose_secret(),
            format!("otpauth://totp/Atelier:a_na%2Bx%40x.org?secret={secret}&issuer=Atelier")
        );
        let other = Authenticator::new("a:na+x@x.org")
            .unwrap()
            .enrolment()
            .unwrap();
        assert_ne!(other.secret.expose_secret(), secret);
    }
}

//! Passwords by argon2id on threads of their own, as many at once as there are cores; it knows no account.

use std::sync::Arc;
use std::thread::available_parallelism;

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use async_trait::async_trait;
use atelier_kit::secret::random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use super::memory::{KEPT, Spare};
use crate::error::Error;
use crate::ports::Passwords;

/// What OWASP's password storage sheet asks of argon2id at the least: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// argon2id with 19 MiB, t = 2, p = 1.
pub struct Argon2Passwords {
    argon2: Argon2<'static>,
    /// As many as cores: each takes a core and 19 MiB, so more at once would only take longer together.
    places: Arc<Semaphore>,
    /// What those in their places work in.
    spare: Spare,
    /// What the password of an unknown account is compared with: the same parameters, and no password fits it.
    nobody: Arc<str>,
}

impl Argon2Passwords {
    /// One place for each core.
    pub fn new() -> Result<Self, Error> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::crypto)?;
        let part = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
        let salt = part(&random::<16>().map_err(Error::crypto)?);
        let hash = part(&random::<32>().map_err(Error::crypto)?);
        let nobody =
            format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}").into();
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            places: Arc::new(Semaphore::new(cores)),
            spare: Spare::default(),
            nobody,
        })
    }

    /// Runs slow work in its turn, off the threads that serve calls.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let place = self
            .places
            .clone()
            .acquire_owned()
            .await
            .map_err(Error::crypto)?;
        let argon2 = self.argon2.clone();
        tokio::task::spawn_blocking(move || {
            // Held by the work itself: a caller who went away does not make room before the work has ended.
            let _place = place;
            work(&argon2)
        })
        .await
        .map_err(Error::crypto)?
    }
}

/// Whether a password fits what was kept of one.
fn fits(
    argon2: &Argon2<'static>,
    spare: &Spare,
    password: &[u8],
    kept: &PasswordHash,
) -> Result<bool, Error> {
    let today = kept.algorithm == Algorithm::Argon2id.ident()
        && kept.version == Some(Version::V0x13.into())
        && Params::try_from(kept).is_ok_and(|then| {
            let today = argon2.params();
            (then.m_cost(), then.t_cost(), then.p_cost())
                == (today.m_cost(), today.t_cost(), today.p_cost())
        });
    let (Some(salt), Some(expected), true) = (&kept.salt, &kept.hash, today) else {
        // Of another time: it brings its own parameters, and is hashed anew when it fits.
        return match argon2.verify_password(password, kept) {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(Error::crypto(error)),
        };
    };
    let mut computed = vec![0; expected.as_ref().len()];
    spare
        .with(argon2.params().block_count(), |memory| {
            argon2.hash_password_into_with_memory(password, salt.as_ref(), &mut computed, memory)
        })
        .map_err(Error::crypto)?;
    // Outputs are compared in constant time.
    Ok(Output::new(&computed).map_err(Error::crypto)? == *expected)
}

#[async_trait]
impl Passwords for Argon2Passwords {
    async fn hash(&self, password: SecretString) -> Result<String, Error> {
        self.run(move |argon2| {
            let hash: PasswordHash = argon2
                .hash_password(password.expose_secret().as_bytes())
                .map_err(Error::crypto)?;
            Ok(hash.to_string())
        })
        .await
    }

    async fn verify(&self, password: SecretString, kept: Option<String>) -> Result<bool, Error> {
        // An account without a password keeps an empty text: it costs what nobody's costs, and nothing fits it.
        let kept = kept.filter(|kept| !kept.is_empty());
        let exists = kept.is_some();
        let kept = kept.unwrap_or_else(|| self.nobody.to_string());
        let spare = self.spare.clone();
        let verdict = self
            .run(move |argon2| {
                let kept = PasswordHash::new(&kept).map_err(Error::crypto)?;
                let fits = fits(argon2, &spare, password.expose_secret().as_bytes(), &kept)?;
                Ok(fits && exists)
            })
            .await;
        self.spare.give_back_after(KEPT);
        verdict
    }

    fn needs_rehash(&self, kept: &str) -> bool {
        // What cannot be read was not made here, and no password fits it.
        let Ok(kept) = PasswordHash::new(kept) else {
            return false;
        };
        let today = self.argon2.params();
        match Params::try_from(&kept) {
            Ok(then) if kept.algorithm == Algorithm::Argon2id.ident() => {
                then.m_cost() < today.m_cost()
                    || then.t_cost() < today.t_cost()
                    || kept.version != Some(Version::V0x13.into())
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_alone() {
        let passwords = Argon2Passwords::new().unwrap();
        let kept = passwords.hash("correct horse".into()).await.unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        assert!(
            passwords
                .verify("correct horse".into(), Some(kept.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("correct horsf".into(), Some(kept.clone()))
                .await
                .unwrap()
        );
        assert_ne!(passwords.hash("correct horse".into()).await.unwrap(), kept);
        assert!(
            passwords
                .verify("x".into(), Some("not a hash".into()))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn less_work_than_today_is_to_be_done_anew_and_more_is_not() {
        let passwords = Argon2Passwords::new().unwrap();
        let kept = passwords.hash("correct horse".into()).await.unwrap();
        assert!(!passwords.needs_rehash(&kept));
        for (weaker, with) in [
            ("m=19456", "m=9728"),
            ("t=2", "t=1"),
            ("v=19", "v=16"),
            ("argon2id", "argon2i"),
        ] {
            assert!(
                passwords.needs_rehash(&kept.replace(weaker, with)),
                "{with}"
            );
        }
        for (stronger, with) in [("m=19456", "m=65536"), ("t=2", "t=3")] {
            assert!(
                !passwords.needs_rehash(&kept.replace(stronger, with)),
                "{with}"
            );
        }
        assert!(!passwords.needs_rehash("not a hash"));
    }

    #[tokio::test]
    async fn nobody_costs_what_somebody_costs() {
        let passwords = Argon2Passwords::new().unwrap();
        let kept = passwords.hash("correct horse".into()).await.unwrap();
        // The quickest of several, so that a busy machine does not decide.
        let mut quickest = [std::time::Duration::MAX; 3];
        for _ in 0..5 {
            let all = [Some(kept.clone()), None, Some(String::new())];
            for (at, kept) in all.into_iter().enumerate() {
                let begun = Instant::now();
                assert!(!passwords.verify("wrong".into(), kept).await.unwrap());
                quickest[at] = quickest[at].min(begun.elapsed());
            }
        }
        let [somebody, others @ ..] = quickest;
        for nobody in others {
            assert!(
                nobody * 3 > somebody && somebody * 3 > nobody,
                "{somebody:?} and {nobody:?}"
            );
        }
    }
}

//! The rules of the second factor: enrolling, showing and ending it; guessing is bounded and no code works twice. How it
//! is kept is not known here.

use std::time::Duration;

use atelier_kit::moment::Micros;
use secrecy::{ExposeSecret as _, SecretString};

use crate::accounts::Accounts;
use crate::error::Error;
use crate::ports::Factor;
use crate::recovery::{Code, RecoveryCode, RecoveryHash};
use crate::sessions::SignedIn;
use crate::totp::{Authenticator, Enrolment};

/// How many wrong codes an account may show within [`MISS_WINDOW`]. Three codes of a million are good at a time, so that a
/// whole day of guessing finds one in less than one case of two hundred.
pub(crate) const MOST_MISSES: usize = 5;
/// For how long a wrong code counts, in microseconds.
pub(crate) const MISS_WINDOW: Micros = 5 * 60 * 1_000_000;

/// How a factor stands.
pub(crate) struct FactorState {
    pub(crate) user_id: String,
    /// The authenticator's secret, sealed.
    pub(crate) sealed: Vec<u8>,
    /// Whether it was confirmed, so that signing in needs it.
    pub(crate) confirmed: bool,
    /// The time step of the last code that was taken.
    pub(crate) last_step: i64,
    /// The recovery codes that were not used.
    pub(crate) recovery: Vec<RecoveryHash>,
    /// When the last wrong codes were shown, the newest first: those that still count, at most [`MOST_MISSES`].
    pub(crate) misses: Vec<Micros>,
}

/// What was shown, and is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The authenticator's code of a time step.
    Step(i64),
    /// A recovery code.
    Recovery(RecoveryHash),
}

/// What a code is entitled to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// To be looked at: too many before it were wrong. How long that goes on, in microseconds.
    Refused(Micros),
    /// Nothing.
    Wrong,
    /// Whatever was asked.
    Good(Proof),
}

/// The rule of codes.
fn judge(state: &FactorState, authenticator: &Authenticator, code: &Code, now: Micros) -> Verdict {
    let counted = state
        .misses
        .iter()
        .filter(|time| now < **time + MISS_WINDOW);
    if let Some(oldest) = counted.copied().nth(MOST_MISSES - 1) {
        return Verdict::Refused(oldest + MISS_WINDOW - now);
    }
    let proof = match code {
        Code::Totp(code) => authenticator
            .step_of(code.expose_secret(), now)
            .filter(|step| *step > state.last_step)
            .map(Proof::Step),
        Code::Recovery(hash) => {
            Some(Proof::Recovery(*hash)).filter(|_| state.recovery.contains(hash))
        }
        Code::Neither => None,
    };
    proof.map_or(Verdict::Wrong, Verdict::Good)
}

impl Accounts {
    /// Begins to use an authenticator; nothing changes until it is confirmed.
    pub(crate) async fn enroll_totp(
        &self,
        caller: &SignedIn,
        password: SecretString,
    ) -> Result<Enrolment, Error> {
        self.must_know_password(caller, password).await?;
        let email = caller.user.email.as_deref().unwrap_or(&caller.user.id);
        let authenticator = Authenticator::new(email)?;
        let sealed = authenticator.seal(&self.factor_key, &caller.user.id)?;
        self.factors
            .enroll(&caller.user.id, &sealed, self.clock.now())
            .await?;
        authenticator.enrolment()
    }

    /// Ends the enrolment with the authenticator's first code; returns the recovery codes.
    pub(crate) async fn confirm_totp(
        &self,
        caller: &SignedIn,
        code: &Code,
    ) -> Result<Vec<RecoveryCode>, Error> {
        let (factor, now) = self.held(&caller.user.id).await?;
        let factor = factor
            .filter(|factor| !factor.state().confirmed)
            .ok_or(Error::TotpNotEnrolled)?;
        let (factor, proof) = self.shown(factor, code, now, Error::WrongCode).await?;
        // Without recovery codes yet, only the authenticator can have shown it.
        let Proof::Step(step) = proof else {
            return Err(Error::WrongCode);
        };
        let codes = RecoveryCode::set()?;
        let hashes: Vec<_> = codes.iter().map(RecoveryCode::hash).collect();
        factor
            .confirm(step, &hashes, &caller.session_id, now)
            .await?;
        tracing::info!(user_id = caller.user.id, "second factor enabled");
        Ok(codes)
    }

    /// Ends the second factor.
    pub(crate) async fn disable_totp(
        &self,
        caller: &SignedIn,
        password: SecretString,
        code: &Code,
    ) -> Result<(), Error> {
        self.must_know_password(caller, password).await?;
        let (factor, now) = self.held(&caller.user.id).await?;
        let factor = factor
            .filter(|factor| factor.state().confirmed)
            .ok_or(Error::TotpNotEnrolled)?;
        let (factor, proof) = self.shown(factor, code, now, Error::WrongCode).await?;
        factor.disable(proof, now).await?;
        tracing::info!(user_id = caller.user.id, "second factor disabled");
        Ok(())
    }

    /// New recovery codes in place of all earlier ones.
    pub(crate) async fn renew_recovery_codes(
        &self,
        caller: &SignedIn,
        password: SecretString,
    ) -> Result<Vec<RecoveryCode>, Error> {
        self.must_know_password(caller, password).await?;
        let codes = RecoveryCode::set()?;
        let hashes: Vec<_> = codes.iter().map(RecoveryCode::hash).collect();
        self.factors
            .renew(&caller.user.id, &hashes, self.clock.now())
            .await?;
        Ok(codes)
    }

    /// Shows the second factor of an account whose password was right; `false` when it has none by now. `typed` is empty
    /// where no code was sent.
    pub(crate) async fn show_second_factor(
        &self,
        user_id: &str,
        typed: &str,
    ) -> Result<bool, Error> {
        if typed.is_empty() {
            return Err(Error::SecondFactorRequired);
        }
        let (factor, now) = self.held(user_id).await?;
        let Some(factor) = factor.filter(|factor| factor.state().confirmed) else {
            return Ok(false);
        };
        let (factor, proof) = self
            .shown(factor, &Code::read(typed), now, Error::WrongLoginCode)
            .await?;
        factor.spend(proof, now).await?;
        Ok(true)
    }

    /// The factor of an account, held, and the time since it is.
    async fn held(&self, user_id: &str) -> Result<(Option<Box<dyn Factor>>, Micros), Error> {
        let since = self.clock.now() - MISS_WINDOW;
        let factor = self.factors.hold(user_id, since).await?;
        // Read after it is held: waiting for it must not make a code look fresher than it is.
        Ok((factor, self.clock.now()))
    }

    /// What a code proves; `wrong` when it proves nothing, which is counted.
    async fn shown(
        &self,
        factor: Box<dyn Factor>,
        code: &Code,
        now: Micros,
        wrong: Error,
    ) -> Result<(Box<dyn Factor>, Proof), Error> {
        let state = factor.state();
        let authenticator = Authenticator::open(&self.factor_key, &state.user_id, &state.sealed)?;
        match judge(state, &authenticator, code, now) {
            Verdict::Good(proof) => Ok((factor, proof)),
            Verdict::Wrong => {
                factor.miss(now).await?;
                Err(wrong)
            }
            Verdict::Refused(wait) => Err(Error::TooManyAttempts(Duration::from_micros(
                wait.unsigned_abs(),
            ))),
        }
    }

    /// Whoever changes how an account is signed in to must know the password, not just hold a token.
    pub(crate) async fn must_know_password(
        &self,
        caller: &SignedIn,
        password: SecretString,
    ) -> Result<(), Error> {
        let kept = self.users.password_hash(&caller.user.id).await?;
        let kept = kept.ok_or(Error::NoPassword)?;
        if self.passwords.verify(password, Some(kept)).await? {
            Ok(())
        } else {
            Err(Error::WrongPassword)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const NOW: Micros = 1_111_111_109 * 1_000_000;
    const MINUTE: Micros = 60 * 1_000_000;

    fn state(last_step: i64, misses: Vec<Micros>) -> FactorState {
        FactorState {
            user_id: "ana".into(),
            sealed: Vec::new(),
            confirmed: true,
            last_step,
            recovery: vec![RecoveryHash([1; 32])],
            misses,
        }
    }

    /// With the secret of RFC 6238, appendix B, whose code at [`NOW`] is 081804.
    fn judged(state: &FactorState, code: &Code) -> Verdict {
        let sealed = atelier_kit::secret::seal(&KEY, b"ana", b"12345678901234567890").unwrap();
        let authenticator = Authenticator::open(&KEY, "ana", &sealed).unwrap();
        judge(state, &authenticator, code, NOW)
    }

    #[test]
    fn a_code_of_a_step_that_was_taken_is_wrong() {
        let (code, step) = (Code::read("081804"), 1_111_111_109 / 30);
        assert_eq!(
            judged(&state(step - 1, vec![]), &code),
            Verdict::Good(Proof::Step(step))
        );
        assert_eq!(judged(&state(step, vec![]), &code), Verdict::Wrong);
        assert_eq!(judged(&state(step + 1, vec![]), &code), Verdict::Wrong);
    }

    #[test]
    fn a_recovery_code_is_good_while_it_is_there() {
        let (there, gone) = (RecoveryHash([1; 32]), RecoveryHash([2; 32]));
        let good = Verdict::Good(Proof::Recovery(there));
        assert_eq!(judged(&state(0, vec![]), &Code::Recovery(there)), good);
        assert_eq!(
            judged(&state(0, vec![]), &Code::Recovery(gone)),
            Verdict::Wrong
        );
    }

    #[test]
    fn the_sixth_within_five_minutes_is_not_looked_at() {
        let misses: Vec<Micros> = (0..5).map(|minutes| NOW - minutes * MINUTE).collect();
        let code = Code::read("081804");
        assert_eq!(
            judged(&state(0, misses.clone()), &code),
            Verdict::Refused(MINUTE)
        );
        assert!(matches!(
            judged(&state(0, misses[..4].to_vec()), &code),
            Verdict::Good(_)
        ));
        let later: Vec<Micros> = misses.iter().map(|time| time - MINUTE).collect();
        assert!(matches!(judged(&state(0, later), &code), Verdict::Good(_)));
    }
}

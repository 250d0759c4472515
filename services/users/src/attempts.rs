//! The rule of attempts: how long who fails to sign in must wait, such that no stranger can keep an owner out.

use std::sync::Arc;
use std::time::Duration;

use atelier_kit::moment::Micros;
use atelier_kit::network::Network;
use aws_lc_rs::hmac;

use crate::email;
use crate::error::Error;
use crate::ports::AttemptStore;

const SECOND: Micros = 1_000_000;

/// How failures of one subject make it wait: not at all for the first, then each twice as long as the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The failure from which on it waits: two seconds after this one.
    free: Micros,
    /// The longest wait.
    longest: Micros,
    /// How long it takes until one failure is forgiven.
    forgive: Micros,
}

/// An account from one network: what a person mistypes, and what one guesser can do.
pub(crate) const PAIR: Rule = Rule {
    free: 5,
    longest: 15 * 60 * SECOND,
    // Longer than the longest wait, so that who guesses on and on stays there.
    forgive: 30 * 60 * SECOND,
};
/// A network, whatever accounts it tries; many people may share one.
pub(crate) const NETWORK: Rule = Rule {
    free: 100,
    longest: 15 * 60 * SECOND,
    forgive: 60 * SECOND,
};
/// An account, wherever it is tried from: slows down many networks at once, and is over before its owner minds.
pub(crate) const ACCOUNT: Rule = Rule {
    free: 20,
    longest: 4 * SECOND,
    forgive: 60 * SECOND,
};

/// What is counted of a subject: each failure is forgiven a fixed span after the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// When the last failure came.
    pub(crate) fail_time: Micros,
    /// When all failures are forgiven.
    pub(crate) forget_time: Micros,
}

impl Rule {
    /// How many failures were not forgiven yet when the last one came, that one counted.
    fn failures(&self, tally: Tally) -> Micros {
        let span = (tally.forget_time - tally.fail_time).max(0);
        span / self.forgive + Micros::from(span % self.forgive > 0)
    }

    /// How long a tally makes wait, from `now` on; 0 for not at all.
    pub(crate) fn wait(&self, tally: Tally, now: Micros) -> Micros {
        let over = self.failures(tally) - self.free;
        if over < 0 {
            return 0;
        }
        // Two to the forty-first seconds is longer than any longest.
        let wait = ((2 * SECOND) << over.min(40)).min(self.longest);
        // A clock that was set back must not make it longer.
        (tally.fail_time + wait - now).clamp(0, self.longest)
    }

    /// The tally after one more failure.
    pub(crate) fn fail(&self, tally: Tally, now: Micros) -> Tally {
        let most = now + self.most() * self.forgive;
        Tally {
            fail_time: now,
            // More than makes the longest wait would only take longer to be forgiven.
            forget_time: (tally.forget_time.max(now) + self.forgive).min(most),
        }
    }

    /// By how much a failure at `now` moved the time at which all is forgiven.
    fn moved(&self, before: Tally, now: Micros) -> Micros {
        self.fail(before, now).forget_time - before.forget_time.max(now)
    }

    /// The number of failures from which on the wait grows no more.
    fn most(&self) -> Micros {
        let mut steps = 0;
        while (2 * SECOND) << steps < self.longest {
            steps += 1;
        }
        self.free + steps
    }
}

/// What is counted for one attempt to sign in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subjects {
    /// The account and the network together.
    pub(crate) pair: [u8; 32],
    /// The account.
    pub(crate) account: [u8; 32],
    /// The network; `None` when it is not known, for then everybody would share it.
    pub(crate) network: Option<[u8; 32]>,
}

/// How the subjects of an attempt stand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) pair: Tally,
    pub(crate) account: Tally,
    pub(crate) network: Tally,
    /// Whether the account has signed in from the network before.
    pub(crate) known: bool,
}

impl Standing {
    /// How long the attempt must wait; 0 for not at all. Who comes from where the owner came from answers for himself
    /// alone: what strangers do elsewhere, or to other accounts beside him, does not concern him.
    pub(crate) fn wait(&self, now: Micros) -> Micros {
        let own = PAIR.wait(self.pair, now);
        if self.known {
            return own;
        }
        own.max(ACCOUNT.wait(self.account, now))
            .max(NETWORK.wait(self.network, now))
    }

    /// How they stand after one more failure.
    pub(crate) fn fail(&self, now: Micros) -> Self {
        Self {
            pair: PAIR.fail(self.pair, now),
            account: ACCOUNT.fail(self.account, now),
            network: NETWORK.fail(self.network, now),
            known: self.known,
        }
    }
}

/// What became of an attempt that began.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It must wait so long, and nothing was counted.
    Wait(Micros),
    /// It was counted as a failure of each subject; so they stood before.
    Counted(Standing),
}

/// An attempt that ended well, to be forgiven.
#[derive(Debug)]
pub(crate) struct Success {
    pub(crate) subjects: Subjects,
    /// When the attempt began.
    pub(crate) begin_time: Micros,
    /// When the network had failed last before it.
    pub(crate) network_fail_time: Micros,
    /// By how much the attempt moved the time at which all failures of the network are forgiven.
    pub(crate) network_moved: Micros,
}

/// Counts attempts to sign in.
pub(crate) struct Attempts {
    store: Arc<dyn AttemptStore>,
    key: hmac::Key,
}

/// An attempt that is under way. It is counted as a failure already, so that many at once are no way around the rule;
/// [`Attempts::succeeded`] forgives it.
pub(crate) struct Attempt(Success);

impl Attempts {
    /// Counts in a store, under a key derived from the mesh secret.
    pub(crate) fn new(store: Arc<dyn AttemptStore>, key: &[u8; 32]) -> Self {
        Self {
            store,
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    /// Begins an attempt. `email` is as the caller wrote it, whether or not it has an account.
    /// [`Error::TooManyAttempts`] when it must wait; that counts nothing.
    pub(crate) async fn begin(
        &self,
        email: &str,
        network: Option<&Network>,
        now: Micros,
    ) -> Result<Attempt, Error> {
        let subjects = self.subjects(email, network);
        match self.store.begin(&subjects, now).await? {
            Begun::Counted(before) => Ok(Attempt(Success {
                subjects,
                begin_time: now,
                network_fail_time: before.network.fail_time,
                network_moved: NETWORK.moved(before.network, now),
            })),
            Begun::Wait(wait) => Err(Error::TooManyAttempts(Duration::from_secs(
                u64::try_from(wait).unwrap_or(0).div_ceil(1_000_000),
            ))),
        }
    }

    /// Ends an attempt well: all failures of the account are forgiven, and it is known to use the network. Of the
    /// network's only this one is: otherwise a guesser would clear them with an account of his own.
    pub(crate) async fn succeeded(&self, attempt: Attempt, now: Micros) -> Result<(), Error> {
        self.store.succeeded(&attempt.0, now).await
    }

    /// The account of an e-mail was made from a network, which from now on is known.
    pub(crate) async fn met(
        &self,
        email: &str,
        network: Option<&Network>,
        now: Micros,
    ) -> Result<(), Error> {
        let success = Success {
            subjects: self.subjects(email, network),
            begin_time: now,
            network_fail_time: now,
            network_moved: 0,
        };
        self.store.succeeded(&success, now).await
    }

    fn subjects(&self, email: &str, network: Option<&Network>) -> Subjects {
        let email = email::lookup(email);
        Subjects {
            pair: self.subject(
                b"pair",
                &[
                    email.as_bytes(),
                    network.map_or("", Network::as_str).as_bytes(),
                ],
            ),
            account: self.subject(b"account", &[email.as_bytes()]),
            network: network
                .map(|network| self.subject(b"network", &[network.as_str().as_bytes()])),
        }
    }

    /// What stands for a subject in the table: nobody who reads it learns who was tried, or from where.
    fn subject(&self, what: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in std::iter::once(&what).chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;

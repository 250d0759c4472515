//! The terms of the queue: who counts how much, and how much of it somebody may have.

use std::sync::Arc;

use atelier_kit::call::Call;
use atelier_kit::config::{Setting, Settings};
use atelier_kit::identity::Caller;

/// How an owner counts in the queue: one of weight 4 gets four turns where one of weight 1 gets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(u8);

impl Default for Priority {
    fn default() -> Self {
        Self(1)
    }
}

impl Priority {
    /// Of a weight; what is not within 1 to 10 is brought there.
    pub fn of_weight(weight: i64) -> Self {
        Self(u8::try_from(weight.clamp(1, 10)).unwrap_or(1))
    }

    /// Of the caller's account, whose plan has a weight that its token says.
    pub fn of(call: &Call) -> Self {
        match &call.caller {
            Caller::Account(account) => Self::of_weight(i64::from(account.weight)),
            Caller::Nobody | Caller::Service(_) => Self::default(),
        }
    }

    /// The weight, 1 to 10.
    pub fn weight(self) -> u8 {
        self.0
    }
}

/// How many work at once of a provider, by its name.
pub type AtOnce = Arc<dyn Fn(&str) -> usize + Send + Sync>;

/// How much of a provider one owner may have.
pub const OWNER_SHARE: Setting = Setting::new(
    "ATELIER_OWNER_SHARE",
    "75",
    "How much of a provider's turns one account may have at once, in percent, rounded up; more of its generations wait.",
);
/// How many of one owner may wait.
pub const OWNER_WAITING: Setting = Setting::new(
    "ATELIER_OWNER_WAITING",
    "256",
    "How many generations of one account may wait for their turn in a service; one more is RESOURCE_EXHAUSTED.",
);
/// The settings of the queue: the same for every medium.
pub const SETTINGS: &[Setting] = &[OWNER_SHARE, OWNER_WAITING];

/// What one owner may have of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owners {
    /// How much of a provider's turns at once, in percent, rounded up. By default three quarters: an owner alone is hardly
    /// slowed down, and somebody who comes finds a place without waiting for another's turn to end.
    pub share: usize,
    /// How many may wait, of all providers together; more are refused.
    pub waiting: usize,
}

impl Default for Owners {
    fn default() -> Self {
        Self {
            share: 75,
            waiting: 256,
        }
    }
}

impl Owners {
    /// Reads the settings.
    pub fn read(settings: &Settings) -> Self {
        let number = |setting, allowed| {
            let value = settings.number(setting, allowed)?;
            usize::try_from(value).ok()
        };
        let usual = Self::default();
        Self {
            share: number(&OWNER_SHARE, 1..=100).unwrap_or(usual.share),
            waiting: number(&OWNER_WAITING, 1..=100_000).unwrap_or(usual.waiting),
        }
    }
}

/// How turns are given.
#[derive(Clone)]
pub struct Turns {
    /// How many work at once of a provider; asked anew whenever somebody comes.
    pub at_once: AtOnce,
    /// What one owner may have of them.
    pub owners: Owners,
}

impl Turns {
    /// So many at once of each provider, and the usual bounds for an owner.
    pub fn each(at_once: usize) -> Self {
        Self::by(move |_| at_once)
    }

    /// So many at once as this says of a provider, and the usual bounds for an owner.
    pub fn by(at_once: impl Fn(&str) -> usize + Send + Sync + 'static) -> Self {
        Self {
            at_once: Arc::new(at_once),
            owners: Owners::default(),
        }
    }

    /// With these bounds for an owner.
    #[must_use]
    pub fn with(mut self, owners: Owners) -> Self {
        self.owners = owners;
        self
    }

    /// How many work at once of a provider, and how many of them may be one owner's.
    pub(super) fn bounds(&self, provider: &str) -> (usize, usize) {
        let bound = (self.at_once)(provider).max(1);
        let share = bound.saturating_mul(self.owners.share).div_ceil(100);
        (bound, share.clamp(1, bound))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use atelier_kit::identity::{Account, Role};

    use super::*;

    #[test]
    fn an_account_counts_as_its_token_says() {
        let mut call = Call::background(Duration::from_secs(1));
        assert_eq!(Priority::of(&call).weight(), 1);
        for (told, counts) in [(0, 1), (1, 1), (4, 4), (10, 10), (255, 10)] {
            call.caller = Caller::Account(Account {
                id: "a".into(),
                session: "s".into(),
                role: Role::User,
                plan: "pro".into(),
                weight: told,
                scopes: None,
            });
            assert_eq!(Priority::of(&call).weight(), counts, "{told}");
        }
    }
}
